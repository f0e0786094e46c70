"""Fixtures of aphorism-bench's tests, over the harness of the system tests."""

import os
import signal
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, os.pardir, "system")]
pytest.register_assert_rewrite("harness", "instrument")

import harness  # noqa: E402
import instrument  # noqa: E402

for program in (instrument.BENCH, harness.APHORISMD):
    if not os.access(program, os.X_OK):
        pytest.exit(f"no program {program}: build it, or name it in TEST_APHORISM_BENCH and TEST_APHORISMD", 2)


@pytest.fixture
def place():
    """A folder of the test's own; whatever the test has started is gone afterwards."""
    folder = harness.make_place()
    try:
        yield folder
        harness.nothing_left()
    finally:
        harness.end_all()
        harness.remove(folder)


@pytest.fixture
def stub(place):
    """Starts stub servers, and ends them."""
    started = []

    def start(fault="none", *options):
        started.append(instrument.Stub(fault, *options))
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.fixture
def daemon(place):
    """Starts daemons, and sees to it that each ends as it should."""
    started = []

    def start(model):
        started.append(harness.Daemon(place, model))
        return started[-1].start()

    yield start
    for one in started:
        one.signal(signal.SIGQUIT)                      # it need not wait for the clients that we have cut off
        one.wait()
        one.finish()
        one.report()
