"""The client as part of a process: forks, signals, threads, garbage, the end of the interpreter."""

import gc
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import weakref

import pytest

import twinguard
from conftest import Module, eventually, threads
from twinguard.exceptions import ClosedError, ForkedError, TwinguardError
from twinguard.types import DesiredChanged, State


def run(program, module=None, expected=0, **options):
    """Run a Python program with a module at hand; give what it printed."""
    environment = dict(os.environ, PYTHONWARNINGS="error")
    if module is not None:
        environment.update(
            TWINGUARD_CONNECTION_STRING=module.connection_string,
            TWINGUARD_CA=module.hub.ca_file,
        )
    result = subprocess.run(
        [sys.executable, "-c", PROLOGUE + textwrap.dedent(program)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )
    assert result.returncode == expected, result.stderr
    return result


PROLOGUE = """
import asyncio, os, signal, sys, threading, time
import twinguard
from twinguard import aio
def make(cls=twinguard.ModuleClient, **options):
    with open(os.environ["TWINGUARD_CA"]) as ca:
        return cls.create_from_connection_string(
            os.environ["TWINGUARD_CONNECTION_STRING"], server_verification_cert=ca.read(), **options
        )
"""


def in_child(function):
    """Run a function in a fork of this process; give its exit status."""
    child = os.fork()
    if child == 0:
        try:
            function()
            os._exit(0)
        except BaseException as error:
            os.write(2, f"child: {error!r}\n".encode())
            os._exit(1)
    return eventually(lambda: [s for p, s in [os.waitpid(child, os.WNOHANG)] if p])[0]


def test_a_child_gets_a_clear_error_and_the_parent_goes_on(module):
    with module.client() as client:
        client.connect()

        def child():
            for call in (
                client.connect,
                client.get_twin,
                lambda: client.next_event(timeout=0),
                lambda: client.patch_twin_reported_properties({"a": 1}),
            ):
                with pytest.raises(ForkedError, match="fork"):
                    call()
            client.shutdown()

        while client.next_event(timeout=0.2):
            pass
        assert in_child(child) == 0
        client.patch_twin_reported_properties({"parent": "goes on"})
        assert module.properties()["reported"]["parent"] == "goes on"


def test_a_child_makes_its_own_client(module):
    other = Module(module.hub)
    with module.client() as client:
        client.connect()

        def child():
            with other.client() as own:
                own.connect()
                own.patch_twin_reported_properties({"child": True})

        assert in_child(child) == 0
    assert other.properties()["reported"]["child"] is True


def test_many_threads_use_one_client(module):
    with module.client() as client:
        client.connect()
        errors = []

        def work(number):
            try:
                for turn in range(10):
                    client.patch_twin_reported_properties({f"t{number}": turn})
                    client.get_twin()
                    assert client.state is State.RUNNING
            except TwinguardError as error:
                errors.append(error)

        workers = [threading.Thread(target=work, args=[n]) for n in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert not errors
        reported = module.properties()["reported"]
        assert {reported[f"t{n}"] for n in range(8)} == {9}


def test_threads_share_the_events_and_all_end_when_it_closes(module):
    with module.client() as client:
        client.connect()
        seen = []
        workers = [threading.Thread(target=lambda: seen.extend(client.events())) for _ in range(4)]
        for worker in workers:
            worker.start()
        module.patch({"a": 1})
        eventually(lambda: client.twin["desired"].get("a") == 1)
        client.shutdown()
        for worker in workers:
            worker.join(timeout=10)
            assert not worker.is_alive()
    told = [e for e in seen if isinstance(e, DesiredChanged) and e.patch.get("a") == 1]
    assert len(told) == 1


def test_other_threads_run_while_one_waits(module):
    with module.client() as client:
        client.connect()
        waiter = threading.Thread(target=lambda: list(client.events()))
        waiter.start()
        started = time.monotonic()
        assert sum(range(100_000))
        assert time.monotonic() - started < 5
        client.shutdown()
        waiter.join()


@pytest.mark.parametrize("wait", ["client.next_event()", "client.connect()"])
def test_ctrl_c_ends_a_wait(module, wait):
    module.fault("refuseWith", code=3)
    program = f"""
    threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
    with make() as client:
        client.connect(timeout=0)
        try:
            while True:
                {wait}
        except KeyboardInterrupt:
            print("interrupted")
    """
    assert run(program, module).stdout == "interrupted\n"
    module.fault("clear")


def test_a_lost_client_warns_and_closes(module):
    before = threads()
    client = module.client()
    client.connect()
    with pytest.warns(ResourceWarning, match="unclosed <twinguard.client.ModuleClient"):
        del client
        gc.collect()
    eventually(lambda: threads() == before)


def test_a_client_in_a_cycle_with_its_callback_is_collected(module):
    class Program:
        def __init__(self):
            self.client = module.client()
            self.client.on_state_changed = self.on_state

        def on_state(self, state):
            pass

    program = Program()
    program.client.shutdown()
    gone = weakref.ref(program.client)
    del program
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize(
    "end",
    [
        "client.connect()",
        "client.connect(timeout=0)",
        "client.connect(); sys.exit(0)",
        "threading.Thread(target=list, args=[client.events()], daemon=True).start()",
        "client.connect(); keep = client.events(); next(keep)",
        "client.shutdown(); client.shutdown()",
    ],
)
def test_the_interpreter_ends_with_an_open_client(module, end):
    # Not -W error: the warning about the open client is right, and would only be printed here.
    result = run(
        f"import warnings; warnings.simplefilter('ignore')\nclient = make()\n{end}", module
    )
    assert "Traceback" not in result.stderr
    assert "Fatal" not in result.stderr


def test_the_interpreter_ends_with_an_open_asyncio_client(module):
    program = """
    import warnings; warnings.simplefilter("ignore")
    async def main():
        global client
        client = make(aio.ModuleClient)
        await client.connect()
    asyncio.run(main())
    """
    result = run(program, module)
    assert "Traceback" not in result.stderr
    assert "Fatal" not in result.stderr


def test_a_closed_connection_does_not_signal_the_process(module):
    program = """
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    with make(backoff_max=1) as client:
        client.connect()
        print("up", flush=True)
        sys.stdin.readline()
        for turn in range(20):
            client.patch_twin_reported_properties({"turn": turn})
    """
    environment = dict(
        os.environ,
        TWINGUARD_CONNECTION_STRING=module.connection_string,
        TWINGUARD_CA=module.hub.ca_file,
    )
    with subprocess.Popen(
        [sys.executable, "-c", PROLOGUE + textwrap.dedent(program)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout.readline() == b"up\n"
        module.fault("cut")
        process.communicate(b"go\n", timeout=60)
    assert process.returncode == 0


def test_signal_handlers_and_environment_stay_as_they_are(module):
    before = [signal.getsignal(s) for s in signal.valid_signals()], dict(os.environ)
    with module.client() as client:
        client.connect()
    assert ([signal.getsignal(s) for s in signal.valid_signals()], dict(os.environ)) == before


def test_records_reach_logging_on_a_thread_of_the_program(module, caplog):
    where = set()

    class Where(logging.Handler):
        def emit(self, record):
            where.add(threading.get_ident())

    handler = Where()
    logger = logging.getLogger("twinguard")
    logger.addHandler(handler)
    try:
        with caplog.at_level(logging.DEBUG, logger="twinguard"), module.client() as client:
            client.connect()
            client.get_twin()
    finally:
        logger.removeHandler(handler)
    assert where == {threading.get_ident()}
    records = [record for record in caplog.records if record.name.startswith("twinguard.")]
    assert records
    key = module.connection_string.partition("SharedAccessKey=")[2]
    for record in records:
        assert f"{module.device}/{module.name}" in record.getMessage()
        assert "\n" not in record.getMessage()
        assert key not in record.getMessage()
        assert "sig=" not in record.getMessage()
        assert abs(record.created - time.time()) < 60


def test_disabled_levels_cost_nothing(module, caplog):
    with caplog.at_level(logging.CRITICAL, logger="twinguard"), module.client() as client:
        client.connect()
        assert client._native.take_logs() == []


def test_a_handler_may_use_the_client(module):
    class Nosy(logging.Handler):
        def emit(self, record):
            states.append(client.state)

    states = []
    logger = logging.getLogger("twinguard")
    level = logger.level
    handler = Nosy()
    with module.client() as client:
        client.shutdown()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        with module.client() as client:
            client.connect()
            client.get_twin()
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert states


def test_the_repr_names_the_module_and_no_secret(module):
    with module.client() as client:
        text = repr(client)
        assert f"{module.device}/{module.name} STARTING" in text
        key = module.connection_string.partition("SharedAccessKey=")[2]
        assert key not in text
        assert key not in repr(client._native) + repr(vars(client))
    assert "CLOSED" in repr(client)


def test_a_client_that_was_never_connected_closes(module):
    client = module.client()
    client.shutdown()
    with pytest.raises(ClosedError):
        client.connect()


def test_nothing_public_says_native():
    for name in twinguard.__all__:
        thing = getattr(twinguard, name)
        assert "_native" not in (getattr(thing, "__module__", None) or "")
