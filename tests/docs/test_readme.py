"""The README tells the truth: its programs are those of `examples/`, and they run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from twinguard.testing import LocalHub

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
QUICKSTARTS = {
    "c": [str(ROOT / ".build/examples/quickstart")],
    "python": [sys.executable, str(ROOT / "examples/python/quickstart.py")],
    "rust": [str(ROOT / "target/debug/examples/quickstart")],
}
TWO_MINUTES = ["120 s", "0:02:00", "PT2M"]
FILES = re.findall(r"<!-- (examples/\S+) -->\n```\w+\n(.*?)```\n", README, re.DOTALL)


@pytest.fixture(scope="module")
def hub():
    os.environ.setdefault("TWINGUARD_HUB_BIN", str(ROOT / "target/debug/twinguard-hub"))
    with LocalHub() as hub:
        yield hub


def test_the_programs_in_the_readme_are_the_files():
    assert sorted(path.split("/")[1] for path, _ in FILES) == sorted(QUICKSTARTS)
    for path, text in FILES:
        assert text == (ROOT / path).read_text(encoding="utf-8"), path


@pytest.mark.parametrize("language", sorted(QUICKSTARTS))
def test_a_quickstart_runs(hub, language):
    device = f"quickstart-{language}"
    environment = os.environ | {
        "TWINGUARD_CONNECTION_STRING": hub.create_module(device, "azureiotsecurity"),
        "TWINGUARD_CA": hub.ca_file,
    }
    section = "ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration"
    change = {section: {"highPriorityMessageFrequency": {"value": "PT2M"}}}
    with subprocess.Popen(
        QUICKSTARTS[language], env=environment, stdout=subprocess.PIPE, text=True
    ) as program:
        try:
            deadline = time.monotonic() + 60
            while (
                "firmware" not in hub.get_twin(device, "azureiotsecurity")["properties"]["reported"]
            ):
                assert program.poll() is None, "the program ended by itself"
                assert time.monotonic() < deadline, "it does not report"
                time.sleep(0.05)
            hub.patch_desired(device, "azureiotsecurity", change)
            seen = ""
            while not any(f"send urgent events every {two}" in seen for two in TWO_MINUTES):
                line = program.stdout.readline()
                assert line, f"the program ended after: {seen}"
                seen += line
            assert section in seen
        finally:
            program.kill()


@pytest.mark.parametrize("language", sorted(QUICKSTARTS))
def test_a_quickstart_says_what_is_wrong(language):
    environment = os.environ | {"TWINGUARD_CONNECTION_STRING": "HostName=h;DeviceId=d;Key=1"}
    done = subprocess.run(
        QUICKSTARTS[language], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert "connection string" in done.stderr


def test_the_demo_prints_what_the_readme_shows():
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples/demo.py")],
        capture_output=True,
        text=True,
        timeout=300,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shown = re.search(r"<!-- make demo -->\n```text\n(.*?)```\n", README, re.DOTALL)
    assert shown, "the README has no output of make demo"
    assert steps(done.stdout) == steps(shown[1])


def steps(output: str) -> list[str]:
    """The lines that are the same in every run: the steps and the score."""
    return [line.rstrip() for line in output.splitlines() if re.match(r"\d\. |Every step", line)]
