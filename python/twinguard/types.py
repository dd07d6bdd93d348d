"""What the clients hand out: states, events, configurations. All of it is frozen.

Twin documents are plain ``dict``s of JSON types. A document that was handed out belongs to the
receiver; changing it changes nothing in the client.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Union

__all__ = [
    "Acceptance",
    "AgentConfiguration",
    "AgentOptions",
    "Change",
    "ConfigurationChanged",
    "ConfigurationWarning",
    "DesiredChanged",
    "Evaluation",
    "Event",
    "Origin",
    "Priority",
    "Profile",
    "PropertyResult",
    "PropertyState",
    "Reported",
    "ReportedRefused",
    "State",
    "StateChanged",
    "Trouble",
    "Update",
]


class State(enum.Enum):
    """Where a module stands. The numbers are those of the C library."""

    STARTING = 0
    """Created, not asked to connect yet; a stored configuration is already in force."""
    CONNECTING = 1
    """A connection is being opened."""
    WAITING_FOR_TWIN = 2
    """Signed in; the first twin of this connection has not arrived yet."""
    RUNNING = 3
    """Signed in and in step with the twin."""
    DISCONNECTED = 4
    """Not connected; the next attempt has a time."""
    CLOSED = 5
    """Closed by the program; nothing follows."""


class Priority(enum.Enum):
    """Where a security event goes. The values are the words of the published schema."""

    OFF = "Off"
    """The event is not collected."""
    LOW = "Low"
    """Sent after ``low_priority_message_frequency`` at the latest."""
    HIGH = "High"
    """Sent after ``high_priority_message_frequency`` at the latest."""


class Origin(enum.Enum):
    """Where a desired document came from."""

    HUB = "hub"
    """From the hub."""
    STORED = "stored"
    """From the store, before there was a connection."""


class PropertyState(enum.Enum):
    """What became of one property of the configuration."""

    DEFAULT = "default"
    """Not set: the default goes with the rest of the document."""
    APPLIED = "applied"
    """Set by the operator, and in force."""
    WITHHELD = "withheld"
    """Sound, but the document was refused as a whole: what held before still holds."""
    REFUSED = "refused"
    """Set to something that cannot be used; the reason stands beside it."""


class Update(enum.Enum):
    """What feeding a :class:`~twinguard.Shadow` did."""

    APPLIED = "applied"
    """Another configuration is in force, or it was the first document."""
    UNCHANGED = "unchanged"
    """The same configuration is in force."""
    REJECTED = "rejected"
    """Something in the document cannot be used; see the evaluation."""
    IGNORED_STALE = "ignored_stale"
    """Older than what is known; nothing was done."""
    RESYNC_REQUIRED = "resync_required"
    """A patch is missing before this one; nothing was done. Get the full document."""


class Profile(enum.Enum):
    """The layout of the desired document."""

    CURRENT = "current"
    """One section, every property wrapped as ``{"value": …}``."""
    LEGACY = "legacy"
    """One section, bare values, as in the first preview of the service."""
    MICRO_AGENT = "micro_agent"
    """The micro agent's keys with bare values in the desired document itself."""


class Acceptance(enum.Enum):
    """What a bad known property does to the sound ones beside it."""

    WHOLE = "whole"
    """It refuses the whole update; the configuration in force stays. The published rule."""
    PER_PROPERTY = "per_property"
    """Nothing: the sound ones apply, and a bad one keeps the value in force."""


@dataclass(frozen=True)
class AgentOptions:
    """How the desired section is read."""

    section: str | None = None
    """Key of the section; ``None`` for the published name of the profile."""
    profile: Profile = Profile.CURRENT
    """The layout of the desired document."""
    acceptance: Acceptance = Acceptance.WHOLE
    """What a bad property does to the sound ones beside it."""


@dataclass(frozen=True)
class AgentConfiguration:
    """The configuration in force, one attribute per property of the published schema.

    ``AgentConfiguration()`` holds the defaults.

    >>> from twinguard import AgentConfiguration
    >>> AgentConfiguration().high_priority_message_frequency
    datetime.timedelta(seconds=420)
    """

    high_priority_message_frequency: timedelta = timedelta(minutes=7)
    """Longest time before events of high priority are sent."""
    low_priority_message_frequency: timedelta = timedelta(hours=5)
    """Longest time before events of low priority are sent."""
    snapshot_frequency: timedelta = timedelta(hours=13)
    """How often the state of the device is collected."""
    max_local_cache_size_in_bytes: int = 2_560_000
    """Room for events that are not sent yet."""
    max_message_size_in_bytes: int = 204_800
    """The largest message to the hub."""
    aggregation_enabled_process_create: bool = True
    """Whether equal events of process creation become one."""
    aggregation_interval_process_create: timedelta = timedelta(hours=1)
    """How long equal events of process creation are collected."""
    aggregation_enabled_connection_create: bool = True
    """Whether equal events of connection creation become one."""
    aggregation_interval_connection_create: timedelta = timedelta(hours=1)
    """How long equal events of connection creation are collected."""
    aggregation_enabled_process_terminate: bool = True
    """Whether equal events of process termination become one."""
    aggregation_interval_process_terminate: timedelta = timedelta(hours=1)
    """How long equal events of process termination are collected."""
    baseline_custom_checks_enabled: bool = False
    """Whether the operator's own baseline checks run."""
    baseline_custom_checks_file_path: str | None = None
    """The file with the operator's own baseline checks."""
    baseline_custom_checks_file_hash: str | None = None
    """The hash of that file."""
    hub_resource_id: str | None = None
    """Azure resource id of the hub."""
    event_priority_connected_hardware: Priority = Priority.LOW
    """Priority of events about connected hardware."""
    event_priority_listening_ports: Priority = Priority.HIGH
    """Priority of events about listening ports."""
    event_priority_process_create: Priority = Priority.LOW
    """Priority of events about created processes."""
    event_priority_process_terminate: Priority = Priority.LOW
    """Priority of events about ended processes."""
    event_priority_system_information: Priority = Priority.LOW
    """Priority of events about the system."""
    event_priority_local_users: Priority = Priority.HIGH
    """Priority of events about local users."""
    event_priority_login: Priority = Priority.HIGH
    """Priority of events about logins."""
    event_priority_connection_create: Priority = Priority.LOW
    """Priority of events about network connections."""
    event_priority_firewall_configuration: Priority = Priority.LOW
    """Priority of events about the firewall."""
    event_priority_os_baseline: Priority = Priority.LOW
    """Priority of events about the baseline of the operating system."""
    event_priority_diagnostic: Priority = Priority.LOW
    """Priority of diagnostic events."""
    event_priority_configuration_error: Priority = Priority.LOW
    """Priority of events about errors in this configuration."""
    event_priority_dropped_events_statistics: Priority = Priority.LOW
    """Priority of the statistics about dropped events."""
    event_priority_message_statistics: Priority = Priority.LOW
    """Priority of the statistics about messages."""

    @staticmethod
    def key_of(attribute: str) -> str:
        """Give the key in the twin that an attribute stands for.

        >>> AgentConfiguration.key_of("event_priority_os_baseline")
        'eventPriorityOSBaseline'
        """
        head, *tail = attribute.split("_")
        return head + "".join("OS" if word == "os" else word.capitalize() for word in tail)


