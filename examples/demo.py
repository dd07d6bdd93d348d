"""A C program and a Python script follow their module twins while an operator changes them.

Run by `make demo`. Starts the local hub on loopback, makes two devices with a module
`azureiotsecurity` each, lets `examples/c/security_module.c` follow one and
`examples/python/security_module.py` the other, and plays the operator. Ends with status 0 only if
both programs saw every step. No Azure account, no network beyond loopback.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from twinguard.testing import LocalHub

ROOT = Path(__file__).resolve().parent.parent
MODULE = "azureiotsecurity"
SECTION = "ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration"
STATUS = "twinguard"
PATIENCE_S = 60.0
STEPS = 7

Line = dict[str, Any]


@dataclass
class Program:
    """One of the two programs: how to start it, what it has said."""

    name: str
    device: str
    command: list[str]
    lines: queue.Queue[Line] = field(default_factory=queue.Queue)
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for text in process.stdout:
            self.lines.put(json.loads(text))

    def stop(self) -> None:
        """Ask it to end; it must, by itself and cleanly."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=PATIENCE_S)
        if status != 0:
            raise SystemExit(f"{self.name} ended with status {status}")
        while not self.lines.empty():
            self.lines.get()

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def expect(self, what: str, fits: Callable[[Line], bool]) -> Line | None:
        """The next line that fits, telling people about those that do; None when none came."""
        deadline = time.monotonic() + PATIENCE_S
        while (left := deadline - time.monotonic()) > 0:
            try:
                line = self.lines.get(timeout=left)
            except queue.Empty:
                break
            if fits(line):
                for text in describe(line):
                    print(f"    {self.name:<7} {text}")
                return line
        print(f"    {self.name:<7} did NOT see: {what}")
        return None


def describe(line: Line) -> list[str]:
    """A line of a program, in words."""
    kind = line["event"]
    if kind == "state":
        return [f"state: {line['state']}"]
    if kind == "desired":
        return [change_text(change) for change in line["changes"]]
    if kind == "configuration":
        texts = [f"in force: {k}: {old} → {new}" for k, (old, new) in line["changed"].items()]
        texts += [f"refused: {local(r['pointer'])}: {r['message']}" for r in line["refused"]]
        return texts or [f"configuration: {line['state']}"]
    if kind == "reported":
        return [f"reported, acknowledged as version {line['version']}"]
    return [json.dumps(line)]


def change_text(change: Line) -> str:
    name = local(change["pointer"])
    if change.get("deleted"):
        return f"twin: {name}: {short(change.get('old'))} → deleted"
    return f"twin: {name}: {short(change.get('old'))} → {short(change['new'])}"


def local(pointer: str) -> str:
    """A JSON pointer without the long name of the section."""
    return pointer.removeprefix(f"/{SECTION}") or "the section"


def short(value: Any) -> str:
    text = "(none)" if value is None else json.dumps(value, separators=(",", ":"))
    return text if len(text) <= 60 else text[:57] + "..."


