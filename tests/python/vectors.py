"""The shared vectors through the Python API: configurations, durations, errors, tokens, keys.

A field that this runner does not know fails its vector: what is not run has not passed.

Runs alone (``python tests/python/vectors.py``) and is what ``test_vectors.py`` parametrizes. The
folder of the vectors can be replaced by the environment variable ``TWINGUARD_VECTORS``.
"""

import json
import os
import pathlib
import sys
from base64 import b64decode, b64encode
from datetime import timedelta
from urllib.parse import unquote

import twinguard
from twinguard.exceptions import ConfigError
from twinguard.types import AgentOptions, Profile

# Writers whose tokens are ours, byte for byte; the others differ in encoding or order.
_OUR_FLAVOURS = ("python-device", "python-service", "embedded-c")
_OUR_CLIENT = "azure-iot-device "  # the clients for Python and Node
_ABOUT = ("id", "name", "source", "note")
_SCHEME = "SharedAccessSignature "


def folder():
    default = pathlib.Path(__file__).resolve().parent.parent / "vectors"
    return pathlib.Path(os.environ.get("TWINGUARD_VECTORS") or default)


def load(name):
    return json.loads((folder() / name).read_text(encoding="utf-8"))


def agent_cases():
    """Give (id, function, vector) for each vector about the agent configuration."""
    vectors = load("vectors-agent-config.json")
    defaults = vectors["defaults"]["library"]
    for vector in vectors["twin_vectors"]:
        yield vector["id"], check_twin, (vector, defaults)
    for vector in vectors["duration_vectors"]:
        yield vector["id"], check_duration, (vector,)
    for vector in vectors["config_error_vectors"]:
        yield vector["id"], check_configuration_errors, (vector,)
    for vector in vectors["micro_agent_vectors"]:
        yield vector["id"], check_micro_agent, (vector,)


def sas_cases():
    """Give (id, function, vector) for each vector about keys, tokens and signatures."""
    vectors = load("vectors-sas.json")
    lists = ("tokens", "observed_tokens", "derived_keys", "workload_sign")
    # What a verifier accepts is the hub's business and run there.
    only(vectors, "about", "flavours", *lists, "must_accept", "must_reject")
    for vector in vectors["tokens"]:
        yield vector["name"], check_token, (vector, vectors["flavours"])
    for number, vector in enumerate(vectors["observed_tokens"]):
        yield f"observed-{number}", check_observed_token, (vector,)
    for vector in vectors["derived_keys"]:
        yield f"derived/{vector['name'][:20]}", check_derived_key, (vector,)
    for vector in vectors["workload_sign"]:
        yield vector["name"], check_workload, (vector,)


def only(found, *known):
    """Refuse a member that nobody here looks at."""
    unknown = found.keys() - set(known)
    assert not unknown, f"unknown: {sorted(unknown)}"


def check_twin(vector, defaults):
    only(vector, *_ABOUT, "steps", "expect")
    only(vector["expect"], "library", "agent_c", "agent_csharp")
    steps, expectations = vector["steps"], vector["expect"]["library"]
    assert len(steps) == len(expectations) > 0
    shadow = twinguard.Shadow()
    for step, expected in zip(steps, expectations):
        only(step, "kind", "doc")
        only(expected, "result", "errors", "warnings", "unknown_keys", "effective_diff")
        apply = {"full": shadow.apply_full, "patch": shadow.apply_patch}[step["kind"]]
        assert apply(step["doc"]).value == expected["result"]
        if "effective_diff" in expected:
            check_evaluation(shadow.evaluation, expected, defaults)


def check_evaluation(evaluation, expected, defaults):
    wanted = {**defaults, **expected["effective_diff"]}
    assert dict(evaluation.values) == wanted
    assert typed(evaluation.configuration) == wanted
    warnings = [(w.key, w.kind, w.used) for w in evaluation.warnings]
    assert warnings == [(w["key"], w["error"], w["used"]) for w in expected.get("warnings", [])]
    assert list(evaluation.unknown_keys) == expected.get("unknown_keys", [])
    errors = {p.key for p in evaluation.refused}
    assert errors == {e["key"] for e in expected.get("errors", [])}
    assert evaluation.state == ("failed" if errors else "success")


def typed(configuration):
    """Undo the typing of a configuration, to see that it says what the JSON says."""

    def plain(value):
        if isinstance(value, timedelta):
            return twinguard.format_duration(value)
        return getattr(value, "value", value)

    return {configuration.key_of(name): plain(value) for name, value in vars(configuration).items()}


