"""Nothing but figures depends on /proc, as in a bare chroot or container; and what a young kernel has is not needed."""

import os

import pytest

from harness import APHORISMCTL, APHORISMD, ROOT, Daemon, Successor, process, run, strays, talk, until
from test_upgrade import Program
from younger import CLOSE_RANGE, ENOSYS, EPERM, FCHMODAT2, denied
from tracing import tool, without_sanitizers

QUESTION, ANSWER = b"Simple is better than?", b"Complex."
HIDE = 'mount -t tmpfs none /proc && test ! -e /proc/self && exec "$@"'

@pytest.fixture
def hidden():
    """The words in front of a command that is to see no /proc."""
    without_sanitizers("a sanitizer looks into /proc itself")
    words = [tool("unshare"), "-m", "sh", "-c", HIDE, "sh"]
    if not ROOT or run(*words, "true").returncode:
        pytest.skip("no mounts in a namespace of our own")
    return words


def lives(d, place):
    """A start is behind it: reloads, upgrades, and stops as ever."""
    listen = [("127.0.0.1:0", {"address": f"unix:{place}/s", "mode": mode}) for mode in ("0600", "0666")]
    for number, step in enumerate((d.reloaded, d.upgraded, d.upgraded, d.reloaded)):
        d.write(listen=listen[number % 2])
        step()
        d.settled()                     # a worker that leaves may yet have taken a client of a UNIX socket, and cut it
        assert os.stat(place / "s").st_mode & 0o777 == (0o600, 0o666)[number % 2]
        assert talk(f"unix:{place}/s", [QUESTION]) == d.ask(QUESTION) == ANSWER
        assert d.ctl("doctor").returncode == 0
    d.stop()
    assert not {"s", "control", "pid"} & set(os.listdir(place))


def settings(place):
    return {"listen": ("127.0.0.1:0", f"unix:{place}/s"), "process__pidfile": place / "pid"}


def test_a_life(daemon, place, hidden, model):
    lives(daemon(model, under=hidden, **settings(place)), place)


def test_started_by_a_name_from_path(daemon, place, hidden):
    """An upgrade finds what has come there by that name."""
    program = Program(place / "aphorismd")
    d = daemon("event", under=hidden, program="aphorismd", env={"PATH": f"{place}:{os.environ['PATH']}"},
               **settings(place))
    program.become(f"echo 'notice the new one' >&2; exec {APHORISMD} \"$@\"\n")
    result = d.upgrade()
    assert result.returncode == 0, result.stderr
    d.follow(int(result.stdout.split()[1]))
    d.wait_for("starting " + str(program.path))
    d.wait_for("the new one")


def test_in_the_background(place, hidden):
    """By a relative name, from a folder that it leaves."""
    Program(place / "aphorismd")
    d = Daemon(place, "prefork", **settings(place))
    result = run(*hidden, "./aphorismd", "-c", d.config.name, cwd=place)
    assert result.returncode == 0, result.stderr
    d.process = Successor(int((place / "pid").read_text()))
    d.addresses = [f"unix:{place}/s"]
    d.upgraded()
    assert process(d.pid) and talk(f"unix:{place}/s", [QUESTION]) == ANSWER
    d.stop()
    until("the end of all", lambda: not strays())


def test_an_older_kernel(daemon, place, hidden):
    under = hidden + denied(ENOSYS, CLOSE_RANGE, FCHMODAT2)
    lives(daemon("event", under=under, env={"PATH": os.environ["PATH"]}, **settings(place)), place)


def test_a_filter_that_does_not_know_younger_calls(daemon, place):
    """With /proc."""
    lives(daemon("event", under=denied(EPERM, CLOSE_RANGE, FCHMODAT2), **settings(place)), place)


def test_what_only_looks(place, hidden):
    d = Daemon(place, **settings(place))
    for options in (["--test"], ["--dump"], ["--list-models"], ["--version"]):
        assert run(*hidden, APHORISMD, "-c", d.config, *options).returncode == 0
    assert run(*hidden, APHORISMCTL, "-s", place / "control", "status").returncode == 69
