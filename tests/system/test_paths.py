"""Files of root's in folders of somebody else's: who owns those can lead nothing that the daemon does elsewhere."""

import os
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager

import pytest

import harness
from harness import ROOT, Daemon, run, talk, until
from test_doctor import findings

pytestmark = pytest.mark.skipif(not ROOT, reason="only root has files in the folder of another user")

QUESTION, ANSWER = b"Simple is better than?", b"Complex."
WORDS = "more than a number, and not the daemon's\n"

# As nobody: two names in that folder change places all the time.
EXCHANGE = """
import ctypes, os, sys
os.chdir(sys.argv[1])
os.setgroups([]), os.setgid(65534), os.setuid(65534)
libc, here = ctypes.CDLL(None), -100
names = [word.encode() for word in sys.argv[2:4]]
print("ready", flush=True)
while os.getppid() == int(sys.argv[4]):
    libc.renameat2(here, names[0], here, names[1], 2)
"""


@contextmanager
def exchanging(folder, one, other):
    """Meanwhile somebody who owns the folder does that."""
    process = subprocess.Popen([sys.executable, "-c", EXCHANGE, folder, one, other, str(os.getpid())],
                               stdout=subprocess.PIPE)
    try:
        assert process.stdout.readline() == b"ready\n"
        yield
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def theirs(place):
    """A folder of nobody's."""
    return given(place / "theirs")


@pytest.fixture
def roots(place):
    """One of root's, with files that have the names of the daemon's."""
    folder = place / "roots"
    folder.mkdir()
    for name in ("metrics", "metrics.tmp", "victim"):
        (folder / name).write_text(WORDS)
        (folder / name).chmod(0o600)
    return folder


def given(folder):
    """Root may write to it as well, which is no more than its group after the start."""
    folder.mkdir()
    folder.chmod(0o775)
    shutil.chown(folder, "nobody", "root")
    return folder


def link(name, to, owner="nobody"):
    name.symlink_to(to)
    os.chown(name, *(65534, 65534) if owner == "nobody" else (0, 0), follow_symlinks=False)


def unharmed(roots):
    """Nothing is there that was not, and all is as it was."""
    assert sorted(os.listdir(roots)) == ["metrics", "metrics.tmp", "victim"]
    for file in roots.iterdir():
        assert file.stat().st_mode & 0o777 == 0o600 and file.read_text() == WORDS
    return True


def all_in(folder, **more):
    """A daemon's settings that has all its files in one folder."""
    return {"listen": (f"unix:{folder}/s",), "control__socket": folder / "control", "process__pidfile": folder / "pid",
            "metrics__file": folder / "metrics", "metrics__interval": "1s", **more}


def mode(path):
    return os.lstat(path).st_mode & 0o777


def test_modes_at_reloads(daemon, theirs, roots):
    """Before a link was followed this took a dozen of them."""
    listen = [({"address": f"unix:{theirs}/s", "mode": mode}, {"address": "127.0.0.1:0"}) for mode in ("0666", "0606")]
    d = daemon("iterative", listen=listen[0])
    link(theirs / "l", roots / "victim")
    with exchanging(theirs, "s", "l"):
        for number in range(60):
            d.reloaded(listen=listen[number % 2])
            assert unharmed(roots)
    if (theirs / "s").is_symlink():
        os.rename(theirs / "s", theirs / "other")
        os.rename(theirs / "l", theirs / "s")
    for number in range(2):
        d.reloaded(listen=listen[number])
        assert mode(theirs / "s") == (0o666, 0o606)[number]


def test_what_begins_and_ends_at_reloads(daemon, theirs, roots):
    """Sockets are made and removed, their modes set, while the folder is now theirs and now a link to root's."""
    given(theirs / "sub")
    link(theirs / "l", roots)
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(roots / "s"))
        before = os.lstat(roots / "s")
        os.chmod(roots / "s", 0o600)
    d = daemon("iterative", listen=("127.0.0.1:0",))
    outcomes = set()
    with exchanging(theirs, "sub", "l"):
        for number in range(60):
            listen = ("127.0.0.1:0", {"address": f"unix:{theirs}/sub/s", "mode": ("0666", "0606")[number % 2]})
            outcomes.add(d.reload(listen=listen[:1 + number % 3]).returncode)
    assert outcomes <= {0, 69, 77}
    after = os.lstat(roots / "s")
    assert (after.st_ino, after.st_mode & 0o777) == (before.st_ino, 0o600)
    (roots / "s").unlink()
    assert unharmed(roots)


@pytest.mark.parametrize("what, status", [("listen", 77), ("control__socket", 73), ("process__pidfile", 73)])
def test_a_link_on_the_way(place, theirs, roots, what, status):
    """It does not start, and says why."""
    link(theirs / "sub", roots)
    d = Daemon(place, **{what: all_in(theirs / "sub")[what]})
    result = run(harness.APHORISMD, "-f", "-c", d.config)
    harness.nothing_left()
    assert result.returncode == status
    assert f"{theirs}/sub" in result.stderr and "Permission denied" in result.stderr
    assert unharmed(roots)


