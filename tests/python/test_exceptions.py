"""One table from the library's errors to exceptions, and what an exception carries."""

import base64
import hmac
import pickle

import pytest

import twinguard
from twinguard import _native, exceptions
from twinguard.exceptions import ConfigError, InternalError, TwinguardError

KEY = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def test_the_table_has_every_error_of_the_library_and_no_other():
    assert sorted(exceptions._CLASS_OF) == sorted(code for code, _, _ in _native.ERROR_KINDS)


@pytest.mark.parametrize(("code", "name", "text"), _native.ERROR_KINDS, ids=lambda v: str(v)[:20])
def test_each_error_is_a_twinguard_error_and_survives_pickling(code, name, text):
    error = exceptions.error_of(code, name, text, True, "/a")
    assert isinstance(error, TwinguardError)
    assert type(error).__module__ == "twinguard.exceptions"
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    for e in (error, again):
        assert (str(e), e.status, e.name) == (text, code, name)
        assert (e.retryable, e.pointer) == (True, "/a")


@pytest.mark.parametrize(
    ("special", "builtin"),
    [
        (exceptions.ConfigError, ValueError),
        (exceptions.ConnectionLostError, ConnectionError),
        (exceptions.OperationTimeout, TimeoutError),
        (exceptions.StoreError, OSError),
    ],
)
def test_errors_that_python_has_a_word_for_are_those_too(special, builtin):
    assert issubclass(special, builtin)
    assert issubclass(special, TwinguardError)


def test_an_unknown_number_of_a_newer_library_is_still_caught():
    error = exceptions.error_of(-12345, "NEW", "new", False, None)
    assert type(error) is TwinguardError


@pytest.mark.parametrize(
    ("document", "pointer", "words"),
    [
        ({"a": {"b": object()}}, "/a/b", "object is not a JSON type"),
        ({"a": [0, float("nan")]}, "/a/1", "expected a finite number"),
        ({"a": 1 << 64}, "/a", "integer does not fit 64 bits"),
        ({"a/b": {1: 2}}, "/a~1b", "expected str as key, found int"),
        ({"a": "\ud800"}, "/a", "text is not Unicode"),
        ({"a": b"x"}, "/a", "bytes is not a JSON type"),
        ({"\ud800": 1}, "", "text is not Unicode"),
        ([], None, "expected a document as dict, found list"),
    ],
)
def test_what_is_no_document_is_refused_with_its_place(document, pointer, words):
    with pytest.raises(ConfigError, match=words) as caught:
        twinguard.merge_patch({}, document)
    assert caught.value.pointer == pointer
    assert "\n" not in str(caught.value)


def test_a_document_that_holds_itself_ends_as_an_error():
    document = {}
    document["a"] = document
    with pytest.raises(ConfigError, match="nested deeper than 32 levels"):
        twinguard.merge_patch({}, document)


@pytest.mark.parametrize("number", [0, -1, 2**63 - 1, -(2**63), 2**64 - 1, 1.5, -0.0, 1e300])
def test_numbers_come_back_as_they_went(number):
    (found,) = twinguard.merge_patch({}, {"n": number}).values()
    assert (found, type(found)) == (number, type(number))


@pytest.mark.parametrize("value", [True, False, "", "ä\0", [], {}, [[1], {"x": []}], (1, 2)])
def test_values_come_back_as_they_went(value):
    found = twinguard.merge_patch({}, {"v": value})["v"]
    assert found == (list(value) if isinstance(value, tuple) else value)


@pytest.mark.parametrize("key", ["", "not base64!", KEY + "=", KEY * 20, "é"])
def test_a_bad_key_is_named_but_not_shown(key):
    with pytest.raises(ConfigError) as caught:
        twinguard.create_sas_token("h", key, 1)
    assert caught.value.name == "KEY"
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize("key", ["", "not base64!", "A" * 260, "é"])
def test_signing_wants_a_key(key):
    with pytest.raises(ConfigError) as caught:
        twinguard.sign(key, b"data")
    assert caught.value.name == "KEY"
    assert not key or key not in str(caught.value)


@pytest.mark.parametrize("key", ["SmVmZQ==", "A" * 256], ids=["short", "longest"])
@pytest.mark.parametrize("data", [b"", b"a\0\xff", b"x" * 1_000_000], ids=["none", "raw", "much"])
def test_a_signature_is_what_hmac_makes(key, data):
    assert twinguard.sign(key, data) == hmac.digest(base64.b64decode(key), data, "sha256")


@pytest.mark.parametrize("data", ["text", bytearray(b"may change"), None])
def test_only_bytes_are_signed(data):
    with pytest.raises(TypeError):
        twinguard.sign(KEY, data)


def test_a_panic_is_an_error_and_not_more():
    if not hasattr(_native, "panic_for_test"):
        pytest.skip("the compiled module is a release build, which has no way to panic on purpose")
    with pytest.raises(InternalError, match="on purpose") as caught:
        _native.panic_for_test()
    assert caught.value.name == "PANIC"
