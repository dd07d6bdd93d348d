"""A local hub for tests and development.

:class:`LocalHub` runs the program ``twinguard-hub`` as a child process and hands out what a module
needs to connect to it. Nothing is left behind, whatever becomes of the test::

    with LocalHub(modules=["dev1/azureiotsecurity"]) as hub:
        client = ModuleClient.create_from_connection_string(
            hub.connection_string("dev1", "azureiotsecurity"),
            server_verification_cert=hub.ca_pem,
        )

Users of pytest have the fixture ``local_hub`` without further ado.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
import weakref
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Any

from twinguard import create_sas_token

__all__ = ["HubError", "LocalHub"]

_API_VERSION = "2021-04-12"
_NAME = "twinguard-hub"


class HubError(RuntimeError):
    """The local hub could not be started, has ended, or refused a request."""

    http_status: int | None
    """The HTTP status of a refused request."""

    def __init__(self, message: str, http_status: int | None = None) -> None:
        """Make an error; ``message`` is what the hub or the system said."""
        super().__init__(message)
        self.http_status = http_status


class LocalHub:
    """A hub on the loopback interface, as a child process.

    Made by the constructor, started by ``with`` or :meth:`start`, ended by leaving ``with`` or
    :meth:`close`. The program is found in this order: the argument ``binary``, the environment
    variable ``TWINGUARD_HUB_BIN``, the wheel ``twinguard-hub``, ``PATH``.
    """

    def __init__(
        self,
        *,
        modules: Sequence[str] = (),
        data: str | None = None,
        binary: str | None = None,
        start_timeout: float = 30.0,
    ) -> None:
        """Prepare a hub; nothing is started yet.

        ``modules`` are created at the first start, each as ``"device/module"``. ``data`` is a
        directory for the hub's state; without it the hub keeps everything in memory and cannot be
        restarted. ``start_timeout`` is in seconds.
        """
        self._modules = list(modules)
        self._data = data
        self._binary = binary
        self._start_timeout = start_timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._end: weakref.finalize[Any, Any] | None = None
        self._facts: dict[str, Any] = {}

    # -- life ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Start the hub and wait until it listens. A second start uses the same ports."""
        if self.pid is not None:
            raise HubError("the local hub is running already")
        if self._facts and self._data is None:
            raise HubError("a hub in memory cannot be started again; give it a data directory")
        command = [self._binary or find_binary(), "--json", "--stdin-guard"]
        command += ["--data", self._data] if self._data else ["--memory"]
        command += ["--mqtt-port", str(self._facts.get("mqttPort", 0))]
        command += ["--https-port", str(self._facts.get("httpsPort", 0))]
        for module in self._modules:
            command += ["--module", module]
        with tempfile.TemporaryFile() as complaints:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=complaints
            )
            self._process = process
            self._end = weakref.finalize(self, _end_process, process, os.getpid())
            line = _first_line(process, self._start_timeout)
            try:
                self._facts = json.loads(line)
            except ValueError:
                self.close()
                complaints.seek(0)
                words = complaints.read(2000).decode(errors="replace").strip()
                raise HubError(f"the local hub did not start: {words or line!r}") from None

    def close(self) -> None:
        """End the hub and wait for its end; may be called twice."""
        if self._end is not None:
            self._end()
        self._process = None

    def kill(self) -> None:
        """End the hub at once, as a power cut does (SIGKILL)."""
        process = self._running()
        process.kill()
        process.wait()
        self.close()

    def restart(self) -> None:
        """Kill the hub if it runs, and start it again with the same state and ports."""
        if self._data is None:
            raise HubError("a hub in memory cannot be started again; give it a data directory")
        if self.pid is not None:
            self.kill()
        self.start()

    def freeze(self) -> None:
        """Stop the hub without closing a connection (SIGSTOP): it is silent until :meth:`thaw`."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen hub go on (SIGCONT)."""
        self._running().send_signal(signal.SIGCONT)

    def __enter__(self) -> LocalHub:
        """Start the hub."""
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the hub."""
        self.close()

    # -- facts ---------------------------------------------------------------------------------

    @property
    def pid(self) -> int | None:
        """Process id of the running hub, else ``None``."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def mqtt_port(self) -> int:
        """TCP port of MQTT over TLS."""
        return int(self._fact("mqttPort"))

    @property
    def https_port(self) -> int:
        """TCP port of the REST API."""
        return int(self._fact("httpsPort"))

    @property
    def host_name(self) -> str:
        """The hub's name, as it stands in connection strings."""
        return str(self._fact("hostName"))

    @property
    def ca_file(self) -> str:
        """Path of the hub's root certificate (PEM)."""
        return str(self._fact("caFile"))

    @property
    def ca_pem(self) -> str:
        """The hub's root certificate, as ``server_verification_cert`` takes it."""
        with open(self.ca_file, encoding="ascii") as file:
            return file.read()

    @property
    def service_connection_string(self) -> str:
        """Connection string of the hub's service policy. Holds a secret."""
        return str(self._fact("serviceConnectionString"))

    def connection_string(self, device: str, module: str) -> str:
        """Connection string of a module that was named at the start. Holds a secret."""
        for entry in self._fact("modules"):
            if (entry["deviceId"], entry["moduleId"]) == (device, module):
                return str(entry["connectionString"])
        raise HubError(f"the local hub was not asked to create {device}/{module} at its start")

    # -- what an operator does -----------------------------------------------------------------

    def create_module(self, device: str, module: str) -> str:
        """Create a module identity, and its device if need be; give its connection string."""
        try:
            self.request("PUT", _path("devices", device), {"deviceId": device})
        except HubError as e:
            if e.http_status != 409:
                raise
        path = _path("devices", device, "modules", module)
        made = self.request("PUT", path, {"deviceId": device, "moduleId": module})
        key = made["authentication"]["symmetricKey"]["primaryKey"]
        return self._module_connection_string(device, module, str(key))

    def get_twin(self, device: str, module: str) -> dict[str, Any]:
        """Read a module twin as the service sees it."""
        twin: dict[str, Any] = self.request("GET", _path("twins", device, "modules", module))
        return twin

    def patch_desired(self, device: str, module: str, patch: dict[str, Any]) -> dict[str, Any]:
        """Merge ``patch`` into the desired section; ``None`` deletes. Gives the new twin."""
        return self._change("PATCH", device, module, patch)

    def replace_desired(self, device: str, module: str, document: dict[str, Any]) -> dict[str, Any]:
        """Replace the whole desired section. Gives the new twin."""
        return self._change("PUT", device, module, document)

    def is_connected(self, device: str, module: str) -> bool:
        """Tell whether the hub has a connection of a module."""
        identity = self.request("GET", _path("devices", device, "modules", module))
        return bool(identity["connectionState"] == "Connected")

    def messages(self, device: str, module: str) -> list[dict[str, Any]]:
        """Give the messages that a module has sent, oldest first."""
        query = {"deviceId": device, "moduleId": module}
        messages: list[dict[str, Any]] = self.request("GET", "/twinguard/messages", query=query)
        return messages

    def inject_fault(self, device: str, module: str, kind: str, **details: int) -> None:
        """Do something nasty to a module, as ``cut``; the hub's documentation has the list."""
        fault = {"kind": kind, **details}
        body = {"deviceId": device, "moduleId": module, "fault": fault}
        self.request("POST", "/twinguard/faults", body)

    def request(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None = None,
        query: dict[str, str] | None = None,
    ) -> Any:
        """Call the REST API as the service; gives the JSON answer, ``None`` for an empty one."""
        policy = _fields(self.service_connection_string)
        token = create_sas_token(
            policy["HostName"],
            policy["SharedAccessKey"],
            int(time.time()) + 3600,
            key_name=policy["SharedAccessKeyName"],
        )
        words = urllib.parse.urlencode({"api-version": _API_VERSION, **(query or {})})
        url = f"https://localhost:{self.https_port}{path}?{words}"
        headers = {"Authorization": token, "Content-Type": "application/json; charset=utf-8"}
        if path.startswith("/twins/") or method == "DELETE":
            headers["If-Match"] = '"*"'
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, headers=headers, method=method)
        return _send(request, ssl.create_default_context(cafile=self.ca_file))

    # -- inside --------------------------------------------------------------------------------

    def _change(
        self, method: str, device: str, module: str, desired: dict[str, Any]
    ) -> dict[str, Any]:
        path = _path("twins", device, "modules", module)
        twin: dict[str, Any] = self.request(method, path, {"properties": {"desired": desired}})
        return twin

    def _module_connection_string(self, device: str, module: str, key: str) -> str:
        host = self.host_name if self.mqtt_port == 8883 else f"{self.host_name}:{self.mqtt_port}"
        return f"HostName={host};DeviceId={device};ModuleId={module};SharedAccessKey={key}"

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            raise HubError("the local hub is not running")
        return self._process

    def _fact(self, name: str) -> Any:
        if name not in self._facts:
            raise HubError("the local hub has not been started")
        return self._facts[name]

    def __repr__(self) -> str:
        """Say where it runs, without secrets."""
        where = f"pid {self.pid}" if self.pid is not None else "not running"
        return f"<LocalHub {where}>"