@dataclass(frozen=True)
class PropertyResult:
    """What became of one property."""

    key: str
    """The key in the twin."""
    pointer: str
    """JSON pointer (RFC 6901) within the desired document."""
    state: PropertyState
    """What became of it."""
    message: str | None = None
    """Why it was refused, in one line."""


@dataclass(frozen=True)
class ConfigurationWarning:
    """A contradiction between sound properties; they are in force all the same."""

    key: str
    """The key in the twin."""
    kind: str
    """``Conflict`` or ``NotOptimal``, as in the published event about configuration errors."""
    used: str
    """The value in force, as text."""
    message: str
    """What is wrong, in one line."""


@dataclass(frozen=True)
class Evaluation:
    """A configuration, and how it came about."""

    state: str
    """``success``, or ``failed`` when the operator wrote something that cannot be used."""
    desired_version: int | None
    """``$version`` of the document that was evaluated."""
    configuration: AgentConfiguration | None
    """What is in force; ``None`` with the profile of the micro agent."""
    values: Mapping[str, Any]
    """What is in force as JSON, by key in the twin, whatever the profile."""
    properties: tuple[PropertyResult, ...]
    """What became of each known property, and of the section when that is at fault."""
    warnings: tuple[ConfigurationWarning, ...]
    """Contradictions in what is in force."""
    unknown_keys: tuple[str, ...]
    """Members of the section that this version does not know; the first 64."""
    configuration_errors: tuple[Mapping[str, str], ...]
    """Payloads of the published event ``ConfigurationError``; none when all is well."""

    @property
    def refused(self) -> tuple[PropertyResult, ...]:
        """The properties that were refused."""
        return tuple(p for p in self.properties if p.state is PropertyState.REFUSED)


@dataclass(frozen=True)
class Change:
    """One member of a document that changed."""

    pointer: str
    """JSON pointer (RFC 6901) of the member."""
    old: Any
    """What it was; ``None`` when it is new."""
    new: Any
    """What it is; ``None`` when it was deleted."""
    deleted: bool = False
    """Whether it was deleted."""


@dataclass(frozen=True)
class StateChanged:
    """The state of the module changed."""

    state: State
    """The state that now holds."""
    trouble: Trouble | None = None
    """Why, when it was not the program's wish."""
    retry_in: timedelta | None = None
    """With ``DISCONNECTED``: time until the next attempt."""


@dataclass(frozen=True)
class DesiredChanged:
    """The desired section changed. What was missed while offline comes as one such event."""

    version: int | None
    """``$version`` of the new document."""
    patch: dict[str, Any]
    """JSON merge patch (RFC 7396) from the old document to the new one, with ``$version``."""
    changes: tuple[Change, ...]
    """The same, member by member, sorted by pointer."""
    origin: Origin = Origin.HUB
    """Where the new document came from."""


@dataclass(frozen=True)
class ConfigurationChanged:
    """Another configuration is in force, or another verdict about what the operator wrote."""

    evaluation: Evaluation
    """The configuration and how it came about."""


@dataclass(frozen=True)
class Reported:
    """The hub has a reported document."""

    generation: int
    """The newest generation the hub has; it covers all before it."""
    version: int | None
    """``$version`` of the reported section."""


@dataclass(frozen=True)
class ReportedRefused:
    """The hub refused a reported document for good."""

    generation: int
    """The generation that was refused."""
    status: int
    """The hub's status."""
    message: str
    """The hub's words."""


@dataclass(frozen=True)
class Trouble:
    """Something to know; the client goes on by itself."""

    status: int
    """The number of the error that this would be, as in :mod:`twinguard.exceptions`."""
    name: str
    """The name of that error."""
    message: str
    """One line for people."""
    hub_status: int | None = None
    """What the hub answered: a status or an MQTT return code."""


Event = Union[
    StateChanged, DesiredChanged, ConfigurationChanged, Reported, ReportedRefused, Trouble
]
"""What ``next_event`` and ``events`` give."""
