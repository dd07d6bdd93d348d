"""Follow a module twin: print the configuration in force and each change of the desired section."""

import os

from twinguard import ModuleClient
from twinguard.types import ConfigurationChanged, DesiredChanged

client = ModuleClient.create_from_connection_string(
    os.environ["TWINGUARD_CONNECTION_STRING"],
    # For a hub with a certificate of its own, such as the local one.
    server_verification_cert=os.environ.get("TWINGUARD_CA"),
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
