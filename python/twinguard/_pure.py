"""What works without a hub: documents, configurations, durations, keys and tokens."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from twinguard import _native
from twinguard._convert import agent_of, evaluation_of
from twinguard.exceptions import ConfigError
from twinguard.types import AgentOptions, Evaluation, Update

__all__ = [
    "Shadow",
    "create_sas_token",
    "derive_key",
    "diff",
    "format_duration",
    "merge_patch",
    "parse_duration",
    "sign",
]

Document = dict[str, Any]


class Shadow:
    """A desired document and the configuration by it, for programs with a twin client of their own.

    Feed it what that client receives: the full desired document after each connect, and each
    notification. A refused document stays, so that a later patch can repair it.

    >>> from twinguard import Shadow
    >>> section = "ms_iotn:urn_azureiot_Security_SecurityAgentConfiguration"
    >>> shadow = Shadow()
    >>> shadow.apply_full({section: {"maxMessageSizeInBytes": {"value": 8192}}, "$version": 1})
    <Update.APPLIED: 'applied'>
    >>> shadow.evaluation.configuration.max_message_size_in_bytes
    8192
    >>> shadow.apply_patch({section: {"maxMessageSizeInBytes": {"value": "x"}}, "$version": 2})
    <Update.REJECTED: 'rejected'>
    >>> shadow.evaluation.refused[0].message
    'maxMessageSizeInBytes: expected an integer'
    """

    def __init__(self, agent: AgentOptions | None = None) -> None:
        """Start with an empty document: the defaults are in force."""
        self._native = _native.Shadow(agent_of(agent))

    def apply_full(self, document: Document) -> Update:
        """Take a full desired document, the ``desired`` member of a twin, with its ``$version``.

        :raises ConfigError: it is no desired document; nothing changed.
        """
        return Update(self._native.apply_full(document))

    def apply_patch(self, patch: Document) -> Update:
        """Take a notification, a merge patch (RFC 7396), with its ``$version``.

        :raises ConfigError: it is no patch of a desired document; nothing changed.
        """
        return Update(self._native.apply_patch(patch))

    @property
    def desired(self) -> Document:
        """The desired document as it is known, with ``$version`` when that is known."""
        return self._native.desired()

    @property
    def evaluation(self) -> Evaluation:
        """The configuration in force, and how it came about."""
        return evaluation_of(self._native.evaluation())


def merge_patch(target: Document, patch: Document) -> Document:
    """Give ``target`` with a JSON merge patch (RFC 7396) applied; both stay as they are.

    >>> from twinguard import merge_patch
    >>> merge_patch({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"d": 3}})
    {'b': {'c': 2, 'd': 3}}
    """
    return _native.merge_patch(target, patch)


def diff(old: Document, new: Document) -> Document:
    """Give the smallest merge patch that turns ``old`` into ``new``; empty when they are equal.

    >>> from twinguard import diff
    >>> diff({"a": 1, "b": 2}, {"b": 3})
    {'a': None, 'b': 3}
    """
    return _native.diff(old, new)


def create_sas_token(
    resource: str, key: str, expiry: int | datetime, *, key_name: str | None = None
) -> str:
    """Make a shared access signature token, equal byte for byte to azure-iot-device's.

    :param resource: Host, or ``host/devices/d/modules/m``; not encoded.
    :param key: The key, base64 text.
    :param expiry: When it ends: Unix seconds, or an aware ``datetime``.
    :param key_name: Name of the access policy, when ``key`` belongs to one.
    :raises ConfigError: the key is not base64, or the time has no time zone.

    >>> from twinguard import create_sas_token
    >>> create_sas_token("h.example/devices/d", "a2V5", 1893456000).split("&")[0]
    'SharedAccessSignature sr=h.example%2Fdevices%2Fd'
    """
    if isinstance(expiry, datetime):
        if expiry.tzinfo is None:
            raise ConfigError(
                "expiry: expected a datetime with a time zone",
                status=-2,
                name="INVALID_ARGUMENT",
            )
        expiry = int(expiry.timestamp())
    return _native.create_sas_token(resource, key, expiry, key_name)


def derive_key(group_key: str, registration_id: str) -> str:
    """Derive a device's key from the key of its enrolment group; both base64 text.

    >>> from twinguard import derive_key
    >>> derive_key("a2V5", "device-1")
    'oEJb2035sqmsuTIUsQRaimLKqMw2StmImYCnoOw/xQc='
    """
    return _native.derive_key(group_key, registration_id)


def sign(key: str, data: bytes) -> bytes:
    """Sign with a key: the 32 bytes of the HMAC-SHA256 (RFC 2104) of ``data``.

    For a program with a connection of its own that proves with the module's key who it is: it
    answers a gateway's challenge, or signs a token of another form than :func:`create_sas_token`
    makes.

    :param key: The key, base64 text.
    :param data: What to sign, as it is; may be empty.
    :raises ConfigError: the key is not base64.

    >>> from base64 import b64encode
    >>> from twinguard import sign
    >>> b64encode(sign("a2V5", b"device-1"))
    b'oEJb2035sqmsuTIUsQRaimLKqMw2StmImYCnoOw/xQc='
    """
    return _native.sign(key, data)


def parse_duration(text: str) -> timedelta:
    """Read an ISO 8601 duration as the agent configuration takes it: one second to 366 days.

    >>> from twinguard import parse_duration
    >>> parse_duration("P1DT12H")
    datetime.timedelta(days=1, seconds=43200)
    """
    return timedelta(milliseconds=_native.parse_duration(text))


def format_duration(duration: timedelta) -> str:
    """Write a duration as it stands in the reported section.

    >>> from datetime import timedelta
    >>> from twinguard import format_duration
    >>> format_duration(timedelta(weeks=1, minutes=90))
    'P7DT1H30M'
    """
    return _native.format_duration(duration // timedelta(microseconds=1))
