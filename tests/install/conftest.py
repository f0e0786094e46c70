"""Machines for the tests of the installed daemon; harness and clients are those of the system tests."""

import fcntl
import os
import sys
from pathlib import Path

import pytest

if "TEST_ROOT" not in os.environ:
    pytest.exit("these tests are started by tests/check-install", 2)
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
pytest.register_assert_rewrite("harness", "machine")

from machine import SCRATCH, Machine, package, previous  # noqa: E402


def installed(name, the_package):
    """What an installation adds to a fresh system: made once for all processes that run tests."""
    layer = SCRATCH / name
    with open(SCRATCH / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not layer.exists():
            machine = Machine().boot()
            machine.install(*machine.bring(the_package(machine.folder), package("aphorismd-tools")))
            machine.stop()
            machine.upper.rename(layer)
            machine.remove()
    return layer


@pytest.fixture(scope="session")
def layer():
    return installed("layer", lambda _: package("aphorismd"))


@pytest.fixture(scope="session")
def older_layer():
    return installed("older_layer", previous)


@pytest.fixture
def fresh():
    """A machine that has never heard of us, in whose network the test is."""
    yield from borrowed(Machine().boot())


@pytest.fixture
def machine(layer):
    """A machine with our packages, just booted."""
    yield from borrowed(Machine([layer]).boot())


@pytest.fixture
def older(older_layer):
    """A machine with the previous version, ready for an upgrade."""
    yield from borrowed(Machine([older_layer]).boot())


def borrowed(machine):
    try:
        with machine.network():
            yield machine
    finally:
        print(machine.run("journalctl", "--no-pager", "--output=short-monotonic").output[-10000:])
        machine.remove()
