"""Follow a module twin: print the configuration in force and each change of the desired section."""

import os
import pathlib

from twinguard import ModuleClient
from twinguard.types import ConfigurationChanged, DesiredChanged

# Only for a hub with a certificate of its own, such as the local one: the file with its root.
ca = os.environ.get("TWINGUARD_CA")

client = ModuleClient.create_from_connection_string(
    os.environ["TWINGUARD_CONNECTION_STRING"],
    server_verification_cert=pathlib.Path(ca).read_text() if ca else None,
)
with client:
    client.connect()
    client.patch_twin_reported_properties({"firmware": "1.0.3"})
    for event in client.events():
        if isinstance(event, DesiredChanged):
            for change in event.changes:
                print(f"{change.pointer}: {change.old} -> {change.new}")
        elif isinstance(event, ConfigurationChanged):
            configuration = event.evaluation.configuration
            print("send urgent events every", configuration.high_priority_message_frequency)
