"""The asyncio client and the local hub."""

import asyncio
import functools
import gc
import threading
import time

import pytest

from conftest import Module, descriptors, eventually, threads
from twinguard import aio
from twinguard.exceptions import AuthError, ClosedError, TwinError
from twinguard.types import Change, DesiredChanged, Reported, State, StateChanged


def in_loop(test):
    """Run a coroutine function as a test; nothing may be left in its loop."""

    @functools.wraps(test)
    def run(*args, **kwargs):
        async def main():
            problems = []
            asyncio.get_running_loop().set_exception_handler(
                lambda loop, context: problems.append(context)
            )
            await asyncio.wait_for(test(*args, **kwargs), 90)
            assert not problems

        asyncio.run(main())

    return run


async def take(client, kind, condition=lambda event: True):
    async def search():
        while True:
            event = await client.next_event()
            if isinstance(event, kind) and condition(event):
                return event

    return await asyncio.wait_for(search(), 30)


async def drain(client):
    events = []
    while True:
        try:
            events.append(await asyncio.wait_for(client.next_event(), 0.3))
        except asyncio.TimeoutError:
            return events


async def outside(function, *args, **kwargs):
    """What the operator does is blocking; the loop goes on meanwhile."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(None, functools.partial(function, *args, **kwargs))


@in_loop
async def test_it_connects_reads_and_reports(module):
    module.patch({"color": "red"})
    async with module.client(aio.ModuleClient) as client:
        await client.connect()
        assert client.state is State.RUNNING
        assert (await client.get_twin())["desired"]["color"] == "red"
        generation = await client.patch_twin_reported_properties({"firmware": "1.0"})
        assert module.properties()["reported"]["firmware"] == "1.0"
        await take(client, Reported, lambda event: event.generation >= generation)
        await client.set_reported_properties({"b": 1})
        assert "firmware" not in module.properties()["reported"]
    assert client.state is State.CLOSED


@in_loop
async def test_events_come_as_they_happen_and_end_with_the_client(module):
    seen = []

    async def follow():
        async for event in client.events():
            seen.append(event)

    async with module.client(aio.ModuleClient) as client:
        task = asyncio.ensure_future(follow())
        await client.connect()
        await outside(module.patch, {"a": 1})
        while not any(isinstance(e, DesiredChanged) and "a" in e.patch for e in seen):
            await asyncio.sleep(0.01)
    await asyncio.wait_for(task, 10)
    assert seen[-1] == StateChanged(State.CLOSED) or isinstance(seen[-1], StateChanged)
    with pytest.raises(ClosedError):
        await client.next_event()


@in_loop
async def test_callbacks_run_on_the_loop_without_anyone_taking_events(module):
    got = asyncio.Event()
    patches, where = [], set()

    def plain(patch):
        patches.append(patch)
        where.add(threading.get_ident())

    async def coroutine(state):
        if state is State.RUNNING:
            got.set()

    async with module.client(aio.ModuleClient) as client:
        client.on_twin_desired_properties_patch_received = plain
        client.on_state_changed = coroutine
        await client.connect()
        await asyncio.wait_for(got.wait(), 10)
        await outside(module.patch, {"a": 1})
        while not any(patch.get("a") == 1 for patch in patches):
            await asyncio.sleep(0.01)
    assert where == {threading.get_ident()}


@in_loop
async def test_a_callback_set_late_is_called_for_what_was_not_taken(module):
    module.patch({"a": 1})
    patches = []
    async with module.client(aio.ModuleClient) as client:
        await client.connect()
        client.on_twin_desired_properties_patch_received = patches.append
        while not patches:
            await asyncio.sleep(0.01)
    assert patches[0]["a"] == 1


def test_an_exception_of_a_callback_goes_to_the_loops_handler(module):
    problems = []

    def fail(state):
        raise RuntimeError("mine")

    async def main():
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: problems.append(context["exception"]))
        async with module.client(aio.ModuleClient) as client:
            client.on_state_changed = fail
            await client.connect()

    asyncio.run(main())
    assert {str(problem) for problem in problems} == {"mine"}


@in_loop
async def test_nobody_takes_events_and_calls_still_work(module):
    async with module.client(aio.ModuleClient, event_capacity=8) as client:
        await client.connect()
        for number in range(40):
            await client.patch_twin_reported_properties({"n": number})
        assert module.properties()["reported"]["n"] == 39
        assert (await client.get_twin())["reported"]["n"] == 39


@in_loop
async def test_there_is_no_thread_beside_the_librarys_own(module):
    before = threads()
    async with module.client(aio.ModuleClient) as client:
        await client.connect()
        assert threads() == before + 1
    for _ in range(1000):
        if threads() == before:
            break
        await asyncio.sleep(0.01)
    assert threads() == before


@in_loop
async def test_a_call_can_be_cancelled_and_made_again(own_hub, own_module):
    async with own_module.client(aio.ModuleClient, connect_timeout=2) as client:
        await client.connect()
        own_hub.freeze()
        for call in (
            client.get_twin(),
            client.patch_twin_reported_properties({"a": 1}),
        ):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(call, 0.2)
        own_hub.thaw()
        await asyncio.wait_for(client.patch_twin_reported_properties({"b": 2}), 60)
        reported = own_module.properties()["reported"]
        assert (reported["a"], reported["b"]) == (1, 2)


@in_loop
async def test_connecting_can_be_cancelled(module):
    async with module.client(aio.ModuleClient) as client:
        task = asyncio.ensure_future(client.connect())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await client.connect()


@in_loop
async def test_closing_is_in_time_with_a_frozen_hub(own_hub, own_module):
    client = own_module.client(aio.ModuleClient)
    await client.connect()
    own_hub.freeze()
    waiting = asyncio.ensure_future(client.get_twin())
    await asyncio.sleep(0)
    started = time.monotonic()
    await client.shutdown(timeout=1)
    assert time.monotonic() - started < 10
    with pytest.raises(ClosedError):
        await waiting
    await client.shutdown()


@in_loop
async def test_the_loop_is_never_held_up(own_hub, own_module):
    longest = 0.0

    async def watch():
        nonlocal longest
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - before)

    async with own_module.client(aio.ModuleClient, connect_timeout=2) as client:
        watcher = asyncio.ensure_future(watch())
        await client.connect()
        own_hub.freeze()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(client.get_twin(), 1)
        own_hub.thaw()
        watcher.cancel()
    # A blocking call in there would take the whole second.
    assert longest < 0.7


@in_loop
async def test_what_was_missed_offline_is_seen_exactly_once(module):
    module.patch({"changes": 1, "goes": 1})
    async with module.client(aio.ModuleClient) as client:
        await client.connect()
        await drain(client)
        module.fault("refuseWith", code=3)
        module.fault("cut")
        await take(client, StateChanged, lambda event: event.state is State.DISCONNECTED)
        module.patch({"changes": 2, "goes": None})
        module.fault("clear")
        events = []
        while client.state is not State.RUNNING:
            events.append(await client.next_event())
        events += await drain(client)
    assert [event.changes for event in events if isinstance(event, DesiredChanged)] == [
        (Change("/changes", 1, 2), Change("/goes", 1, None, deleted=True))
    ]


@in_loop
async def test_a_killed_hub_comes_back_and_gets_what_was_reported(own_hub, own_module):
    async with own_module.client(aio.ModuleClient) as client:
        await client.connect()
        own_hub.kill()
        await take(client, StateChanged, lambda event: event.state is State.DISCONNECTED)
        report = asyncio.ensure_future(client.patch_twin_reported_properties({"while": "away"}))
        await outside(own_hub.restart)
        await asyncio.wait_for(report, 60)
        assert own_module.properties()["reported"]["while"] == "away"


@in_loop
async def test_a_refused_credential_and_a_bad_document_are_errors(module):
    key = module.connection_string.partition("SharedAccessKey=")[2]
    wrong = module.connection_string.replace(key, "d3Jvbmc=")
    async with aio.ModuleClient.create_from_connection_string(
        wrong, server_verification_cert=module.hub.ca_pem
    ) as client:
        with pytest.raises(AuthError):
            await client.connect()
        with pytest.raises(TwinError):
            await client.patch_twin_reported_properties({"a": 2**60})


@in_loop
async def test_two_clients_of_one_loop(local_hub):
    first, second = Module(local_hub), Module(local_hub)
    async with first.client(aio.ModuleClient) as a, second.client(aio.ModuleClient) as b:
        await asyncio.gather(a.connect(), b.connect())
        await asyncio.gather(
            a.patch_twin_reported_properties({"me": "a"}),
            b.patch_twin_reported_properties({"me": "b"}),
        )
    assert first.properties()["reported"]["me"] == "a"
    assert second.properties()["reported"]["me"] == "b"


def test_lives_leave_nothing_behind(module):
    async def live(times):
        for _ in range(times):
            async with module.client(aio.ModuleClient) as client:
                await client.connect()

    asyncio.run(live(5))
    at_rest = threads(), descriptors()
    asyncio.run(live(50))
    eventually(lambda: (threads(), descriptors()) == at_rest)


def test_a_lost_client_warns_and_leaves_the_loop(module):
    async def main():
        loop = asyncio.get_running_loop()
        client = module.client(aio.ModuleClient)
        await client.connect()
        fd = client._native.event_fd()
        with pytest.warns(ResourceWarning, match="unclosed <twinguard.aio.ModuleClient"):
            del client
            gc.collect()
        await asyncio.sleep(0)
        assert loop.remove_reader(fd) is False

    asyncio.run(main())


def test_a_client_belongs_to_its_loop(module):
    async def close():
        await client.shutdown()

    client = module.client(aio.ModuleClient)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(client.connect())
    with pytest.raises(RuntimeError, match="another event loop"):
        asyncio.run(client.get_twin())
    loop.run_until_complete(close())
    loop.close()
