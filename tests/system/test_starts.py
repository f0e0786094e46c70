"""With too little of something a daemon serves less, or ends and names what it lacks; a stop always ends it."""

import os
import re
import shutil
import socket
import time

import pytest

import harness
from fixtures import TRACED
from harness import APHORISMD, LIMIT, ROOT, run
from tracing import tool

SOON_S = 10                # far less than timeouts.drain, and than a start may take
USER = 1 << 30             # nobody's: its limit of processes is the daemon's alone


def serves_or_says_so(d, reason, begin):
    """Soon it answers, or has ended with that reason; True for the first."""
    d.wait_for(r"listening on \S+|^\(end of log\)$", limit=SOON_S)
    listens = d.matches(r"listening on (\S+)")
    if listens:
        d.addresses = [m.group(1).rstrip(",;") for m in listens]
        assert d.ask() == b"Ugly."
    else:
        assert d.wait() == 71 and d.matches(rf"\w: {reason}$")
    assert time.monotonic() - begin < SOON_S
    return bool(listens)


def stops_soon(d):
    """Though a client is there who says nothing, and another one waits."""
    with d.connect(), d.connect():
        begin = time.monotonic()
        d.stop()
        assert time.monotonic() - begin < SOON_S


@pytest.mark.parametrize("listen", [("127.0.0.1:0",), ("127.0.0.1:0",) * 2])
def test_few_descriptors(daemon, model, listen):
    """From hardly any up to the least with which it serves."""
    serves = files = 0
    for files in range(5, 40):
        begin = time.monotonic()
        d = daemon(model, launch_only=True, listen=listen, under=(tool("prlimit"), f"--nofile={files}:{files}"))
        serves = serves_or_says_so(d, "(Too many open files|No file descriptors available)", begin)    # glibc, musl
        if serves:
            stops_soon(d)
            break
    assert serves and files > 8


@pytest.mark.skipif(not ROOT, reason="only root can become a user of its own")
def test_few_processes(daemon, model):
    """From one task up to some more than the least with which it serves: supervisor and starter are two, and the loader
    needs a third."""
    served, user = [], USER + os.getpid()
    for tasks in range(1, 20):
        begin = time.monotonic()
        d = daemon(model, launch_only=True, process__user=None, control__socket="", env=TRACED,
                   under=(tool("setpriv"), f"--reuid={user}", "--clear-groups", tool("prlimit"),
                          f"--nproc={tasks}:{tasks}"))
        if serves_or_says_so(d, "Resource temporarily unavailable", begin):
            served.append(tasks)
            stops_soon(d)
        harness.nothing_left()
        if len(served) == 3:
            break
    assert len(served) == 3 and served[0] > 2


def without_devices(*command, **more):
    """Runs it where /dev is empty."""
    if not ROOT or run(tool("unshare"), "-m", "true").returncode:
        pytest.skip("no mount namespaces, or not root")
    return run("unshare", "-m", "sh", "-c", 'mount -t tmpfs none /dev && exec "$@"', "sh", *command, **more)


@pytest.mark.parametrize("options", [["-f"], []])
def test_no_dev_null(place, options):
    result = without_devices(APHORISMD, *options, "-l", "127.0.0.1:0", "-o", "control.socket=", "-p", place / "pid",
                             "-o", "process.user=nobody")
    assert result.returncode == 71 and result.stderr.endswith(": /dev/null: No such file or directory\n"), result


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))


STRANGE = {
    "folder": os.mkdir,
    "pipe": os.mkfifo,
    "socket": make_socket,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "descriptor": lambda path: path.symlink_to("/dev/fd/63"),
}


@pytest.mark.parametrize("kind", STRANGE)
def test_no_regular_file(place, kind):
    """Whatever it is, and whoever names it: the reason is what it is, not that it could not be found or read."""
    strange, config, table = place / "strange", place / "aphorismd.conf", place / "table.aphorisms"
    STRANGE[kind](strange)
    if kind == "descriptor":
        strange = "/dev/fd/63"
    table.write_text("a? b.\n")
    config.write_text(f'@include "{strange}"\n')
    for options, status, named in ((("-c", strange), 66, f"{strange}"),
                                   (("-c", config), 78, f"{config}:1: @include: \"{strange}\""),
                                   (("-c", os.devnull, "-o", f"aphorisms={strange}"), 66, None)):
        result = run(APHORISMD, "--test", *options)
        assert f"{named or os.devnull}: not a regular file [error]\n" in result.stderr, result
        assert result.returncode == status


@pytest.mark.parametrize("options", [["--test"], ["-f"], ["-o", "control.socket="]])
def test_a_configuration_from_a_shells_pipe(place, options):
    """aphorismd -c <(command): nobody could come back to it at a reload."""
    script = '"$0" "$@" -p "$PWD/pid" -l 127.0.0.1:0 -c <(echo "backlog = 5;")'
    result = run(tool("bash"), "-c", script, APHORISMD, *options, cwd=place)
    assert result.returncode == 66 and re.search(r"(?m)/dev/fd/\d+: not a regular file( \[error\])?$", result.stderr), result


@pytest.mark.skipif(not ROOT, reason="only root can become a user of its own")
@pytest.mark.parametrize("tasks", [1, 2])
def test_no_process_to_become_a_daemon(place, tasks):
    """The launcher says why."""
    user = USER + os.getpid()
    shutil.chown(place, user)
    result = run(tool("setpriv"), f"--reuid={user}", "--clear-groups", tool("prlimit"), f"--nproc={tasks}:{tasks}",
                 APHORISMD, "-l", "127.0.0.1:0", env=harness.environment(**TRACED), limit=LIMIT)
    assert result.returncode == 71, result
    assert result.stderr == "aphorismd: can't become a daemon: Resource temporarily unavailable\n"