def test_a_link_on_the_way_that_comes_later(daemon, theirs, roots):
    """Under a daemon that runs: what it has in that folder it does not find any more, and nothing else in its place."""
    given(theirs / "sub")
    d = daemon("prefork", **all_in(theirs / "sub", listen=("127.0.0.1:0", f"unix:{theirs}/sub/s")))
    d.control = theirs / "moved/control"
    until("the metrics", lambda: (theirs / "sub/metrics").exists())
    os.rename(theirs / "sub", theirs / "moved")
    for name in ("s", "control", "pid"):
        (roots / name).write_text(WORDS)
    link(theirs / "sub", roots)
    until("a failure", lambda: "metrics.file" in findings(d))
    assert "Permission denied" in findings(d)["metrics.file"][0]
    assert "not the file of this daemon" in findings(d)["process.pidfile"][0]
    d.reloaded(listen=("127.0.0.1:0", f"unix:{theirs}/sub/s"))
    d.stop()
    for name in ("s", "control", "pid"):
        assert (roots / name).read_text() == WORDS
        (roots / name).unlink()
    assert unharmed(roots)


@pytest.mark.parametrize("way", ["no link", "a link of root's", "a link to what is its owner's"])
def test_a_way_that_may_be_taken(daemon, place, theirs, roots, way):
    """The folder is somebody else's, who may have another one at its name any time: the daemon finds its own files."""
    folder = theirs / "sub"
    if way == "no link":
        given(folder)
    elif way == "a link of root's":
        link(folder, given(place / "other"), "root")
    else:
        link(folder, given(theirs / "other"))
    d = daemon("event", **all_in(folder, listen=({"address": f"unix:{folder}/s", "mode": "0640"},)))
    d.control = folder / "control"
    assert d.addresses == [f"unix:{folder}/s"] and mode(folder / "s") == 0o640 and mode(d.control) == 0o660
    until("the metrics", lambda: (folder / "metrics").exists())
    for bits in ("0600", "0666"):
        before = os.stat(folder / "s").st_ino, os.stat(d.control).st_ino
        d.write(listen=({"address": f"unix:{folder}/s", "mode": bits},))
        d.upgraded()
        assert (os.stat(folder / "s").st_ino, os.stat(d.control).st_ino) == before
        assert mode(folder / "s") == int(bits, 8) and (folder / "pid").read_text() == f"{d.pid}\n"
        assert talk(f"unix:{folder}/s", [QUESTION]) == ANSWER
    (folder / "s").unlink()
    assert findings(d)["listen"][1] == "aphorismctl upgrade"
    d.upgraded()
    assert talk(f"unix:{folder}/s", [QUESTION]) == ANSWER
    d.stop()
    assert os.listdir(folder) == ["metrics"]
    assert unharmed(roots)


def test_what_a_crash_has_left(daemon, theirs):
    """In such a folder, too."""
    folder = given(theirs / "sub")
    settings = all_in(folder)
    d = daemon("event", **settings)
    d.kill()
    harness.nothing_left()
    assert {"s", "control", "pid"} <= set(os.listdir(folder))
    d = daemon("event", **settings)
    assert talk(f"unix:{folder}/s", [QUESTION]) == ANSWER
    d.stop()
    assert os.listdir(folder) == ["metrics"]


def test_a_second_name_of_a_socket(daemon, place):
    """It may be one that somebody has given it who may not change its mode."""
    listen = [({"address": f"unix:{place}/s", "mode": mode},) for mode in ("0600", "0666")]
    d = daemon("event", listen=listen[0])
    os.link(place / "s", place / "t")
    d.reloaded(listen=listen[1])
    d.wait_for(r"can't change the mode of unix:\S+/s: Too many links")
    assert mode(place / "t") == 0o600
    os.unlink(place / "t")
    d.reloaded()
    assert mode(place / "s") == 0o666


def test_a_pidfile_that_others_may_replace(daemon, place, theirs):
    d = daemon("event", process__pidfile=theirs / "pid", max_connections=100, event__workers=1)
    assert "may be replaced by others" in findings(d)["process.pidfile"][0]
    said = run(harness.APHORISMD, "-t", "-c", d.config).stderr
    assert f"process.pidfile: {theirs}/pid may be replaced by others than who starts the daemon" in said


def test_a_pidfile_that_is_somebody_elses_too(daemon, place):
    """The next one refuses it, a new one of an upgrade too, and the old one serves on; doctor says so before."""
    d = daemon("event", process__pidfile=place / "pid", max_connections=100, event__workers=1)
    assert "process.pidfile" not in findings(d)
    for spoil, mend, why in (
            (lambda: os.link(place / "pid", place / "t"), lambda: os.unlink(place / "t"),
             "it has another name as well"),
            (lambda: shutil.chown(place / "pid", "nobody"), lambda: shutil.chown(place / "pid", "root"),
             "it belongs to another user"),
            (lambda: (place / "pid").chmod(0o646), lambda: (place / "pid").chmod(0o644), "others may write to it")):
        spoil()
        assert f"{place}/pid: {why}" in findings(d)["process.pidfile"][0]
        assert f"{place}/pid: {why}" in run(harness.APHORISMD, "-t", "-c", d.config).stderr
        result = d.upgrade()
        assert result.returncode == 73 and f"pidfile {place}/pid: {why}" in result.stderr
        assert (place / "pid").read_text() == f"{d.pid}\n" and d.ask(QUESTION) == ANSWER
        mend()
        assert "process.pidfile" not in findings(d)
    d.upgraded()
