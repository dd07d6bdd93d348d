"""Never run: type checkers read it (test_typing.py)."""

from datetime import timedelta
from typing import Any, Optional

from typing_extensions import assert_type

import twinguard
from twinguard import aio
from twinguard.testing import LocalHub
from twinguard.types import (
    Change,
    ConfigurationChanged,
    DesiredChanged,
    Event,
    PropertyResult,
    Reported,
    ReportedRefused,
    State,
    StateChanged,
    Trouble,
    Update,
)


def blocking(text: str) -> None:
    with twinguard.ModuleClient.create_from_connection_string(
        text, keep_alive=30, token_lifetime=timedelta(hours=1)
    ) as client:
        assert_type(client, twinguard.ModuleClient)
        assert_type(client.state, State)
        assert_type(client.get_twin(), dict[str, dict[str, Any]])
        assert_type(client.patch_twin_reported_properties({"a": 1}), int)
        assert_type(client.configuration.max_message_size_in_bytes, int)
        assert_type(client.configuration.snapshot_frequency, timedelta)
        assert_type(client.next_event(timeout=1), Optional[Event])
        client.on_state_changed = lambda state: print(state.name)
        for event in client.events():
            exhaustive(event)


def exhaustive(event: Event) -> None:
    if isinstance(event, StateChanged):
        assert_type(event.trouble, Optional[Trouble])
    elif isinstance(event, DesiredChanged):
        assert_type(event.changes, tuple[Change, ...])
    elif isinstance(event, ConfigurationChanged):
        assert_type(event.evaluation.refused, tuple[PropertyResult, ...])
    elif isinstance(event, (Reported, ReportedRefused)):
        assert_type(event.generation, int)
    else:
        assert_type(event, Trouble)


async def awaiting(text: str) -> None:
    async with aio.ModuleClient.create_from_connection_string(text) as client:
        assert_type(client, aio.ModuleClient)
        assert_type(await client.get_twin(), dict[str, dict[str, Any]])
        assert_type(await client.next_event(), Event)
        async for event in client.events():
            exhaustive(event)


def pure() -> None:
    assert_type(twinguard.Shadow().apply_full({}), Update)
    assert_type(twinguard.parse_duration("PT1M"), timedelta)
    assert_type(twinguard.create_sas_token("h", "a2V5", 1), str)
    assert_type(twinguard.sign("a2V5", b"data"), bytes)
    with LocalHub(modules=["d/m"]) as hub:
        assert_type(hub.connection_string("d", "m"), str)
