"""The blocking client and the local hub: what an application lives through."""

import threading
import time

import pytest

import twinguard
from conftest import Module, descriptors, eventually, resident_kib, threads
from twinguard.exceptions import (
    AuthError,
    ClosedError,
    ConfigError,
    OperationTimeout,
    ProtocolError,
    TwinError,
    TwinguardError,
)
from twinguard.testing import LocalHub
from twinguard.types import (
    Change,
    ConfigurationChanged,
    DesiredChanged,
    Origin,
    Reported,
    State,
    StateChanged,
    Trouble,
)

SECTION = "ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration"


def take(client, kind, seconds=30, condition=lambda event: True):
    """Take events up to the next one of a kind."""
    deadline = time.monotonic() + seconds
    while True:
        event = client.next_event(timeout=max(0, deadline - time.monotonic()))
        assert event is not None, f"no {kind.__name__} within {seconds} s"
        if isinstance(event, kind) and condition(event):
            return event


def take_state(client, state, seconds=30):
    return take(client, StateChanged, seconds, lambda event: event.state is state)


def drain(client, quiet=0.3):
    """Take events until none comes for a while."""
    events = []
    while True:
        event = client.next_event(timeout=quiet)
        if event is None:
            return events
        events.append(event)


def test_it_connects_reads_and_reports(module):
    module.patch({SECTION: {"highPriorityMessageFrequency": {"value": "PT1M"}}, "color": "red"})
    with module.client() as client:
        assert client.state is State.STARTING
        client.connect()
        assert client.state is State.RUNNING
        twin = client.get_twin()
        assert twin["desired"]["color"] == "red"
        assert twin["desired"]["$version"] == client.twin["desired"]["$version"]
        assert client.configuration.high_priority_message_frequency.total_seconds() == 60
        generation = client.patch_twin_reported_properties({"firmware": "1.0"})
        assert take(client, Reported, condition=lambda e: e.generation >= generation).version
        reported = eventually(lambda: SECTION in (r := module.properties()["reported"]) and r)
        assert reported["firmware"] == "1.0"
        assert reported[SECTION]["highPriorityMessageFrequency"] == {"value": "PT1M"}
    assert client.state is State.CLOSED


def test_a_change_is_told_member_by_member_and_as_a_patch(module):
    module.patch({"a": 1, "b": {"c": 2}})
    patches = []
    with module.client() as client:
        client.on_twin_desired_properties_patch_received = patches.append
        client.connect()
        first = take(client, DesiredChanged)
        assert first.patch["a"] == 1
        module.patch({"a": None, "b": {"c": 3}, "d": [1]})
        event = take(client, DesiredChanged)
    assert event.changes == (
        Change("/a", 1, None, deleted=True),
        Change("/b/c", 2, 3),
        Change("/d", None, [1]),
    )
    assert event.patch == {"a": None, "b": {"c": 3}, "d": [1], "$version": event.version}
    assert event.origin is Origin.HUB
    assert patches == [first.patch, event.patch]


def test_a_bad_configuration_is_refused_with_its_place(module):
    seen = []
    with module.client() as client:
        client.on_configuration_changed = seen.append
        client.connect()
        drain(client)
        before = client.configuration
        module.patch({SECTION: {"maxMessageSizeInBytes": {"value": "big"}}})
        event = take(client, ConfigurationChanged)
        assert event.evaluation.state == "failed"
        (refused,) = event.evaluation.refused
        assert refused.key == "maxMessageSizeInBytes"
        assert refused.pointer == f"/{SECTION}/maxMessageSizeInBytes/value"
        assert client.configuration == before
        assert seen[-1] == event.evaluation == client.evaluation


def test_what_was_missed_offline_is_seen_exactly_once(module):
    with module.client() as client:
        module.patch({"stays": 1, "changes": 1, "goes": 1})
        client.connect()
        drain(client)
        module.fault("refuseWith", code=3)
        module.fault("cut")
        take_state(client, State.DISCONNECTED)
        module.patch({"changes": 2, "goes": None})
        module.patch({"changes": 3, "new": {"x": True}})
        module.fault("clear")
        events = []
        while client.state is not State.RUNNING:
            events.append(client.next_event(timeout=30))
        events += drain(client)
    changed = [event for event in events if isinstance(event, DesiredChanged)]
    assert [event.changes for event in changed] == [
        (
            Change("/changes", 1, 3),
            Change("/goes", 1, None, deleted=True),
            Change("/new", None, {"x": True}),
        )
    ]


