"""Where the kernel, or a container's filter of system calls, is older than a call that is made, something older does."""

import json
import os
import platform
import re

import pytest

from fixtures import TRACED
from harness import APHORISMD, TOP, Daemon, holds, run, until
from tracing import calls, tool, under_strace, without_sanitizers
from younger import CLONE3, CLOSE_RANGE, EINVAL, ENOSYS, EPERM, EPOLL_PWAIT2, FCHMODAT2, LAST, URING, denied

QUESTION, ANSWER = b"Simple is better than?", b"Complex."
X86 = platform.machine() == "x86_64"
OLDER = (316, 318, 322, 325, 326, 327, 328, 332, 333, 334) if X86 else ()       # renameat2, getrandom, statx, rseq ...
YOUNGER = [call for call in range(424, LAST) if call not in URING]
MEMFD_CREATE, PRCTL = 319, 157
SET_SUBREAPER = 36


def findings(d):
    """What the doctor says of system calls, by their names."""
    result = d.ctl("--json", "doctor")
    assert result.returncode == 0, result.stderr
    return {f["about"]: (f["what"], f["mend"]) for f in json.loads(result.stdout)["finding"]
            if f["mend"].startswith(("a filter", "Linux "))}


def lives(d):
    """Answers, reloads, upgrades; waits without burning a CPU, while clients are there whose time will come."""
    for step in (d.reloaded, d.upgraded):
        assert d.ask(QUESTION) == ANSWER
        step()
    d.settled()
    clients = [d.connect() for _ in range(holds(d.settings["model"], 2))]
    assert [client.ask(QUESTION) for client in clients] == [ANSWER] * len(clients)
    before = d.cpu()
    assert clients[0].silent(0.5) and d.cpu() - before < 0.25
    for client in clients:
        client.close()
    d.stop()


@pytest.mark.parametrize("error, sandbox", [(EPERM, "off"), (EPERM, "auto"), (ENOSYS, "off")])
def test_a_life(daemon, model, error, sandbox):
    """Without the sandbox the C library's own calls go where they like: threads by clone3."""
    lives(daemon(model, under=denied(error, *OLDER, *YOUNGER), process__sandbox=sandbox))


@pytest.mark.parametrize("error", [EPERM, ENOSYS])
def test_a_life_with_io_uring(daemon, uring, error):
    lives(daemon("event", under=denied(error, *OLDER, *YOUNGER), process__sandbox="auto", event__engine="io_uring"))


def test_without_io_uring(place, uring):
    """There is nothing older behind an engine that somebody has chosen."""
    for error, calls in (EPERM, URING), (ENOSYS, URING), (EPERM, URING[1:2]):
        d = Daemon(place, "event", event__engine="io_uring")
        for option in "-f", "-t":
            result = run(*denied(error, *calls), APHORISMD, option, "-c", d.config)
            assert result.returncode == 78 and re.search("event.engine: .*io_uring", result.stderr), result


def test_what_is_lacking_is_not_tried_again(daemon, place):
    """Twice, for the filter's word is told from the kernel's."""
    without_sanitizers()
    log = place / "log"
    d = daemon("event", under=[*under_strace(log, "-e", "trace=epoll_pwait2,recvfrom"), *denied(EPERM, EPOLL_PWAIT2)],
               process__sandbox="off", event__workers=1)
    with d.connect() as client:
        for _ in range(20):
            assert client.ask(QUESTION) == ANSWER
    d.stop()
    made = until("all that strace has to say", lambda: "recvfrom" in calls(log) and calls(log))
    assert made["recvfrom"] >= 20 and 1 <= made["epoll_pwait2"] <= 2


def test_the_doctor_tells(daemon, place):
    d = daemon("event", under=denied(EPERM, CLONE3, CLOSE_RANGE, EPOLL_PWAIT2, FCHMODAT2))
    found = findings(d)
    assert found.keys() == {"clone3", "close_range", "epoll_pwait2", "fchmodat2"}
    for name, (what, mend) in found.items():
        assert what.startswith("a filter of system calls forbids it: ") and mend.endswith(f"that allows {name}")
    assert found["epoll_pwait2"][0].endswith(": the event model's time-outs are late by up to 1 ms")
    said = run(*d.under, APHORISMD, "-t", "-c", d.config).stderr
    assert all(f"{name}: {what}; to mend it: {mend} [note]\n" in said for name, (what, mend) in found.items())


def test_the_doctor_of_an_older_kernel(daemon):
    """What is as good is no finding."""
    d = daemon("event", under=denied(ENOSYS, CLONE3, CLOSE_RANGE, EPOLL_PWAIT2, FCHMODAT2))
    found = findings(d)
    assert found.keys() == {"close_range", "epoll_pwait2"}
    assert found["epoll_pwait2"] == ("this system does not know it: the event model's time-outs are late by up to 1 ms",
                                     "Linux 5.11 or later")


def test_the_load_of_the_benchmark(daemon):
    """Which threads make."""
    bench = os.environ.get("TEST_APHORISM_BENCH") or TOP / "aphorism-bench"
    d = daemon("event")
    result = run(*denied(EPERM, *YOUNGER), bench, "run", "-n", 40, "-c", 2, "-t", 2, "--no-progress", d.address)
    assert result.returncode == 0, result.stderr


@pytest.mark.skipif(not X86, reason="the number of this call is known of x86-64 alone")
@pytest.mark.parametrize("error, reason", [(EPERM, "Operation not permitted"), (ENOSYS, "Function not implemented")])
def test_no_memfd(place, error, reason):
    d = Daemon(place)
    for option, end in ("-f", ""), ("-t", " [error]"):
        result = run(*denied(error, MEMFD_CREATE), APHORISMD, option, "-c", d.config)
        assert result.returncode == 71
        assert f"can't start the loader: memfd_create: {reason}{end}\n" in result.stderr, result


@pytest.mark.skipif(not X86, reason="the number of this call is known of x86-64 alone")
def test_no_subreaper(daemon, place):
    """What follows is told; to the first process of a container orphans come anyway."""
    refused = denied(EINVAL, f"{PRCTL}:{SET_SUBREAPER}")
    result = run(*refused, APHORISMD, "-f", "-c", Daemon(place).config)
    assert result.returncode == 71
    assert result.stderr == ("aphorismd: can't start: children of a worker that died would be lost: "
                             "prctl(PR_SET_CHILD_SUBREAPER): Invalid argument\n")
    alone = [tool("unshare"), "--pid", "--fork", "--kill-child"]
    if run(*alone, "true").returncode:
        pytest.skip("no namespace of processes")
    d = daemon("prefork", under=[*alone, *refused], env=TRACED)          # /proc is that of other processes
    assert d.ask(QUESTION) == ANSWER
    assert d.ctl("stop").returncode == 0 and d.wait() == 0
