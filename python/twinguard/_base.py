"""What the blocking and the asyncio client have in common: all that never waits."""

from __future__ import annotations

import os
import warnings
from datetime import timedelta
from typing import Any, Callable, TypeVar, Union

from twinguard import _logging, _native
from twinguard._convert import agent_of, evaluation_of, event_of
from twinguard.exceptions import TwinguardError
from twinguard.types import (
    AgentConfiguration,
    AgentOptions,
    ConfigurationChanged,
    DesiredChanged,
    Evaluation,
    Event,
    State,
    StateChanged,
)

Seconds = Union[float, timedelta]
Document = dict[str, Any]
T = TypeVar("T", bound="BaseClient")


def seconds(value: Seconds) -> float:
    """Give a duration in seconds."""
    return value.total_seconds() if isinstance(value, timedelta) else float(value)


class BaseClient:
    """Creation, what is known without the network, callbacks, and the end."""

    def __init__(self, native: _native.Client) -> None:
        """Use :meth:`create_from_connection_string` instead."""
        self._native = native
        self._pid = os.getpid()
        self._closed = False
        self._on_patch: Callable[[Document], Any] | None = None
        self._on_configuration: Callable[[Evaluation], Any] | None = None
        self._on_state: Callable[[State], Any] | None = None

    @classmethod
    def create_from_connection_string(
        cls: type[T],
        connection_string: str,
        *,
        server_verification_cert: str | None = None,
        root_certificates_mode: str = "replace",
        store: str | os.PathLike[str] | None = None,
        agent: AgentOptions | None = None,
        keep_alive: Seconds | None = None,
        token_lifetime: Seconds | None = None,
        connect_timeout: Seconds | None = None,
        request_timeout: Seconds | None = None,
        backoff_max: Seconds | None = None,
        event_capacity: int | None = None,
        report_configuration: bool = True,
        report_status: bool = False,
        runtime: _native.Runtime | None = None,
    ) -> T:
        """Make a client from the connection string of a module identity.

        Nothing is sent yet; the stored configuration, if there is one, is in force at once.

        :param connection_string: ``HostName=…;DeviceId=…;ModuleId=…;SharedAccessKey=…``.
        :param server_verification_cert: Root certificates for the hub, as PEM text.
        :param root_certificates_mode: ``replace``: trust only those (as azure.iot.device does);
            ``add``: trust them beside the bundled roots of IoT Hub.
        :param store: Directory for the last good configuration, one per module; made with mode
            0700. Without it the module starts with the defaults.
        :param agent: How the desired section is read.
        :param keep_alive: MQTT keep-alive, 5 s to 1177 s.
        :param token_lifetime: Life of a SAS token, 60 s to one year.
        :param connect_timeout: Longest time for one attempt to connect, 1 s to 300 s.
        :param request_timeout: Longest wait for the answer to one twin request, 1 s to 300 s.
        :param backoff_max: Longest pause between two attempts, 1 s to 3600 s.
        :param event_capacity: Unread events that are kept before they are merged, 8 to 65,536.
        :param report_configuration: Report the configuration in force.
        :param report_status: Report the status object beside it.
        :param runtime: Share the I/O thread of other clients; by default each has its own.
        :raises ConfigError: something in it is wrong; ``pointer`` and message say what.
        :raises StoreError: the store cannot be used.
        """
        durations = {
            "keep_alive": keep_alive,
            "token_lifetime": token_lifetime,
            "connect_timeout": connect_timeout,
            "request_timeout": request_timeout,
            "backoff_max": backoff_max,
        }
        native = _native.Client(
            connection_string,
            root_certificates=server_verification_cert,
            root_mode=root_certificates_mode,
            store=None if store is None else os.fspath(store),
            agent=agent_of(agent),
            durations={k: seconds(v) for k, v in durations.items() if v is not None},
            event_capacity=event_capacity,
            report_configuration=report_configuration,
            report_status=report_status,
            runtime=runtime,
            log_level=_logging.native_level(),
        )
        client = cls(native)
        _logging.deliver(native)
        return client

    # -- what is known, without the network ----------------------------------------------------

    @property
    def state(self) -> State:
        """Where the module stands now."""
        return State(self._native.state())

    @property
    def twin(self) -> dict[str, Document]:
        """The twin as it is known now: ``{"desired": {…}, "reported": {…}}``."""
        return self._native.twin()

    @property
    def configuration(self) -> AgentConfiguration:
        """The configuration in force; there always is one."""
        configuration = self.evaluation.configuration
        if configuration is None:
            raise TwinguardError(
                "the profile of the micro agent has no AgentConfiguration; see evaluation.values",
                status=-6,
                name="WRONG_STATE",
            )
        return configuration

    @property
    def evaluation(self) -> Evaluation:
        """The configuration in force, and how it came about."""
        return evaluation_of(self._native.configuration())

    @property
    def statistics(self) -> dict[str, int]:
        """Counters since the client was made, by name; new ones may appear at any release."""
        return self._native.statistics()

    # -- callbacks -----------------------------------------------------------------------------

    @property
    def on_twin_desired_properties_patch_received(self) -> Callable[[Document], Any] | None:
        """Called with a merge patch and its ``$version`` when the desired section changed.

        Unlike azure.iot.device it is also called with what changed while the module was offline,
        and with the first document, which is a patch to the empty one.
        """
        return self._on_patch

    @on_twin_desired_properties_patch_received.setter
    def on_twin_desired_properties_patch_received(
        self, callback: Callable[[Document], Any] | None
    ) -> None:
        self._on_patch = callback
        self._callbacks_changed()

    @property
    def on_configuration_changed(self) -> Callable[[Evaluation], Any] | None:
        """Called with the :class:`~twinguard.types.Evaluation` when there is another one."""
        return self._on_configuration

    @on_configuration_changed.setter
    def on_configuration_changed(self, callback: Callable[[Evaluation], Any] | None) -> None:
        self._on_configuration = callback
        self._callbacks_changed()

    @property
    def on_state_changed(self) -> Callable[[State], Any] | None:
        """Called with the new :class:`~twinguard.types.State`."""
        return self._on_state

    @on_state_changed.setter
    def on_state_changed(self, callback: Callable[[State], Any] | None) -> None:
        self._on_state = callback
        self._callbacks_changed()

    # -- inside --------------------------------------------------------------------------------

    def _take(self) -> Event | None:
        """Take one event if there is one; :class:`ClosedError` when there will be none."""
        try:
            raw = self._native.next_event()
        finally:
            _logging.deliver(self._native)
        return None if raw is None else event_of(raw)

    def _callback(self, event: Event) -> Any:
        """Run the callback for an event, if there is one."""
        if isinstance(event, DesiredChanged) and self._on_patch is not None:
            return self._on_patch(event.patch)
        if isinstance(event, ConfigurationChanged) and self._on_configuration is not None:
            return self._on_configuration(event.evaluation)
        if isinstance(event, StateChanged) and self._on_state is not None:
            return self._on_state(event.state)
        return None

    def _callbacks_changed(self) -> None:
        """Take notice of a new callback."""

    def __repr__(self) -> str:
        """Name the module and its state; never a secret."""
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        return f"<{name} {self._native.module} {'CLOSED' if self._closed else self.state.name}>"

    def __del__(self) -> None:
        """Warn about a client that was left open."""
        if not getattr(self, "_closed", True) and self._pid == os.getpid():
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)