def test_a_hub_that_is_killed_and_comes_back_changes_nothing(own_hub, own_module):
    with own_module.client() as client:
        own_module.patch({"a": 1})
        client.connect()
        drain(client)
        own_hub.kill()
        take_state(client, State.DISCONNECTED)
        generation = client.patch_twin_reported_properties({"while": "away"}, wait=False)
        own_hub.restart()
        take_state(client, State.RUNNING, 60)
        take(client, Reported, 60, lambda event: event.generation >= generation)
        assert own_module.properties()["reported"]["while"] == "away"
        own_module.patch({"a": 2})
        assert take(client, DesiredChanged).changes == (Change("/a", 1, 2),)


def test_a_frozen_hub_is_noticed_and_got_over(own_hub, own_module):
    with own_module.client(keep_alive=5, request_timeout=5, connect_timeout=2) as client:
        own_module.patch({"a": 1})
        client.connect()
        drain(client)
        own_hub.freeze()
        started = time.monotonic()
        event = take_state(client, State.DISCONNECTED, 60)
        assert event.trouble is not None
        assert time.monotonic() - started < 30
        own_hub.thaw()
        take_state(client, State.RUNNING, 60)
        own_module.patch({"a": 2})
        assert take(client, DesiredChanged).changes == (Change("/a", 1, 2),)


def test_closing_is_in_time_with_a_frozen_hub(own_hub, own_module):
    client = own_module.client()
    client.connect()
    own_hub.freeze()
    started = time.monotonic()
    client.shutdown(timeout=1)
    assert time.monotonic() - started < 10
    client.shutdown(timeout=1)
    with pytest.raises(ClosedError):
        client.patch_twin_reported_properties({"a": 1})


def test_what_is_reported_offline_arrives(module):
    with module.client() as client:
        generation = client.set_reported_properties({"a": 1}, wait=False)
        with pytest.raises(OperationTimeout):
            client.set_reported_properties({"a": 2, "b": 3}, timeout=0.05)
        client.connect()
        take(client, Reported, condition=lambda event: event.generation > generation)
        reported = module.properties()["reported"]
        assert (reported["a"], reported["b"]) == (2, 3)
        client.set_reported_properties({"b": 3})
        assert "a" not in module.properties()["reported"]


def test_a_document_outside_the_limits_is_refused_here(module):
    with module.client() as client:
        with pytest.raises(TwinError) as caught:
            client.patch_twin_reported_properties({"a": {"b": "x" * 5000}})
        assert caught.value.pointer == "/a/b"
        assert caught.value.name == "TWIN_LIMIT"
        with pytest.raises(TwinError):
            client.set_reported_properties({"a": 2**60})


def test_a_refused_credential_ends_the_wait_at_once(module):
    head, _, _ = module.connection_string.rpartition("=")
    wrong = module.connection_string.replace(
        module.connection_string.partition("SharedAccessKey=")[2], "d3Jvbmc="
    )
    assert wrong != head
    client = twinguard.ModuleClient.create_from_connection_string(
        wrong, server_verification_cert=module.hub.ca_pem
    )
    with client:
        with pytest.raises(AuthError) as caught:
            client.connect(timeout=30)
        assert caught.value.name == "UNAUTHORIZED"
        assert "d3Jvbmc" not in str(caught.value) + repr(client)


def test_another_ca_is_refused(module):
    with LocalHub() as other:
        client = module.client(server_verification_cert=other.ca_pem)
        with client:
            with pytest.raises(OperationTimeout):
                client.connect(timeout=3)
            trouble = take(client, StateChanged, condition=lambda e: e.trouble is not None).trouble
            assert trouble.name == "PEER_CERTIFICATE"


def test_the_last_good_configuration_is_there_before_the_network(module, tmp_path):
    module.patch({SECTION: {"maxMessageSizeInBytes": {"value": 8192}}})
    with module.client(store=tmp_path / "store") as client:
        client.connect()
        assert client.configuration.max_message_size_in_bytes == 8192
    with module.client(store=tmp_path / "store") as client:
        assert client.state is State.STARTING
        assert client.configuration.max_message_size_in_bytes == 8192


