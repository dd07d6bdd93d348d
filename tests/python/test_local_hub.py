"""The local hub as tests use it: started, asked, killed, and never left behind."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import types

import pytest

from conftest import eventually
from twinguard.testing import HubError, LocalHub, find_binary

HUB_PACKAGE = pathlib.Path(__file__).resolve().parents[2] / "python/hub/src/twinguard_hub"


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_it_tells_where_it_is_and_ends_with_its_block():
    with LocalHub(modules=["d1/m1", "d1/m2"]) as hub:
        pid = hub.pid
        assert hub.mqtt_port != hub.https_port
        assert "BEGIN CERTIFICATE" in hub.ca_pem
        assert "ModuleId=m2;" in hub.connection_string("d1", "m2")
        with pytest.raises(HubError, match="d1/other"):
            hub.connection_string("d1", "other")
        assert str(pid) in repr(hub)
        assert "Key" not in repr(hub)
    assert gone(pid)
    assert hub.pid is None


def test_an_operator_changes_a_twin(local_hub):
    local_hub.create_module("dev-op", "m")
    assert local_hub.patch_desired("dev-op", "m", {"a": 1, "b": 2})["version"] >= 2
    local_hub.patch_desired("dev-op", "m", {"a": None})
    desired = local_hub.get_twin("dev-op", "m")["properties"]["desired"]
    assert (desired["b"], "a" in desired) == (2, False)
    local_hub.replace_desired("dev-op", "m", {"c": 3})
    desired = local_hub.get_twin("dev-op", "m")["properties"]["desired"]
    assert (desired["c"], "b" in desired) == (3, False)
    assert local_hub.messages("dev-op", "m") == []
    assert not local_hub.is_connected("dev-op", "m")


def test_a_refused_request_says_what_the_hub_said(local_hub):
    with pytest.raises(HubError, match="404") as caught:
        local_hub.get_twin("nobody", "m")
    assert caught.value.http_status == 404


def test_a_killed_hub_comes_back_with_its_state_and_ports(own_hub):
    cs = own_hub.create_module("d", "m")
    own_hub.patch_desired("d", "m", {"kept": True})
    before = (own_hub.mqtt_port, own_hub.https_port, own_hub.ca_pem)
    own_hub.kill()
    assert own_hub.pid is None
    own_hub.restart()
    assert (own_hub.mqtt_port, own_hub.https_port, own_hub.ca_pem) == before
    assert own_hub.get_twin("d", "m")["properties"]["desired"]["kept"] is True
    with pytest.raises(HubError, match="409"):
        own_hub.request("PUT", "/devices/d/modules/m", {"deviceId": "d", "moduleId": "m"})
    assert "SharedAccessKey=" in cs


def test_a_frozen_hub_is_ended_too():
    with LocalHub() as hub:
        hub.freeze()
        pid = hub.pid
    assert gone(pid)


def test_a_hub_in_memory_is_not_started_again(local_hub):
    with LocalHub() as hub:
        with pytest.raises(HubError, match="data directory"):
            hub.restart()
        assert hub.pid is not None


def test_a_program_that_is_no_hub_is_named():
    with pytest.raises(HubError, match="did not start"):
        LocalHub(binary="/bin/false").start()


def test_a_hub_that_cannot_start_says_why(local_hub):
    hub = LocalHub()
    hub._facts = {"mqttPort": local_hub.mqtt_port, "httpsPort": 0}
    hub._data = "/proc/none"
    with pytest.raises(HubError, match="twinguard-hub: "):
        hub.start()


@pytest.mark.parametrize("end", ["sys.exit(0)", "os.abort()", "os.kill(os.getpid(), 9)"])
def test_no_hub_outlives_the_program_that_started_it(end):
    program = (
        "import os, sys; from twinguard.testing import LocalHub\n"
        f"hub = LocalHub(); hub.start(); print(hub.pid, flush=True); {end}"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert eventually(lambda: gone(int(result.stdout)))


def test_a_fork_of_the_test_does_not_end_the_hub(local_hub):
    child = os.fork()
    if child == 0:
        local_hub.close()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert local_hub.pid is not None
    os.kill(local_hub.pid, signal.SIGCONT)


def test_the_program_is_found_in_its_wheel_or_on_the_path(monkeypatch, tmp_path):
    program = tmp_path / "twinguard-hub"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.delenv("TWINGUARD_HUB_BIN")
    monkeypatch.setitem(sys.modules, "twinguard_hub", None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binary() == str(program)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(HubError, match="install the wheel twinguard-hub or set TWINGUARD_HUB_BIN"):
        find_binary()
    wheel = types.SimpleNamespace(find_twinguard_hub=lambda: "/there/twinguard-hub")
    monkeypatch.setitem(sys.modules, "twinguard_hub", wheel)
    assert find_binary() == "/there/twinguard-hub"


@pytest.mark.parametrize(
    "place", ["bin", "lib/python3/site-packages/bin"], ids=["prefix", "target"]
)
def test_the_wheel_finds_its_program_wherever_pip_puts_it(tmp_path, place):
    packages = tmp_path / "lib/python3/site-packages"
    shutil.copytree(HUB_PACKAGE, packages / "twinguard_hub")
    about = packages / "twinguard_hub-0.1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: twinguard-hub\nVersion: 0.1.0\n")
    (about / "RECORD").write_text("../../../bin/twinguard-hub,,\n")
    environment = dict(os.environ, PYTHONPATH=str(packages), PATH="")
    environment.pop("TWINGUARD_HUB_BIN", None)
    program = "from twinguard.testing import find_binary; print(find_binary())"
    command = [sys.executable, "-c", program]
    missing = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "the wheel twinguard-hub is damaged: twinguard-hub is none of" in missing.stderr
    binary = tmp_path / place / "twinguard-hub"
    binary.parent.mkdir()
    binary.touch()
    found = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert found.stdout.strip() == str(binary), found.stderr
