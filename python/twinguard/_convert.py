"""From the plain values of the compiled module to the types of this package."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from typing import Any, Callable

from twinguard import _native
from twinguard.types import (
    AgentConfiguration,
    AgentOptions,
    Change,
    ConfigurationChanged,
    ConfigurationWarning,
    DesiredChanged,
    Evaluation,
    Event,
    Origin,
    Priority,
    PropertyResult,
    PropertyState,
    Reported,
    ReportedRefused,
    State,
    StateChanged,
    Trouble,
)

Raw = dict[str, Any]

_ATTRIBUTES = {AgentConfiguration.key_of(f.name): f for f in fields(AgentConfiguration)}


def agent_of(options: AgentOptions | None) -> tuple[str | None, str, str]:
    """Give the options as the compiled module takes them."""
    options = options or AgentOptions()
    return options.section, options.profile.value, options.acceptance.value


def evaluation_of(raw: Raw) -> Evaluation:
    """Make an evaluation."""
    messages = {error["pointer"]: error["message"] for error in raw["errors"]}
    values = raw["effective"]
    return Evaluation(
        state=raw["state"],
        desired_version=raw["desired_version"],
        configuration=_configuration(values) if _ATTRIBUTES.keys() <= values.keys() else None,
        values=values,
        properties=tuple(
            PropertyResult(
                key=p["key"],
                pointer=p["pointer"],
                state=PropertyState(p["outcome"]),
                message=messages.get(p["pointer"]),
            )
            for p in raw["properties"]
        ),
        warnings=tuple(
            ConfigurationWarning(w["key"], w["error"], w["used"], w["message"])
            for w in raw["warnings"]
        ),
        unknown_keys=tuple(raw["unknown_keys"]),
        configuration_errors=tuple(raw["configuration_errors"]),
    )


def event_of(raw: tuple[str, Raw]) -> Event | None:
    """Make an event; ``None`` for news that only the library's own calls wait for."""
    kind, content = raw
    make = _EVENTS.get(kind)
    return None if make is None else make(content)


def _configuration(values: Raw) -> AgentConfiguration:
    def typed(key: str, value: Any) -> Any:
        default = _ATTRIBUTES[key].default
        if isinstance(default, timedelta):
            return timedelta(milliseconds=_native.parse_duration(value))
        return Priority(value) if isinstance(default, Priority) else value

    return AgentConfiguration(**{f.name: typed(key, values[key]) for key, f in _ATTRIBUTES.items()})


def _state(raw: Raw) -> Event:
    trouble = raw["trouble"]
    retry = raw["retry_in_ms"]
    return StateChanged(
        state=State(raw["state"]),
        trouble=None if trouble is None else Trouble(**trouble),
        retry_in=None if retry is None else timedelta(milliseconds=retry),
    )


def _desired(raw: Raw) -> Event:
    patch = raw["patch"]
    if raw["version"] is not None:
        patch["$version"] = raw["version"]
    return DesiredChanged(
        version=raw["version"],
        patch=patch,
        changes=tuple(Change(**change) for change in raw["changes"]),
        origin=Origin(raw["origin"]),
    )


_EVENTS: dict[str, Callable[[Raw], Event]] = {
    "state": _state,
    "desired": _desired,
    "configuration": lambda raw: ConfigurationChanged(evaluation_of(raw)),
    "reported": lambda raw: Reported(**raw),
    "reported_refused": lambda raw: ReportedRefused(**raw),
    "trouble": lambda raw: Trouble(**raw),
}
