"""The pytest fixture ``local_hub``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from twinguard.testing import LocalHub

__all__ = ["local_hub"]


@pytest.fixture(scope="session")
def local_hub() -> Iterator[LocalHub]:
    """A running :class:`twinguard.testing.LocalHub` in memory, one for the whole test session."""
    # Imported here: pytest loads plug-ins in every run, and most runs do not need the hub.
    from twinguard.testing import LocalHub

    with LocalHub() as hub:
        yield hub
