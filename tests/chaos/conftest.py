"""The frame of the tests that hurt: the harness of the system tests, a seed, and the sample.

    @pytest.mark.long     only `--all` runs it; the sample names it as left out
    @pytest.mark.alone    runs after the others, by itself
    @pytest.mark.models   only=(NAME, ...) or without=(NAME, ...): the models to which the test applies
    seed, rng             the run's seed, and a generator of the test's own that follows from it
    some(all, sample)     how many rounds, clients or seconds: all of them, or those of the sample
"""

import os
import random
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "system")]
pytest.register_assert_rewrite("harness", "oracle")

import harness  # noqa: E402
from fixtures import daemon, place, reserved  # noqa: E402, F401
from flood import Flood, Torrent  # noqa: E402
from shortage import Cgroup  # noqa: E402

ALL = os.environ.get("TEST_ALL") == "1"
SEED = int(os.environ.get("TEST_SEED") or random.randrange(1 << 31))
LEFT_OUT = "left out of the sample: only --all runs it"

if not os.access(harness.APHORISMD, os.X_OK):
    pytest.exit(f"no program {harness.APHORISMD}: build it, or name it in TEST_APHORISMD", 2)
os.environ["TEST_SEED"] = str(SEED)      # for the processes that share the work


def pytest_generate_tests(metafunc):
    """As in the system tests, but for those models to which the test does not apply."""
    if "model" in metafunc.fixturenames:
        chosen = metafunc.definition.get_closest_marker("models")
        only, without = (chosen.kwargs.get(key) for key in ("only", "without")) if chosen else (None, None)
        metafunc.parametrize("model", [m for m in harness.models() if m in (only or [m]) and m not in (without or [])])


def pytest_report_header():
    return f"seed: {SEED}; {'all of it' if ALL else 'a sample'}"


def pytest_collection_modifyitems(items):
    """Skipped and not deselected, so that what was left out is counted and named, and not forgotten."""
    for item in items:
        if item.get_closest_marker("long") and not ALL:
            item.add_marker(pytest.mark.skip(reason=LEFT_OUT))


def pytest_terminal_summary(terminalreporter):
    """What the sample has left out, whole or in part."""
    less = sorted({f"{name}: {value}" for reports in terminalreporter.stats.values() for report in reports
                   if getattr(report, "when", None) == "call" for name, value in report.user_properties
                   if name == "sample"})
    for line in less:
        terminalreporter.write_line(f"SAMPLED {line.removeprefix('sample: ')}")
    for report in terminalreporter.stats.get("skipped", []):
        name, reason = report.nodeid.rpartition("/")[2], report.longrepr[2].removeprefix("Skipped: ")
        terminalreporter.write_line(f"SKIPPED {name}: {reason}")


@pytest.fixture
def seed():
    return SEED


@pytest.fixture
def rng(request):
    return random.Random(f"{SEED} {request.node.nodeid}")


@pytest.fixture
def some(request, record_property):
    """Rounds, clients or seconds.  What a sample does less of, it still does of everything, and it is named."""
    def choose(everything, sample):
        if ALL or everything == sample:
            return everything
        size, part = (of if isinstance(of, (int, float)) else len(of) for of in (everything, sample))
        record_property("sample", f"{request.node.name}: {part} of {size}")
        return sample
    return choose


@pytest.fixture
def flooding():
    """Starts floods, and sees to their end.  To be asked for behind `daemon`, which looks for what is left over."""
    started = []

    def start(*given):
        started.append(Flood(*given))
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.fixture
def torrent(place):
    """Keeps the queue of a listener full.  To be asked for behind `daemon`."""
    started = []

    def start(address):
        started.append(Torrent(place, address))
        return started[-1]

    yield start
    for one in started:
        one.end()


@pytest.fixture
def cgroup():
    """Makes a control group.  To be asked for before `daemon`, since it can be removed only when that is gone."""
    made = []

    def make(controller, limit):
        made.append(Cgroup(controller, limit))
        return made[-1]

    yield make
    for one in made:
        one.remove()
