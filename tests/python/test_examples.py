"""The programs of examples/python and every example in the documentation run as they stand."""

import doctest
import importlib
import json
import os
import pathlib
import pkgutil
import select
import signal
import subprocess
import sys
import time

import pytest

import twinguard
from conftest import eventually

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent.parent / "examples" / "python"
SECTION = "ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration"


class Program:
    """A running example."""

    def __init__(self, name, module, *arguments, **environment):
        self._pending = b""
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments],
            env=dict(
                os.environ,
                TWINGUARD_CONNECTION_STRING=module.connection_string,
                PYTHONUNBUFFERED="1",
                **environment,
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def line(self, seconds=30):
        deadline = time.monotonic() + seconds
        while b"\n" not in self._pending:
            left = deadline - time.monotonic()
            out = self.process.stdout
            assert left > 0, f"no line in {seconds} s"
            if not select.select([out], [], [], left)[0]:
                continue
            chunk = os.read(out.fileno(), 65536)
            assert chunk, f"ended with {self.process.wait()}"
            self._pending += chunk
        line, _, self._pending = self._pending.partition(b"\n")
        return line.decode()

    def fact(self, event, condition=lambda fact: True):
        while True:
            fact = json.loads(self.line())
            if fact["event"] == event and condition(fact):
                return fact

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def test_the_security_module_tells_an_operators_story(module, tmp_path):
    arguments = ["--ca", module.hub.ca_file, "--store", str(tmp_path / "store")]
    with Program("security_module.py", module, *arguments, "--json-lines", "--until-eof") as p:
        p.fact("state", lambda fact: fact["state"] == "Running")
        assert p.fact("reported", lambda fact: fact["generation"] == 1)["version"] >= 2
        assert module.properties()["reported"]["agent"]["program"] == "security_module.py"
        module.patch({SECTION: {"highPriorityMessageFrequency": {"value": "PT1M"}}, "x": 1})
        desired = p.fact("desired")
        assert {"pointer": "/x", "old": None, "new": 1} in desired["changes"]
        configuration = p.fact("configuration")
        assert configuration == {
            "event": "configuration",
            "state": "success",
            "changed": {"highPriorityMessageFrequency": ["PT7M", "PT1M"]},
            "refused": [],
        }
        module.patch({SECTION: {"maxMessageSizeInBytes": {"value": "big"}}, "x": None})
        desired = p.fact("desired")
        assert {"pointer": "/x", "old": 1, "deleted": True} in desired["changes"]
        (refused,) = p.fact("configuration", lambda fact: fact["state"] == "failed")["refused"]
        assert refused["key"] == "maxMessageSizeInBytes"
        assert refused["pointer"].endswith("/maxMessageSizeInBytes/value")
        p.process.stdin.close()
        assert p.fact("closed") == {"event": "closed"}
        assert p.process.wait(timeout=30) == 0


def test_the_security_module_speaks_to_people_and_ends_with_sigterm(module):
    with Program("security_module.py", module, "--ca", module.hub.ca_file) as p:
        lines = []
        while "Running" not in (lines[-1:] or [""])[0]:
            lines.append(p.line())
        p.process.send_signal(signal.SIGTERM)
        assert p.process.wait(timeout=30) == 0
    assert not any(line.startswith("{") for line in lines)


def test_the_security_module_says_what_is_wrong(module):
    result = subprocess.run(
        [sys.executable, str(EXAMPLES / "security_module.py"), "--connection-string", "nonsense"],
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    assert result.returncode == 1
    assert result.stderr.startswith("CONNECTION_STRING: ")
    assert "Traceback" not in result.stderr


def test_the_quickstart_runs_as_it_stands(module):
    text = (EXAMPLES / "quickstart.py").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 40
    with Program("quickstart.py", module, TWINGUARD_CA=module.hub.ca_file) as p:
        eventually(lambda: module.properties()["reported"].get("firmware") == "1.0.3")
        module.patch({SECTION: {"highPriorityMessageFrequency": {"value": "PT2M"}}, "a": 1})
        lines = [p.line()]
        while "0:02:00" not in lines[-1]:
            lines.append(p.line())
        assert "/a: None -> 1" in lines


def modules():
    yield twinguard
    for info in pkgutil.walk_packages(twinguard.__path__, "twinguard."):
        if not info.name.endswith("._native"):
            yield importlib.import_module(info.name)


@pytest.mark.parametrize("module", list(modules()), ids=lambda m: m.__name__)
def test_examples_in_the_documentation_are_true(module):
    assert doctest.testmod(module).failed == 0


def test_there_are_examples_in_the_documentation():
    assert sum(len(t.examples) for m in modules() for t in doctest.DocTestFinder().find(m)) > 15


@pytest.mark.parametrize("module", list(modules()), ids=lambda m: m.__name__)
def test_everything_public_is_documented_and_listed(module):
    assert module.__doc__
    names = getattr(module, "__all__", [])
    assert list(names) == sorted(names)
    for name in names:
        thing = getattr(module, name)
        if callable(thing) and getattr(thing, "__module__", "").startswith("twinguard"):
            assert thing.__doc__, name
            for member, value in vars(thing).items() if isinstance(thing, type) else ():
                if callable(value) and not member.startswith("_"):
                    assert value.__doc__, f"{name}.{member}"
