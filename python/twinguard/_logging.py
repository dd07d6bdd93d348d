"""The way from the library's log records to :mod:`logging`.

The library writes records from its own thread, which must neither wait for the interpreter nor
hold it up. So they go through a bounded queue in the compiled module and are handed to ``logging``
here, on a thread of the program: with each event, and after each call of a client.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twinguard._native import Client

logger = logging.getLogger("twinguard")
logger.addHandler(logging.NullHandler())

_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG, 5: 5}


def native_level() -> int:
    """Translate the logger's level to the library's: 1 errors to 5 every packet."""
    level = logger.getEffectiveLevel()
    return max((native for native, python in _LEVELS.items() if python >= level), default=1)


def deliver(native: Client) -> None:
    """Hand the waiting records to ``logging``."""
    for level, target, module, message, created in native.take_logs():
        child = logger.getChild(target)
        number = _LEVELS[level]
        if child.isEnabledFor(number):
            record = child.makeRecord(
                child.name, number, target, 0, "%s: %s", (module, message), None
            )
            record.created = created
            record.msecs = float(int(created % 1 * 1000))
            child.handle(record)
