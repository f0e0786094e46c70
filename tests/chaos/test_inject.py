"""Every system call can fail: at any time, in each role and model, with each error that its manual page lists.

Then nothing hangs, nothing crashes, no answer is wrong, and what did not succeed does not say so.

    TEST_CASE=openat:EMFILE:2 tests/check-chaos -k 'inject and prefork and loader-start'     one fault again
"""

import os
import random
import shutil
import subprocess

import pytest

import harness
import inject
from conftest import SEED
from syscall_errors import ERRORS

SAMPLE = 200
MOST = 8           # the first calls of each kind
PLACES = [(model, *place) for model in harness.models() for place in inject.places(model)]

pytestmark = [
    pytest.mark.skipif(not shutil.which("strace"), reason="there is no strace"),
    pytest.mark.skipif(not harness.ROOT, reason="only root may trace a process that has changed its user"),
]


def share(number):
    """How many faults of the sample fall to this place."""
    return SAMPLE * (number + 1) // len(PLACES) - SAMPLE * number // len(PLACES)


def faults(calls):
    return [inject.Fault(call, error, when) for call in sorted(calls) for error in ERRORS.get(call, ())
            for when in range(1, min(calls[call], MOST) + 1)]


def broken(about, fault, library):
    """None, or the promise that this fault breaks; and whether it struck."""
    with inject.scene(*about, fault, library) as scene:
        try:
            scene.play()
            return None, scene.struck(), scene.calls()
        except (AssertionError, OSError, subprocess.TimeoutExpired) as failed:
            lines = "\n    ".join(scene.daemon.lines[-12:])
            return f"{fault}: {failed!r:.600}\n    {lines}", scene.struck(), scene.calls()


@pytest.mark.parametrize("number", range(len(PLACES)), ids=["-".join(place) for place in PLACES])
def test_inject(number, place, some):
    about, library = PLACES[number], inject.compiled(place)
    failed, _, calls = broken(about, inject.Fault(), library)
    assert not failed, failed
    if os.environ.get("TEST_CASE"):
        call, error, when = os.environ["TEST_CASE"].split(":")
        chosen = [inject.Fault(call, error, int(when))]
    else:
        every = faults(calls)
        chosen = some(every, random.Random(f"{SEED} {number}").sample(every, min(share(number), len(every))))
    results = [broken(about, fault, library)[:2] for fault in chosen]
    print(f"{len(results)} of {len(faults(calls))} faults, {sum(struck for _, struck in results)} struck")
    bad = [reason for reason, _ in results if reason]
    assert not bad, f"{len(bad)} of {len(results)}:\n" + "\n".join(bad)
