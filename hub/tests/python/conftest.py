"""Starts the hub under test, each on a loopback address of its own.

The official device client always connects to port 8883, so hubs that run side by side need
different addresses, not different ports.
"""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import random
import signal
import subprocess
import time
import urllib.parse

import pytest
import requests

ROOT = pathlib.Path(__file__).parents[3]
BINARY = os.environ.get("TWINGUARD_HUB_BIN", str(ROOT / "target" / "debug" / "twinguard-hub"))


class LocalHub:
    """A hub in a child process."""

    def __init__(self, *arguments, address=None):
        self.address = address or "127.{}.{}.{}".format(*random.choices(range(1, 255), k=3))
        self.process = subprocess.Popen(
            [BINARY, "--json", "--stdin-guard", "--bind", self.address]
            + ["--host-name", self.address, "--https-port", "0", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self.process.stdout.readline()
        assert line, f"hub did not start: exit status {self.process.wait()}"
        self.ready = json.loads(line)
        self.ca_file = self.ready["caFile"]
        self.ca_pem = pathlib.Path(self.ca_file).read_text()
        self.service = self.ready["serviceConnectionString"]
        self.modules = {
            (m["deviceId"], m["moduleId"]): m["connectionString"] for m in self.ready["modules"]
        }

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.stdin.close()
        assert self.process.wait(timeout=10) == 0

    def call(self, method, path, **arguments):
        """A REST call with a token of the policy iothubowner."""
        parts = dict(part.split("=", 1) for part in self.service.split(";"))
        resource, expiry = urllib.parse.quote(parts["HostName"], safe=""), int(time.time()) + 60
        key = base64.b64decode(parts["SharedAccessKey"])
        digest = hmac.new(key, f"{resource}\n{expiry}".encode(), hashlib.sha256).digest()
        signature = urllib.parse.quote(base64.b64encode(digest), safe="")
        token = f"SharedAccessSignature sr={resource}&sig={signature}&se={expiry}"
        response = requests.request(
            method,
            f"https://{parts['HostName']}{path}",
            headers={"Authorization": f"{token}&skn={parts['SharedAccessKeyName']}"},
            verify=self.ca_file,
            timeout=10,
            **arguments,
        )
        response.raise_for_status()
        return response.json() if response.content else None

    def desired(self, device, module, patch):
        body = {"properties": {"desired": patch}}
        return self.call("PATCH", f"/twins/{device}/modules/{module}", json=body)

    def twin(self, device, module):
        return self.call("GET", f"/twins/{device}/modules/{module}")

    def messages(self, device, module):
        return self.call("GET", f"/twinguard/messages?deviceId={device}&moduleId={module}")

    def fault(self, device, module, **fault):
        body = {"deviceId": device, "moduleId": module, "fault": fault}
        self.call("POST", "/twinguard/faults", json=body)


@pytest.fixture
def hub(monkeypatch):
    hub = LocalHub("--memory", "--module", "dev-1/azureiotsecurity")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", hub.ca_file)
    yield hub
    hub.stop()


@pytest.fixture
def start():
    """Starts hubs with arguments of the test's choice."""
    hubs = []

    def start(*arguments, **options):
        hubs.append(LocalHub(*arguments, **options))
        return hubs[-1]

    yield start
    for hub in hubs:
        if hub.process.poll() is None:
            hub.stop()


def wait_until(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what} did not happen within {seconds} s"
        time.sleep(0.02)
