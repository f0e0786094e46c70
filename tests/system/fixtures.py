"""What a test may ask for: a folder, daemons in it, and one run for every model that the program lists."""

import os
import socket

import pytest

import harness

# to find leaks takes a process, and no strace
TRACED = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}


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
def reserved():
    """A port that the kernel gives to nobody meanwhile, at whatever address: it is bound, by who never listens, so that
    only those who name it can have it."""
    has_ipv6 = os.path.exists("/proc/net/if_inet6")
    with socket.socket(socket.AF_INET6 if has_ipv6 else socket.AF_INET) as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if has_ipv6:
            holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        holder.bind(("", 0))
        yield holder.getsockname()[1]


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


def check_uring(place, *under):
    """What --test says of the event model's engine io_uring."""
    empty, table = place / "empty.conf", place / "empty.aphorisms"
    empty.write_text("")
    table.write_text("a? b.\n")
    return harness.run(*under, harness.APHORISMD, "-t", "-c", empty, "-m", "event", "-o", "event.engine=io_uring",
                       "-o", f"aphorisms={table}", "-o", "process.user=nobody", env=harness.environment(**TRACED))


@pytest.fixture
def uring(place):
    """Skips where build or kernel has no io_uring."""
    tried = check_uring(place)
    if tried.returncode != 0:
        assert tried.returncode == 78 and "event.engine: " in tried.stderr
        pytest.skip(tried.stderr.strip())
