"""A security module: follows its configuration in the twin and says what changed.

    TWINGUARD_CONNECTION_STRING='HostName=…;DeviceId=…;ModuleId=azureiotsecurity;…' \\
        python security_module.py [--ca FILE] [--store DIR] [--json-lines]

Ends with SIGTERM, Ctrl-C, or with --until-eof at the end of its input.
"""

import argparse
import json
import os
import signal
import sys
import threading

import twinguard
from twinguard import ModuleClient
from twinguard.exceptions import TwinguardError
from twinguard.types import (
    ConfigurationChanged,
    DesiredChanged,
    Reported,
    ReportedRefused,
    StateChanged,
    Trouble,
)


def arguments():
    parser = argparse.ArgumentParser(description="Follow the configuration of a security module.")
    parser.add_argument(
        "--connection-string",
        default=os.environ.get("TWINGUARD_CONNECTION_STRING"),
        help="of the module identity; default: the environment's TWINGUARD_CONNECTION_STRING",
    )
    parser.add_argument("--ca", metavar="FILE", help="root certificates (PEM) for the hub")
    parser.add_argument("--store", metavar="DIR", help="keeps the last good configuration")
    parser.add_argument("--json-lines", action="store_true", help="print for programs")
    parser.add_argument("--until-eof", action="store_true", help="end when standard input ends")
    options = parser.parse_args()
    if not options.connection_string:
        parser.error("no connection string: give --connection-string or set the environment")
    return options


def described(event, before):
    """Make a plain dict of an event; None for one that is not shown."""
    if isinstance(event, StateChanged):
        name = "".join(word.capitalize() for word in event.state.name.split("_"))
        return {"event": "state", "state": name}
    if isinstance(event, DesiredChanged):
        changes = [described_change(change) for change in event.changes]
        return {"event": "desired", "version": event.version, "changes": changes}
    if isinstance(event, ConfigurationChanged):
        now = event.evaluation
        changed = {
            key: [before.get(key), value]
            for key, value in now.values.items()
            if before.get(key) != value
        }
        refused = [{"key": p.key, "pointer": p.pointer, "message": p.message} for p in now.refused]
        return {
            "event": "configuration",
            "state": now.state,
            "changed": changed,
            "refused": refused,
        }
    if isinstance(event, Reported):
        return {"event": "reported", "version": event.version, "generation": event.generation}
    if isinstance(event, ReportedRefused):
        return {"event": "trouble", "kind": "REPORTED_REFUSED", "message": event.message}
    if isinstance(event, Trouble):
        return {"event": "trouble", "kind": event.name, "message": event.message}
    return None


def described_change(change):
    if change.deleted:
        return {"pointer": change.pointer, "old": change.old, "deleted": True}
    return {"pointer": change.pointer, "old": change.old, "new": change.new}


def friendly(fact):
    kind = fact["event"]
    if kind == "state":
        return f"state          {fact['state']}"
    if kind == "desired":
        lines = [f"desired        version {fact['version']}"]
        for c in fact["changes"]:
            new = "deleted" if c.get("deleted") else json.dumps(c["new"])
            lines.append(f"                 {c['pointer']}: {json.dumps(c['old'])} -> {new}")
        return "\n".join(lines)
    if kind == "configuration":
        lines = [f"configuration  {fact['state']}"]
        for key, (old, new) in fact["changed"].items():
            lines.append(f"                 {key}: {old} -> {new}")
        for r in fact["refused"]:
            lines.append(f"                 refused at {r['pointer']}: {r['message']}")
        return "\n".join(lines)
    if kind == "reported":
        return f"reported       version {fact['version']}"
    if kind == "trouble":
        return f"trouble        {fact['message']}"
    return kind


def close_at_end_of_input(client):
    while os.read(sys.stdin.fileno(), 4096):
        pass
    client.shutdown()


def main():
    options = arguments()
    show = json.dumps if options.json_lines else friendly
    ca = None
    if options.ca:
        with open(options.ca, encoding="ascii") as file:
            ca = file.read()
    try:
        client = ModuleClient.create_from_connection_string(
            options.connection_string,
            server_verification_cert=ca,
            root_certificates_mode="add",
            store=options.store,
            report_status=True,
        )
        # A signal handler runs between two events; closing from another thread ends the loop below.
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=client.shutdown).start())
        if options.until_eof:
            threading.Thread(target=close_at_end_of_input, args=[client], daemon=True).start()
        with client:
            before = client.evaluation.values
            # Beside the configuration in force, which the library reports by itself.
            agent = {"program": "security_module.py", "version": twinguard.__version__}
            client.set_reported_properties({"agent": agent}, wait=False)
            client.connect(timeout=0)
            for event in client.events():
                fact = described(event, before)
                if fact is not None:
                    print(show(fact), flush=True)
                if isinstance(event, ConfigurationChanged):
                    before = event.evaluation.values
    except TwinguardError as error:
        sys.exit(f"{error.name}: {error}")
    except KeyboardInterrupt:
        pass
    print(show({"event": "closed"}), flush=True)


if __name__ == "__main__":
    main()
