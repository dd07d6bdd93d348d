"""The asyncio client: same names, same meaning, awaited.

There is no thread and no executor behind it: the library's descriptor is watched by the event
loop, and every call into the library returns at once. Cancellation and time-outs are asyncio's
own (``asyncio.wait_for``, ``asyncio.timeout``); cancelling a call takes nothing back that it
started. The loop must have ``add_reader``, as all loops on Linux and macOS do.
"""

from __future__ import annotations

import asyncio
import inspect
import weakref
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Callable, TypeVar

from twinguard import _logging, _native
from twinguard._base import BaseClient, Document, Seconds, seconds
from twinguard.exceptions import ClosedError, ForkedError
from twinguard.types import Event

__all__ = ["ModuleClient"]

T = TypeVar("T")


class ModuleClient(BaseClient):
    """A module of an Azure IoT Hub device, for asyncio programs.

    A client belongs to the loop it was first awaited on. **Callbacks are called on the loop**: by
    :meth:`next_event` and :meth:`events` when the program uses them, else as soon as there is an
    event. A callback may be a coroutine function; it then runs as a task. Exceptions of callbacks
    that nobody awaits go to the loop's exception handler.
    """

    def __init__(self, native: _native.Client) -> None:
        """Use :meth:`create_from_connection_string` instead."""
        super().__init__(native)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiters: set[asyncio.Future[None]] = set()
        self._tasks: set[asyncio.Future[Any]] = set()
        self._takers = 0
        self._watching = False

    async def connect(self) -> None:
        """Sign in and wait until the twin is known.

        From the first call on the client keeps the connection up by itself, also when this call
        is cancelled.

        :raises AuthError: the hub refused the credential.
        """
        self._native.connect()
        await self._until(self._native.poll_running)

    async def next_event(self) -> Event:
        """Wait for an event, call its callback, and give it.

        :raises ClosedError: the client is closed, and all events have been taken.
        """
        self._takers += 1
        try:
            event: Event = await self._until(self._take)
        finally:
            self._takers -= 1
        self._start(event)
        return event

    async def events(self) -> AsyncIterator[Event]:
        """Give each event as it comes, until the client is closed."""
        self._takers += 1
        try:
            while True:
                yield await self.next_event()
        except ClosedError:
            return
        finally:
            self._takers -= 1

    async def get_twin(self) -> dict[str, Document]:
        """Read the twin from the hub: ``{"desired": {…}, "reported": {…}}`` with ``$version``s.

        :raises TwinError: the hub did not give it.
        """
        number = self._native.start_read()
        return await self._until(lambda: self._native.poll_read(number))

    async def patch_twin_reported_properties(
        self, reported_properties_patch: Document, *, wait: bool = True
    ) -> int:
        """Merge a patch into the reported section; ``None`` deletes a member.

        The patch is kept and sent whenever there is a connection, also after a cancellation. With
        ``wait`` the call returns when the hub has it. Gives the generation, which
        :class:`~twinguard.types.Reported` names too.

        :raises TwinError: it breaks a limit of twins (``pointer`` says where), or the hub refused.
        """
        return await self._acknowledged(
            self._native.patch_reported(reported_properties_patch), wait
        )

    async def set_reported_properties(self, document: Document, *, wait: bool = True) -> int:
        """Make ``document`` the whole of what this program reports; the rest is deleted.

        Like :meth:`patch_twin_reported_properties` in all else. The sections that the library
        reports itself are not touched.
        """
        return await self._acknowledged(self._native.set_reported(document), wait)

    async def shutdown(self, timeout: Seconds = 5.0) -> None:
        """Close the client; returns in time whatever the network does. May be called twice."""
        self._closed = True
        try:
            await asyncio.wait_for(self._close(), seconds(timeout))
        except ForkedError:
            return  # There is nothing to close in a child: the connection is the parent's.
        except asyncio.TimeoutError:
            pass  # It is closed all the same; only the store has not finished.
        if self._watching:
            self._progress()

    async def __aenter__(self) -> ModuleClient:
        """Give the client; it is not connected by this."""
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client."""
        await self.shutdown()

    # -- inside --------------------------------------------------------------------------------

    async def _until(self, poll: Callable[[], T | None]) -> T:
        """Ask until there is an answer: now, and after each sign of life of the library."""
        loop = self._watch()
        while True:
            try:
                answer = poll()
            finally:
                _logging.deliver(self._native)
            if answer is not None:
                return answer
            waiter = loop.create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)

    async def _close(self) -> None:
        # The events end before the work does (the store is closed last), so look for the end.
        while not self._native.poll_closed():
            await asyncio.sleep(0.005)
        _logging.deliver(self._native)

    async def _acknowledged(self, generation: int, wait: bool) -> int:
        if wait:
            await self._until(lambda: self._native.poll_reported(generation) or None)
        return generation

    def _start(self, event: Event) -> None:
        """Call the callback of an event; what it awaits becomes a task."""
        result = self._callback(event)
        if inspect.isawaitable(result):
            task = asyncio.ensure_future(result)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _callbacks_changed(self) -> None:
        """Call a new callback for what is already there."""
        if self._watching and self._loop is not None:
            self._loop.call_soon_threadsafe(self._progress)

    def _has_callback(self) -> bool:
        callbacks = (self._on_patch, self._on_configuration, self._on_state)
        return any(callback is not None for callback in callbacks)

    # -- the descriptor ------------------------------------------------------------------------

    def _watch(self) -> asyncio.AbstractEventLoop:
        loop = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = loop
            self._watching = True
            # A weak reference: the loop must not keep alive a client that the program has lost.
            reference: weakref.ref[ModuleClient] = weakref.ref(self)
            loop.add_reader(self._native.event_fd(), self._readable, reference)
        elif self._loop is not loop:
            raise RuntimeError("the client belongs to another event loop")
        return loop

    def _unwatch(self) -> None:
        if self._watching and self._loop is not None:
            self._watching = False
            self._loop.remove_reader(self._native.event_fd())

    @staticmethod
    def _readable(reference: weakref.ref[ModuleClient]) -> None:
        client = reference()
        if client is not None:
            client._progress()

    def _progress(self) -> None:
        """Move the events to a queue of our own, so that the descriptor falls silent, and look."""
        more = self._native.pump()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        if not self._takers and self._has_callback():
            self._run_callbacks()
        if not more:
            self._unwatch()

    def _run_callbacks(self) -> None:
        assert self._loop is not None
        while True:
            try:
                event = self._take()
                if event is None:
                    return
                self._start(event)
            except ClosedError:
                return
            except Exception as e:
                context = {"message": "callback of a twinguard client", "exception": e}
                self._loop.call_exception_handler(context)

    def __del__(self) -> None:
        """Warn about a client that was left open, and take it off the loop."""
        super().__del__()
        loop = getattr(self, "_loop", None)
        if loop is not None and self._watching and not loop.is_closed():
            loop.call_soon_threadsafe(_forget, loop, self._native)


def _forget(loop: asyncio.AbstractEventLoop, native: _native.Client) -> None:
    """Stop watching. Holds the descriptor's owner until then, so that its number is not reused."""
    loop.remove_reader(native.event_fd())
