"""Every system call can fail: at any time, in each role and model, with each error that its manual page lists.

Then nothing hangs, nothing crashes, no answer is wrong, and what did not succeed does not say so.

    TEST_CASE=openat:EMFILE:2 tests/check-chaos -k 'inject and prefork and loader-start'     one fault again
"""

import os
import random
import shutil

import pytest

import harness
import inject
from conftest import SEED
from syscall_errors import ERRORS, WITHOUT
from tracing import compiled

SAMPLE = 120
MOST = 8           # the first calls of each kind
POINTS = inject.points(harness.models())

pytestmark = [
    pytest.mark.skipif(not shutil.which("strace"), reason="there is no strace"),
    pytest.mark.skipif(not harness.ROOT, reason="only root may trace a process that has changed its user"),
]


def share(number):
    """How many faults of the sample fall to this place."""
    return SAMPLE * (number + 1) // len(POINTS) - SAMPLE * number // len(POINTS)


def faults(calls):
    return [inject.Fault(call, error, when) for call in sorted(calls) for error in ERRORS.get(call, ())
            for when in range(1, min(calls[call], MOST) + 1)]


@pytest.mark.parametrize("number", range(len(POINTS)), ids=["-".join(point) for point in POINTS])
def test_inject(number, place, some):
    if inject.fence():
        pytest.skip(inject.fence())
    about, library = POINTS[number], compiled(place, inject.HERE / "stop_here.c")
    failed, _, calls = inject.play_all(about, [inject.Fault()], library)[0]
    assert not failed, failed
    unknown = set(calls) - set(ERRORS) - WITHOUT
    assert not unknown, f"what can these fail with? {unknown}"
    if os.environ.get("TEST_CASE"):
        call, error, when = os.environ["TEST_CASE"].split(":")
        chosen = [inject.Fault(call, error, int(when))]
    else:
        every = faults(calls)
        chosen = some(every, random.Random(f"{SEED} {number}").sample(every, min(share(number), len(every))))
    results = inject.play_all(about, chosen, library)
    print(f"{len(results)} of {len(faults(calls))} faults, {sum(struck for _, struck, _ in results)} struck")
    bad = [reason for reason, *_ in results if reason]
    assert not bad, f"{len(bad)} of {len(results)}:\n" + "\n".join(bad)