def find_binary() -> str:
    """Find the program ``twinguard-hub``; :class:`HubError` says where it was looked for."""
    named = os.environ.get("TWINGUARD_HUB_BIN")
    if named:
        return named
    try:
        return str(importlib.import_module("twinguard_hub").find_twinguard_hub())
    except ImportError:
        found = shutil.which(_NAME)
    except FileNotFoundError as e:
        raise HubError(f"the wheel {_NAME} is damaged: {e}") from None
    if found is None:
        raise HubError(f"no {_NAME}: install the wheel {_NAME} or set TWINGUARD_HUB_BIN")
    return found


def _first_line(process: subprocess.Popen[bytes], seconds: float) -> bytes:
    """Read one line; what came so far when the time is up or the process ends."""
    out = _pipe(process.stdout)
    deadline = time.monotonic() + seconds
    line = b""
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([out], [], [], left)[0]:
            break
        chunk = os.read(out.fileno(), 65536)
        if not chunk:
            break
        line += chunk
    return line


def _end_process(process: subprocess.Popen[bytes], owner: int) -> None:
    """End the child for good; in a fork of its parent do nothing."""
    if os.getpid() != owner:
        return
    if process.poll() is None:
        process.send_signal(signal.SIGCONT)
        _pipe(process.stdin).close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None, "the child is started with pipes"
    return pipe


def _path(*parts: str) -> str:
    return "".join("/" + urllib.parse.quote(part, safe="") for part in parts)


def _fields(connection_string: str) -> dict[str, str]:
    pairs: list[tuple[str, str, str]] = [
        field.partition("=") for field in connection_string.split(";")
    ]
    return {key: value for key, _, value in pairs}


def _send(request: urllib.request.Request, context: ssl.SSLContext) -> Any:
    try:
        with urllib.request.urlopen(request, timeout=30, context=context) as answer:
            text = answer.read()
    except urllib.error.HTTPError as e:
        with e:
            words = e.read(500).decode(errors="replace")
        raise HubError(f"{request.get_method()} {e.url}: {e.code} {words}", e.code) from None
    return json.loads(text) if text else None
