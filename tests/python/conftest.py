"""What the tests share: the hub of this tree, modules of their own, and eyes on this process."""

import gc
import itertools
import os
import pathlib
import time

import pytest

from twinguard import ModuleClient
from twinguard.testing import LocalHub

_ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
_numbers = itertools.count(1)


def pytest_configure():
    built = _ROOT / "target" / "debug" / "twinguard-hub"
    if built.exists():
        os.environ.setdefault("TWINGUARD_HUB_BIN", str(built))


class Module:
    """One module at a hub: what an operator does to it, and clients for it."""

    name = "azureiotsecurity"

    def __init__(self, hub):
        self.hub = hub
        self.device = f"dev-{next(_numbers)}"
        self.connection_string = hub.create_module(self.device, self.name)

    def client(self, cls=ModuleClient, **options):
        options.setdefault("server_verification_cert", self.hub.ca_pem)
        options.setdefault("backoff_max", 1)
        return cls.create_from_connection_string(self.connection_string, **options)

    def patch(self, patch):
        return self.hub.patch_desired(self.device, self.name, patch)

    def replace(self, document):
        return self.hub.replace_desired(self.device, self.name, document)

    def fault(self, kind, **details):
        self.hub.inject_fault(self.device, self.name, kind, **details)

    def properties(self):
        return self.hub.get_twin(self.device, self.name)["properties"]


@pytest.fixture
def module(local_hub):
    """A module at the hub of the session."""
    return Module(local_hub)


@pytest.fixture
def own_hub(tmp_path):
    """A hub with its state on disk, which a test may kill."""
    with LocalHub(data=str(tmp_path / "hub")) as hub:
        yield hub


@pytest.fixture
def own_module(own_hub):
    """A module at a hub that a test may kill or freeze."""
    return Module(own_hub)


@pytest.fixture(autouse=True)
def no_client_is_lost():
    """Let a client that a test forgot warn within that test."""
    yield
    gc.collect()


def eventually(condition, seconds=30):
    """Wait for something outside of this process; give what it gave."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.02)


def threads():
    """Threads of this process, those of other languages too."""
    return len(os.listdir("/proc/self/task"))


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def resident_kib():
    with open("/proc/self/status", encoding="ascii") as file:
        line = next(line for line in file if line.startswith("VmRSS:"))
    return int(line.split()[1])
