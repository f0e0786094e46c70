"""What a test may ask for: a folder, daemons in it, and one run for every model that the program lists."""

import pytest

import harness


def pytest_generate_tests(metafunc):
    if "model" in metafunc.fixturenames:
        metafunc.parametrize("model", harness.models())


@pytest.fixture
def place():
    """A folder of the test's own, with a short name."""
    folder = harness.make_place()
    yield folder
    harness.end_all()
    harness.remove(folder)


@pytest.fixture
def daemon(place):
    """Starts daemons, and sees to it that each ends as it should."""
    started = []

    def start(model=None, launch_only=False, folder=place, **more):
        one = harness.Daemon(folder, model, **more)
        started.append(one)
        if launch_only:
            one.launch()
            return one
        return one.start()

    yield start
    try:
        for one in started:
            one.finish()
        harness.nothing_left()
    finally:
        harness.end_all()
        for one in started:
            one.report()
