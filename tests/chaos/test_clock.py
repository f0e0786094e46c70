"""The clock jumps by a day, forwards and backwards: no time-out comes early or late.

libfaketime lets the daemon see another time of day, which a file sets while it runs.  Monotonic time it leaves alone,
as the kernel does when somebody steps the clock.  To step the clock of the machine itself has to be asked for, with
TEST_STEP_CLOCK=1 in the environment: everything else that runs there would jump, too.
"""

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from deaths import children
from harness import ROOT, SLACK, strike, until
from oracle import TOO_SLOW
from shortage import served
from tracing import tool

TIMEOUT_S = 3
DAY_S = 24 * 60 * 60


def library():
    """libfaketime, where faketime(1) knows it to be."""
    found = subprocess.run([tool("faketime"), "-f", "+0d", "env"], capture_output=True, text=True, check=True).stdout
    return next(line.partition("=")[2] for line in found.splitlines() if line.startswith("LD_PRELOAD="))


class FakeClock:
    def __init__(self, place):
        self.file = place / "now"
        self.env = {"LD_PRELOAD": library(), "FAKETIME_TIMESTAMP_FILE": str(self.file), "FAKETIME_NO_CACHE": "1",
                    "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        self.step(0)

    def step(self, days):
        new = self.file.with_suffix(".new")
        new.write_text(f"{days:+}d\n")
        new.rename(self.file)
        seen = subprocess.run(["date", "+%s"], env={**os.environ, **self.env}, capture_output=True, text=True).stdout
        assert abs(int(seen) - time.time() - days * DAY_S) < 60, "the clock does not jump"


class RealClock:
    env = {}

    def __init__(self):
        self.offset = time.time() - time.monotonic()

    def step(self, days):
        time.clock_settime(time.CLOCK_REALTIME, time.monotonic() + self.offset + days * DAY_S)


def ends(client, since):
    """What comes before the end, and how long that took."""
    got = client.everything()
    client.close()
    return got, time.monotonic() - since


def live_through(d, clock, days):
    """Connections of every kind of wait, and the clock steps in their middle."""
    begin = time.monotonic()
    idle, half, talker = d.connect(), d.connect(), d.connect()
    half.send(b"Simple is bet")
    with ThreadPoolExecutor(3) as pool:
        waits = [(pool.submit(ends, half, begin), TOO_SLOW), (pool.submit(ends, idle, begin), b"")]
        assert talker.ask(b"Simple is better than?") == b"Complex."
        time.sleep(TIMEOUT_S / 3)
        clock.step(days)
        asked = time.monotonic()
        assert talker.ask(b"Explicit is better than?") == b"Implicit."
        waits.append((pool.submit(ends, talker, asked), b""))
        for wait, last_words in waits:
            got, took = wait.result()
            assert got == last_words
            assert TIMEOUT_S - 0.2 <= took <= TIMEOUT_S + 1 + SLACK, f"{took:.2f} s instead of {TIMEOUT_S} s"


def live(d, clock, steps):
    started = time.monotonic()
    for days in steps:
        live_through(d, clock, days)
    clock.step(1)
    d.reloaded()
    clock.step(-1)
    for pid in children(d.pid):
        strike(pid, signal.SIGKILL)          # old ones may just be leaving
    until("a new worker", lambda: served(d), 5)
    status = dict(line.split(" ", 1) for line in d.ctl("status").stdout.splitlines() if " " in line)
    assert int(status["uptime_seconds"]) <= time.monotonic() - started + 2
    begin = time.monotonic()
    d.stop()
    assert time.monotonic() - begin < SLACK


MANY = {"prefork.start_workers": 5, "timeouts.idle": f"{TIMEOUT_S}s", "timeouts.question": f"{TIMEOUT_S}s",
        "process.sandbox": "off"}


@pytest.mark.models(without=("iterative",))
def test_the_time_of_day_jumps(daemon, model, place, some):
    clock = FakeClock(place)
    d = daemon(model, env=clock.env, **MANY)
    assert all("libfaketime" in Path(f"/proc/{pid}/maps").read_text() for pid in [d.pid, *children(d.pid)])
    live(d, clock, some((1, 0, -1, 0), (1, -1)))


@pytest.mark.long
@pytest.mark.models(only=("thread", "event"))
@pytest.mark.skipif(not ROOT or os.environ.get("TEST_STEP_CLOCK") != "1",
                    reason="would step the machine's own clock: ask for it with TEST_STEP_CLOCK=1, as root")
def test_the_machines_clock_jumps(daemon, model):
    clock = RealClock()
    try:
        live(daemon(model, **MANY), clock, (1, 0, -1, 0))
    finally:
        clock.step(0)