def check_duration(vector):
    only(vector, "id", "text", "source", "note", "agent_c", "agent_csharp", "library")
    expected = vector["library"]
    if expected is None:
        try:
            found = twinguard.parse_duration(vector["text"])
        except ConfigError:
            return
        raise AssertionError(f"{vector['text']!r} was read as {found}")
    only(expected, "ms", "reported")
    duration = twinguard.parse_duration(vector["text"])
    assert duration == timedelta(milliseconds=expected["ms"])
    assert twinguard.format_duration(duration) == expected["reported"]


def check_configuration_errors(vector):
    only(vector, *_ABOUT, "desired", "expect")
    only(vector["expect"], "library_payload", "agent_c_payload", "agent_csharp_payload")
    shadow = twinguard.Shadow()
    shadow.apply_full(vector["desired"])
    assert list(shadow.evaluation.configuration_errors) == vector["expect"]["library_payload"]


def check_micro_agent(vector):
    only(vector, *_ABOUT, "desired", "expect")
    only(vector["expect"], "latest_state", "latest_invalid_fields", "effective_diff")
    shadow = twinguard.Shadow(AgentOptions(profile=Profile.MICRO_AGENT))
    before = shadow.evaluation.values
    shadow.apply_full(vector["desired"])
    evaluation, expected = shadow.evaluation, vector["expect"]
    assert evaluation.configuration is None
    assert evaluation.state == expected["latest_state"]
    assert [p.key for p in evaluation.refused] == expected["latest_invalid_fields"]
    changed = {key: value for key, value in evaluation.values.items() if value != before[key]}
    assert changed == expected.get("effective_diff", {})


def check_token(vector, flavours):
    only(
        vector,
        *("name", "flavour", "key", "key_name", "resource", "expiry", "sr_on_wire"),
        *("string_to_sign", "signature_base64", "expected_token"),
    )
    assert vector["flavour"] in flavours
    assert f"{vector['sr_on_wire']}\n{vector['expiry']}" == vector["string_to_sign"]
    assert signature(vector["key"], vector["string_to_sign"]) == vector["signature_base64"]
    assert token_fields(vector["expected_token"])["se"] == str(vector["expiry"])
    if vector["flavour"] in _OUR_FLAVOURS:
        token = twinguard.create_sas_token(
            vector["resource"],
            vector["key"],
            vector["expiry"],
            key_name=vector.get("key_name"),
        )
        assert token == vector["expected_token"]


def check_observed_token(vector):
    """The signature of a token sent by a real client verifies over its fields as they stand."""
    only(vector, "client", "key", "resource", "token")
    fields = token_fields(vector["token"])
    sent, expiry = fields["sr"], fields["se"]
    # Clients encode the resource not at all, once or twice.
    forms = {sent.lower(), unquote(sent).lower(), unquote(unquote(sent)).lower()}
    assert vector["resource"].lower() in forms
    assert signature(vector["key"], f"{sent}\n{expiry}") == unquote(fields["sig"])
    if vector["client"].startswith(_OUR_CLIENT):
        token = twinguard.create_sas_token(vector["resource"], vector["key"], int(expiry))
        assert token == vector["token"]


def token_fields(token):
    """The fields of a token as they stand in it."""
    assert token.startswith(_SCHEME)
    return dict(field.split("=", 1) for field in token[len(_SCHEME) :].split("&"))


def signature(key, text):
    return b64encode(twinguard.sign(key, text.encode())).decode()


def check_derived_key(vector):
    only(vector, "name", "source", "group_key", "registration_id", "derived_key")
    derived = twinguard.derive_key(vector["group_key"], vector["registration_id"])
    assert derived == vector["derived_key"]


def check_workload(vector):
    only(
        vector,
        *(
            "name",
            "module_key",
            "string_to_sign",
            "request_data_base64",
            "digest_base64",
        ),
    )
    assert b64decode(vector["request_data_base64"]).decode() == vector["string_to_sign"]
    assert signature(vector["module_key"], vector["string_to_sign"]) == vector["digest_base64"]


def main():
    failed = False
    for name, cases in (("agent-config", agent_cases()), ("sas", sas_cases())):
        ran = passed = 0
        for vector, check, arguments in cases:
            ran += 1
            try:
                check(*arguments)
                passed += 1
            except Exception as error:
                print(f"{vector}: {type(error).__name__}: {error}", file=sys.stderr)
        print(f"vectors python {name}: ran {ran} passed {passed}")
        failed = failed or ran != passed or ran == 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
