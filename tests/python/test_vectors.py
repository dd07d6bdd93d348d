"""Each shared vector is one test; see vectors.py."""

import pytest

import vectors


@pytest.mark.parametrize(
    ("check", "arguments"),
    [pytest.param(check, arguments, id=name) for name, check, arguments in vectors.agent_cases()],
)
def test_agent_configuration(check, arguments):
    check(*arguments)


@pytest.mark.parametrize(
    ("check", "arguments"),
    [pytest.param(check, arguments, id=name) for name, check, arguments in vectors.sas_cases()],
)
def test_tokens_and_keys(check, arguments):
    check(*arguments)
