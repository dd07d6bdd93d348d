"""Prints how long each change of `/t` took to arrive; see benches/src/followers.rs."""

import sys
import threading
import time
from pathlib import Path

from twinguard import ModuleClient
from twinguard.types import DesiredChanged, State, StateChanged


def main() -> None:
    """Follow the twin until the input ends."""
    connection_string, ca_file = sys.argv[1:]
    client = ModuleClient.create_from_connection_string(
        connection_string, server_verification_cert=Path(ca_file).read_text()
    )

    def close_at_end_of_input() -> None:
        sys.stdin.read()
        client.shutdown()

    threading.Thread(target=close_at_end_of_input, daemon=True).start()
    with client:
        client.connect(timeout=0)
        for event in client.events():
            now = time.monotonic_ns()
            if isinstance(event, DesiredChanged) and "t" in event.patch:
                print(now - int(event.patch["t"]), flush=True)
            elif isinstance(event, StateChanged) and event.state == State.RUNNING:
                print("ready", flush=True)


main()
