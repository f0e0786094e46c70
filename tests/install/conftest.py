"""Machines for the tests of the installed daemon; harness and clients are those of the system tests."""

import os
import sys
from pathlib import Path

import pytest

if "TEST_ROOT" not in os.environ:
    pytest.exit("these tests are started by tests/check-install", 2)
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "system"))
pytest.register_assert_rewrite("harness", "machine")

from machine import Machine, package, previous  # noqa: E402


def installed(the_package):
    machine = Machine().boot()
    machine.install(*machine.bring(the_package(machine), package("aphorismd-tools")))
    machine.stop()
    yield machine.upper
    machine.remove()


@pytest.fixture(scope="session")
def layer():
    """What the installation of our packages adds to a fresh system."""
    yield from installed(lambda machine: package("aphorismd"))


@pytest.fixture(scope="session")
def older_layer():
    """The same with the packages of an earlier version."""
    yield from installed(lambda machine: previous(machine.folder))


@pytest.fixture
def fresh():
    """A machine that has never heard of us, in whose network the test is."""
    yield from lent(Machine().boot())


@pytest.fixture
def machine(layer):
    """A machine with our packages, just booted."""
    yield from lent(Machine([layer]).boot())


@pytest.fixture
def older(older_layer):
    """A machine with the previous version, ready for an upgrade."""
    yield from lent(Machine([older_layer]).boot())


def lent(machine):
    try:
        with machine.network():
            yield machine
    finally:
        print(machine.run("journalctl", "--no-pager", "--output=short-monotonic").output[-10000:])
        machine.remove()