class Operator:
    """Plays the steps and keeps the score."""

    def __init__(self, hub: LocalHub, programs: list[Program]) -> None:
        self.hub = hub
        self.programs = programs
        self.score: list[tuple[str, list[bool]]] = []

    def step(self, title: str, act: Callable[[], None], seen: Callable[[Program], bool]) -> None:
        print(f"\n{len(self.score) + 1}. {title}")
        act()
        self.score.append((title, [seen(program) for program in self.programs]))

    def patch(self, properties: Line) -> None:
        print(f"    operator sets {short(properties)}")
        for program in self.programs:
            self.hub.patch_desired(program.device, MODULE, {SECTION: properties})

    def reported(self, program: Program, name: str, value: Any) -> bool:
        """Wait until the hub's own copy of the reported section says so."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            reported = self.hub.get_twin(program.device, MODULE)["properties"]["reported"]
            if reported.get(SECTION, {}).get(name, {}).get("value") == value:
                print(f"    hub     {program.device} reports {name} = {value}")
                return True
            time.sleep(0.1)
        print(f"    hub     {program.device} did NOT report {name} = {value}")
        return False

    def refusal_reported(self, program: Program, name: str) -> bool:
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            reported = self.hub.get_twin(program.device, MODULE)["properties"]["reported"]
            status = reported.get(STATUS, {})
            if status.get("state") == "failed" and name in json.dumps(status):
                fields = ", ".join(strip(status)["invalidFields"])
                print(f"    hub     {program.device} reports status failed, invalid: {fields}")
                return True
            time.sleep(0.1)
        print(f"    hub     {program.device} did NOT report the refusal of {name}")
        return False


def strip(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: strip(v) for k, v in value.items() if not k.startswith("$")}
    return value


def in_force(program: Program, name: str, new: Any) -> bool:
    line = program.expect(
        f"{name} = {new}",
        lambda e: e["event"] == "configuration" and e["changed"].get(name, [None, None])[1] == new,
    )
    return line is not None


def twin_change(program: Program, suffix: str) -> bool:
    def fits(line: Line) -> bool:
        return line["event"] == "desired" and any(
            suffix in c["pointer"] or suffix in json.dumps(c.get("new")) for c in line["changes"]
        )

    return program.expect(f"twin change of {suffix}", fits) is not None


def deletion(program: Program, suffix: str) -> bool:
    def fits(line: Line) -> bool:
        return line["event"] == "desired" and any(
            c.get("deleted") and suffix in c["pointer"] for c in line["changes"]
        )

    return program.expect(f"deletion of {suffix}", fits) is not None


def refusal(program: Program, name: str) -> bool:
    def fits(line: Line) -> bool:
        return line["event"] == "configuration" and any(r["key"] == name for r in line["refused"])

    return program.expect(f"refusal of {name}", fits) is not None


def running(program: Program) -> bool:
    return (
        program.expect("running", lambda e: e["event"] == "state" and e["state"] == "Running")
        is not None
    )


def play(operator: Operator) -> None:
    hub, programs = operator.hub, operator.programs

    def start_all() -> None:
        for program in programs:
            program.start()

    operator.step(
        "Both programs sign in and report the configuration in force",
        start_all,
        lambda p: running(p) and operator.reported(p, "highPriorityMessageFrequency", "PT7M"),
    )
    operator.step(
        "The operator sets highPriorityMessageFrequency",
        lambda: operator.patch({"highPriorityMessageFrequency": {"value": "PT1M"}}),
        lambda p: (
            twin_change(p, "highPriorityMessageFrequency")
            and in_force(p, "highPriorityMessageFrequency", "PT1M")
            and operator.reported(p, "highPriorityMessageFrequency", "PT1M")
        ),
    )
    operator.step(
        "The operator patches another property; the first keeps its value",
        lambda: operator.patch({"eventPriorityLogin": {"value": "Low"}}),
        lambda p: (
            twin_change(p, "eventPriorityLogin")
            and in_force(p, "eventPriorityLogin", "Low")
            and operator.reported(p, "highPriorityMessageFrequency", "PT1M")
        ),
    )
    operator.step(
        "The operator sends a bad value; it is refused with the reason, all else stays in force",
        lambda: operator.patch({"maxMessageSizeInBytes": {"value": "big"}}),
        lambda p: (
            refusal(p, "maxMessageSizeInBytes")
            and operator.refusal_reported(p, "maxMessageSizeInBytes")
            and operator.reported(p, "maxMessageSizeInBytes", 204800)
        ),
    )
    operator.step(
        "The operator repairs it",
        lambda: operator.patch({"maxMessageSizeInBytes": {"value": 65536}}),
        lambda p: (
            in_force(p, "maxMessageSizeInBytes", 65536)
            and operator.reported(p, "maxMessageSizeInBytes", 65536)
        ),
    )

    def delete_while_offline() -> None:
        for program in programs:
            program.stop()
        print("    both programs are stopped")
        operator.patch({"eventPriorityLogin": None})
        start_all()
        print("    both programs are started again")

    operator.step(
        "A property is deleted while the modules are offline",
        delete_while_offline,
        lambda p: (
            deletion(p, "eventPriorityLogin")
            and in_force(p, "eventPriorityLogin", "High")
            and operator.reported(p, "eventPriorityLogin", "High")
        ),
    )

    def restart_hub() -> None:
        for program in programs:
            if not running(program):
                raise SystemExit(f"{program.name} is not running")
        hub.kill()
        print("    the hub is killed (SIGKILL)")
        hub.restart()
        print("    the hub is back on the same port with the same data")
        operator.patch({"snapshotFrequency": {"value": "PT1H"}})

    operator.step(
        "The hub is killed and restarted; a change after that arrives",
        restart_hub,
        lambda p: (
            in_force(p, "snapshotFrequency", "PT1H")
            and operator.reported(p, "snapshotFrequency", "PT1H")
        ),
    )
    for program in programs:
        program.stop()


def summary(operator: Operator) -> bool:
    names = [program.name for program in operator.programs]
    titles = [f"{number}. {title}" for number, (title, _) in enumerate(operator.score, 1)]
    width = max(map(len, titles), default=0)
    print("\n" + " " * width + "".join(f"{name:>8}" for name in names))
    for title, (_, seen) in zip(titles, operator.score):
        print(f"{title:<{width}}" + "".join(f"{'yes' if ok else 'NO':>8}" for ok in seen))
    return len(operator.score) == STEPS and all(all(seen) for _, seen in operator.score)


def main() -> int:
    build = ROOT / ".build"
    os.environ.setdefault("TWINGUARD_HUB_BIN", str(ROOT / "target/debug/twinguard-hub"))
    with tempfile.TemporaryDirectory(prefix="twinguard-demo-") as scratch:
        data = Path(scratch, "hub")
        with LocalHub(data=str(data)) as hub:
            print(f"local hub on port {hub.mqtt_port}, its CA in {hub.ca_file}")
            commands = {
                "C": [str(build / "examples/security_module")],
                "Python": [sys.executable, str(ROOT / "examples/python/security_module.py")],
            }
            programs = []
            for name, command in commands.items():
                device = f"demo-{name.lower()}"
                connection_string = hub.create_module(device, MODULE)
                options = ["--connection-string", connection_string, "--ca", str(hub.ca_file)]
                options += ["--store", str(Path(scratch, device)), "--json-lines", "--until-eof"]
                programs.append(Program(name, device, command + options))
                print(f"{name:<7} follows {device}/{MODULE}: {Path(command[-1]).name}")
            operator = Operator(hub, programs)
            try:
                play(operator)
            finally:
                for program in programs:
                    program.kill()
            ok = summary(operator)
    print("\nEvery step was seen by both programs." if ok else "\nSome steps were not seen.")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
