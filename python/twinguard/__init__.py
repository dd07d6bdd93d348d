"""twinguard: a security module for Azure IoT Hub devices.

Signs in as a module identity, keeps the device twin in step, and evaluates the agent configuration
of the security module in it. :class:`ModuleClient` blocks, :class:`twinguard.aio.ModuleClient` is
for asyncio; :mod:`twinguard.exceptions` has the errors, :mod:`twinguard.testing` a local hub.

Log records go to the logger ``twinguard`` and its children, on a thread of the program: with each
event, and after each call of a client. Its level counts when a client is made.
"""

from twinguard import exceptions, types
from twinguard._native import Runtime, __version__
from twinguard._pure import (
    Shadow,
    create_sas_token,
    derive_key,
    diff,
    format_duration,
    merge_patch,
    parse_duration,
    sign,
)
from twinguard.client import ModuleClient
from twinguard.types import AgentConfiguration, AgentOptions

__all__ = [
    "AgentConfiguration",
    "AgentOptions",
    "ModuleClient",
    "Runtime",
    "Shadow",
    "__version__",
    "create_sas_token",
    "derive_key",
    "diff",
    "exceptions",
    "format_duration",
    "merge_patch",
    "parse_duration",
    "sign",
    "types",
]