def test_two_modules_of_a_runtime_share_one_thread(local_hub):
    before = threads()
    runtime = twinguard.Runtime()
    assert runtime.thread_count == 0
    first, second = Module(local_hub), Module(local_hub)
    with first.client(runtime=runtime) as a, second.client(runtime=runtime) as b:
        a.connect()
        b.connect()
        assert runtime.thread_count == 1
        assert threads() == before + 1
        first.patch({"a": 1})
        second.patch({"b": 1})
        take(a, DesiredChanged, condition=lambda event: "a" in event.patch)
        take(b, DesiredChanged, condition=lambda event: "b" in event.patch)
    del a, b, runtime
    eventually(lambda: threads() == before)


def test_two_hundred_lives_leave_nothing_behind(module):
    def live(times):
        for _ in range(times):
            with module.client() as client:
                client.connect()

    at_rest = threads()
    live(20)
    eventually(lambda: threads() == at_rest)
    before = descriptors(), resident_kib()
    live(200)
    eventually(lambda: (threads(), descriptors()) == (at_rest, before[0]))
    assert resident_kib() - before[1] < 8 * 1024


def test_events_end_when_another_thread_closes(module):
    with module.client() as client:
        client.connect()
        closer = threading.Timer(0.2, client.shutdown)
        closer.start()
        events = list(client.events())
        closer.join()
    assert any(isinstance(event, StateChanged) for event in events)
    with pytest.raises(ClosedError):
        client.next_event(timeout=0)


def test_a_twin_cannot_be_read_before_connecting(module):
    with module.client() as client:
        with pytest.raises(TwinguardError) as caught:
            client.get_twin()
        assert caught.value.name == "WRONG_STATE"


def test_a_slow_program_loses_no_state(module):
    with module.client(event_capacity=8) as client:
        client.connect()
        for number in range(60):
            module.patch({"n": number})
        eventually(lambda: client.twin["desired"].get("n") == 59)
        document = {}
        merged = False
        for event in drain(client):
            if isinstance(event, DesiredChanged):
                document = twinguard.merge_patch(document, event.patch)
            merged = merged or isinstance(event, Trouble)
        assert merged
        assert document["n"] == 59
        assert client.statistics["events_merged"] > 0


def test_an_exception_of_a_callback_arrives_where_events_are_taken(module):
    def fail(patch):
        raise RuntimeError("mine")

    with module.client() as client:
        client.on_twin_desired_properties_patch_received = fail
        client.connect()
        module.patch({"a": 1})
        with pytest.raises(RuntimeError, match="mine"):
            take(client, DesiredChanged)
        client.on_twin_desired_properties_patch_received = None
        module.patch({"a": 2})
        take(client, DesiredChanged, condition=lambda event: event.patch.get("a") == 2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("HostName=h;DeviceId=d;ModuleId=m", "SharedAccessKey"),
        ("HostName=h;DeviceId=d;ModuleId=m;SharedAccessKey=%%%", "base64"),
        ("HostName=h;HostName=h;DeviceId=d;ModuleId=m;SharedAccessKey=a2V5", "HostName"),
    ],
)
def test_a_bad_connection_string_is_named_but_not_shown(text, words):
    with pytest.raises(ConfigError, match=words) as caught:
        twinguard.ModuleClient.create_from_connection_string(text)
    assert "%%%" not in str(caught.value)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("keep_alive", 1),
        ("keep_alive", -1.0),
        ("token_lifetime", float("nan")),
        ("event_capacity", 0),
        ("event_capacity", -1),
        ("root_certificates_mode", "both"),
        ("server_verification_cert", "no certificate"),
    ],
)
def test_an_option_out_of_range_is_refused(module, option, value):
    with pytest.raises(ConfigError):
        module.client(**{option: value})


def test_a_lost_answer_is_not_waited_for_for_ever(module):
    with module.client(request_timeout=1) as client:
        client.connect()
        drain(client)
        module.fault("dropTwinReplies", count=1)
        client.patch_twin_reported_properties({"a": 1}, timeout=30)
        assert module.properties()["reported"]["a"] == 1


def test_a_hub_that_cannot_be_understood_is_got_over(module):
    with module.client(request_timeout=2) as client:
        client.connect()
        module.fault("garbage", count=1)
        with pytest.raises((TwinError, ProtocolError)):
            client.get_twin()
        assert client.get_twin(timeout=30)["desired"]["$version"] >= 1
