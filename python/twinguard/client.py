"""The blocking client."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any, Callable, TypeVar

from twinguard import _logging
from twinguard._base import BaseClient, Document, Seconds, seconds
from twinguard.exceptions import ClosedError, ForkedError
from twinguard.types import Event

__all__ = ["ModuleClient"]

_CALL_TIMEOUT = 60.0

T = TypeVar("T")


class ModuleClient(BaseClient):
    """A module of an Azure IoT Hub device, for programs with threads or none.

    All methods may be called from any thread; a method that waits lets other threads run. Nothing
    of the program runs on the library's thread: **callbacks are called by** :meth:`next_event` and
    :meth:`events`, on the thread that calls those, and their exceptions arrive there.

    >>> from twinguard import ModuleClient
    >>> cs = "HostName=h.example;DeviceId=d;ModuleId=m;SharedAccessKey=a2V5"
    >>> with ModuleClient.create_from_connection_string(cs) as client:
    ...     client.state, client.configuration.max_message_size_in_bytes
    (<State.STARTING: 0>, 204800)
    """

    def connect(self, *, timeout: Seconds | None = _CALL_TIMEOUT) -> None:
        """Sign in and wait until the twin is known; ``timeout=0`` does not wait.

        From the first call on the client keeps the connection up by itself, also when this call
        ends with :class:`OperationTimeout`.

        :raises AuthError: the hub refused the credential.
        :raises OperationTimeout: not there yet; the message names the last trouble.
        """
        self._call(self._native.connect)
        if timeout is None or seconds(timeout) > 0:
            self._call(self._native.wait_running, _limit(timeout))

    def next_event(self, timeout: Seconds | None = None) -> Event | None:
        """Wait for an event, call its callback, and give it; ``None`` when the time is up.

        :raises ClosedError: the client is closed, and all events have been taken.
        """
        deadline = None if timeout is None else time.monotonic() + seconds(timeout)
        while True:
            event = self._take()
            if event is not None:
                self._callback(event)
                return event
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return None
            self._wait(left)

    def events(self) -> Iterator[Event]:
        """Give each event as it comes, until the client is closed."""
        while True:
            try:
                event = self.next_event()
            except ClosedError:
                return
            if event is not None:
                yield event

    def get_twin(self, *, timeout: Seconds | None = _CALL_TIMEOUT) -> dict[str, Document]:
        """Read the twin from the hub: ``{"desired": {…}, "reported": {…}}`` with ``$version``s.

        :raises TwinError: the hub did not give it.
        :raises OperationTimeout: no answer in time.
        """
        number = self._call(self._native.start_read)
        return self._call(self._native.wait_read, number, _limit(timeout))

    def patch_twin_reported_properties(
        self,
        reported_properties_patch: Document,
        *,
        wait: bool = True,
        timeout: Seconds | None = _CALL_TIMEOUT,
    ) -> int:
        """Merge a patch into the reported section; ``None`` deletes a member.

        The patch is kept and sent whenever there is a connection, also after
        :class:`OperationTimeout`. With ``wait`` the call returns when the hub has it. Gives the
        generation, which :class:`~twinguard.types.Reported` names too.

        :raises TwinError: it breaks a limit of twins (``pointer`` says where), or the hub refused.
        :raises OperationTimeout: not acknowledged in time.
        """
        generation = self._call(self._native.patch_reported, reported_properties_patch)
        return self._acknowledged(generation, wait, timeout)

    def set_reported_properties(
        self,
        document: Document,
        *,
        wait: bool = True,
        timeout: Seconds | None = _CALL_TIMEOUT,
    ) -> int:
        """Make ``document`` the whole of what this program reports; the rest is deleted.

        Like :meth:`patch_twin_reported_properties` in all else. The sections that the library
        reports itself are not touched.
        """
        generation = self._call(self._native.set_reported, document)
        return self._acknowledged(generation, wait, timeout)

    def shutdown(self, timeout: Seconds = 5.0) -> None:
        """Close the client; returns in time whatever the network does. May be called twice."""
        self._closed = True
        try:
            self._call(self._native.close, seconds(timeout))
        except ForkedError:
            pass  # There is nothing to close in a child: the connection is the parent's.

    def __enter__(self) -> ModuleClient:
        """Give the client; it is not connected by this."""
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the client."""
        self.shutdown()

    # -- inside --------------------------------------------------------------------------------

    def _call(self, method: Callable[..., T], *arguments: Any) -> T:
        try:
            return method(*arguments)
        finally:
            _logging.deliver(self._native)

    def _acknowledged(self, generation: int, wait: bool, timeout: Seconds | None) -> int:
        if wait:
            self._call(self._native.wait_reported, generation, _limit(timeout))
        return generation

    def _wait(self, limit: float | None) -> None:
        """Wait until an event may be there; in Python, so that Ctrl-C ends it."""
        poller = select.poll()
        poller.register(self._native.event_fd(), select.POLLIN)
        poller.poll(None if limit is None else limit * 1000)


def _limit(timeout: Seconds | None) -> float | None:
    return None if timeout is None else seconds(timeout)
