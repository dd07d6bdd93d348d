"""The shared vectors through the Python API: configurations, durations, errors, tokens, keys.

Runs alone (``python tests/python/vectors.py``) and is what ``test_vectors.py`` parametrizes. The
folder of the vectors can be replaced by the environment variable ``TWINGUARD_VECTORS``.
"""

import json
import os
import pathlib
import sys
from datetime import timedelta

import twinguard
from twinguard.exceptions import ConfigError
from twinguard.types import AgentOptions, Profile

_FLAVOUR = "python-device"


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
    """Give (id, function, vector) for each vector about keys and tokens that this library makes."""
    vectors = load("vectors-sas.json")
    for vector in vectors["tokens"]:
        if vector["flavour"].startswith(_FLAVOUR) or vector["flavour"] == "python-service":
            yield vector["name"], check_token, (vector,)
    for number, vector in enumerate(vectors["observed_tokens"]):
        if "(PyPI)" in vector["client"]:
            yield f"observed-{number}", check_observed_token, (vector,)
    for vector in vectors["derived_keys"]:
        yield f"derived/{vector['name'][:20]}", check_derived_key, (vector,)


def check_twin(vector, defaults):
    shadow = twinguard.Shadow()
    for step, expected in zip(vector["steps"], vector["expect"]["library"]):
        apply = shadow.apply_full if step["kind"] == "full" else shadow.apply_patch
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
    expected = vector["library"]
    if expected is None:
        try:
            found = twinguard.parse_duration(vector["text"])
        except ConfigError:
            return
        raise AssertionError(f"{vector['text']!r} was read as {found}")
    duration = twinguard.parse_duration(vector["text"])
    assert duration == timedelta(milliseconds=expected["ms"])
    assert twinguard.format_duration(duration) == expected["reported"]


def check_configuration_errors(vector):
    shadow = twinguard.Shadow()
    shadow.apply_full(vector["desired"])
    assert list(shadow.evaluation.configuration_errors) == vector["expect"]["library_payload"]


def check_micro_agent(vector):
    shadow = twinguard.Shadow(AgentOptions(profile=Profile.MICRO_AGENT))
    before = shadow.evaluation.values
    shadow.apply_full(vector["desired"])
    evaluation, expected = shadow.evaluation, vector["expect"]
    assert evaluation.configuration is None
    assert evaluation.state == expected["latest_state"]
    assert [p.key for p in evaluation.refused] == expected["latest_invalid_fields"]
    changed = {key: value for key, value in evaluation.values.items() if value != before[key]}
    assert changed == expected.get("effective_diff", {})


def check_token(vector):
    token = twinguard.create_sas_token(
        vector["resource"], vector["key"], vector["expiry"], key_name=vector.get("key_name")
    )
    assert token == vector["expected_token"]


def check_observed_token(vector):
    expiry = int(vector["token"].rpartition("se=")[2].partition("&")[0])
    token = twinguard.create_sas_token(vector["resource"], vector["key"], expiry)
    assert token == vector["token"]


def check_derived_key(vector):
    derived = twinguard.derive_key(vector["group_key"], vector["registration_id"])
    assert derived == vector["derived_key"]


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
