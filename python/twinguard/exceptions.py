"""What can go wrong.

Every exception of this package is a :class:`TwinguardError`. The number in ``status`` and the
word in ``name`` are those of the C library, so that logs of both can be read together.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "AuthError",
    "ClosedError",
    "ConfigError",
    "ConnectionLostError",
    "ForkedError",
    "InternalError",
    "OperationTimeout",
    "ProtocolError",
    "StoreError",
    "TwinError",
    "TwinguardError",
]


class TwinguardError(Exception):
    """Base of all errors of this package.

    The message is one line and never holds a secret.
    """

    status: int
    """The number of the error, as in the C library; negative, never reused."""
    name: str
    """The name of the error, as in the C library."""
    retryable: bool
    """Whether the same call may succeed later without a change by the caller."""
    pointer: str | None
    """JSON pointer (RFC 6901) of the member at fault, when there is one."""

    def __init__(
        self,
        message: str,
        *,
        status: int = -900,
        name: str = "INTERNAL",
        retryable: bool = False,
        pointer: str | None = None,
    ) -> None:
        """Make an error; the library does this, programs only catch it."""
        super().__init__(message)
        self.status = status
        self.name = name
        self.retryable = retryable
        self.pointer = pointer

    def __reduce__(self) -> tuple[Any, ...]:
        """Keep all members when pickled, for example by ``concurrent.futures``."""
        members = {
            "status": self.status,
            "name": self.name,
            "retryable": self.retryable,
            "pointer": self.pointer,
        }
        return _rebuild, (type(self), str(self), members)


def _rebuild(cls: type[TwinguardError], message: str, members: dict[str, Any]) -> TwinguardError:
    return cls(message, **members)


class ConfigError(TwinguardError, ValueError):
    """An argument, a connection string, a key, a certificate or an option is wrong."""


class AuthError(TwinguardError):
    """The hub refused the credential, or there is no valid one."""


class TwinError(TwinguardError):
    """A twin document is outside the limits, or the hub refused a twin request."""


class ProtocolError(TwinguardError):
    """The peer is not a hub that can be trusted or understood."""


class ConnectionLostError(TwinguardError, ConnectionError):
    """There is no connection, or it was lost."""


class OperationTimeout(TwinguardError, TimeoutError):
    """The call's time is up. What it started goes on."""


class ClosedError(TwinguardError):
    """The client is closed."""


class ForkedError(TwinguardError):
    """The client was made in the parent process; a child has to make its own."""


class StoreError(TwinguardError, OSError):
    """The stored record could not be read or written."""


class InternalError(TwinguardError):
    """A defect in this package, or a system without resources. Please report the former."""


_CLASS_OF: dict[int, type[TwinguardError]] = {
    -1: ConfigError,  # NULL_ARGUMENT
    -2: ConfigError,  # INVALID_ARGUMENT
    -3: ConfigError,  # ENCODING
    -4: ConfigError,  # JSON
    -5: ClosedError,
    -6: TwinguardError,  # WRONG_STATE
    -7: TwinguardError,  # REENTRANT
    -8: ForkedError,
    -9: OperationTimeout,
    -10: ConfigError,  # BUFFER_TOO_SMALL
    -11: TwinguardError,  # UNSUPPORTED
    -100: ConfigError,  # CONNECTION_STRING
    -101: ConfigError,  # KEY
    -102: ConfigError,  # CERTIFICATE: the root certificates that the caller gave
    -103: AuthError,  # UNAUTHORIZED
    -104: AuthError,  # TOKEN_EXPIRED
    -105: AuthError,  # SIGNER
    -200: TwinError,  # TWIN_LIMIT
    -201: TwinError,  # REPORTED_REFUSED
    -202: TwinError,  # TWIN_READ
    -203: TwinError,  # THROTTLED
    -300: ConfigError,  # AGENT_OPTIONS
    -400: ConnectionLostError,  # DNS
    -401: ConnectionLostError,  # NETWORK
    -402: ProtocolError,  # PEER_CERTIFICATE
    -403: ProtocolError,  # TLS
    -404: ProtocolError,  # PROTOCOL
    -405: ConnectionLostError,  # PEER_CLOSED
    -406: ConnectionLostError,  # NETWORK_TIMEOUT
    -500: StoreError,  # STORE_IO
    -501: StoreError,  # STORE_FOREIGN
    -502: StoreError,  # STORE_TORN
    -503: StoreError,  # STORE_READ_ONLY
    -504: StoreError,  # STORE_FULL
    -505: StoreError,  # STORE_PERMISSIONS
    -506: StoreError,  # STORE_VERSION
    -507: StoreError,  # STORE_LOCKED
    -900: InternalError,  # INTERNAL
    -901: InternalError,  # PANIC
    -902: InternalError,  # POISONED
    -903: InternalError,  # RESOURCES
}


def error_of(
    status: int, name: str, message: str, retryable: bool, pointer: str | None
) -> TwinguardError:
    """Make the exception for a status; called by the compiled module."""
    cls = _CLASS_OF.get(status, TwinguardError)
    return cls(message, status=status, name=name, retryable=retryable, pointer=pointer)
