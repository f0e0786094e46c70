"""The daemon as a process: how it starts, whom it runs as, what it tells, how it refuses to start."""

import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import harness
from harness import (APHORISMD, ETC, LIMIT, ROOT, Daemon, Raw, environment, is_starter, libconfig, nobody,
                     process, run, strays, strike, talk, until)
from protocol_model import THREE

QUESTION = [b"Simple is better than?"]


@pytest.fixture
def launched(place):
    """Starts daemons that leave their launcher; a UNIX socket, a pidfile and a control socket in the test's folder."""
    def launch(model=None, wait=True, umask=None, **more):
        more = {"listen": (f"unix:{place}/s",), "process__pidfile": place / "pid", **more}
        one = Daemon(place, model, **more)
        one.launcher = lambda: run(APHORISMD, "-c", one.config, *one.options,
                                   **({"umask": umask} if umask is not None else {}))
        if wait:
            result = one.launcher()
            assert result.returncode == 0, result.stderr
            one.main = int((place / "pid").read_text())
        return one

    yield launch
    try:
        for stray in strays():
            parent = process(stray.pid)
            if parent and parent.ppid == os.getpid():
                strike(stray.pid, signal.SIGTERM)
        harness.nothing_left()
    finally:
        harness.end_all()


# Into the background

def test_it_accepts_when_the_launcher_returns(launched, place, model):
    launched(model)
    assert talk(f"unix:{place}/s", QUESTION) == b"Complex."


def test_it_leaves_everything_behind(launched, place):
    d = launched(umask=0)
    main = process(d.main)
    assert main.ppid == os.getpid()                      # ours, as the subreaper: the launcher is gone
    assert main.session not in (os.getsid(0), d.main)    # its own session, and no way to a terminal
    for pid in [d.main] + [p.pid for p in harness.descendants(d.main)]:
        assert os.readlink(f"/proc/{pid}/cwd") == "/"
        assert int(process(pid).status("Umask")[0], 8) & 0o022 == 0o022
    for number in (0, 1, 2):
        assert harness.open_files(d.main)[number] == "/dev/null"
    for worker in harness.descendants(d.main):
        assert {0, 1, 2} <= set(harness.open_files(worker.pid))


def test_the_pidfile_is_locked_by_the_daemon(launched, place):
    d = launched()
    assert (place / "pid").read_text() == f"{d.main}\n"
    assert (place / "pid").stat().st_mode & 0o022 == 0
    with open(place / "pid") as pidfile:
        asked = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        kind, _, _, _, owner = struct.unpack("hhqqi4x", fcntl.fcntl(pidfile, fcntl.F_GETLK, asked))
    assert kind == fcntl.F_WRLCK and owner == d.main


def test_it_stops_and_starts_again(launched, place):
    for _ in range(3):
        d = launched()
        assert talk(f"unix:{place}/s", QUESTION) == b"Complex."
        os.kill(d.main, signal.SIGTERM)
        until("its end", lambda: not strays())
        harness.reap()


def test_a_second_one_fails(launched, place):
    d = launched()
    result = d.launcher()
    assert result.returncode == 73
    assert str(place / "pid") in result.stderr
    assert talk(f"unix:{place}/s", QUESTION) == b"Complex."


def test_fifty_start_at_once_and_one_runs(launched, place):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    d = launched(wait=False, listen=(f"127.0.0.1:{port}", f"unix:{place}/s"))
    with ThreadPoolExecutor(50) as pool:
        results = list(pool.map(lambda _: d.launcher(), range(50)))
    assert sorted(r.returncode for r in results).count(0) == 1
    assert {r.returncode for r in results} <= {0, 69, 73}
    assert all(r.stderr.strip() for r in results if r.returncode)
    main = int((place / "pid").read_text())
    # who lost has told its launcher why, and then ends
    until("the end of all others", lambda: [p.pid for p in strays() if p.ppid == os.getpid()] == [main])
    for address in (f"127.0.0.1:{port}", f"unix:{place}/s"):
        assert talk(address, QUESTION) == b"Complex."


# Failures at the start

@pytest.mark.parametrize("foreground", [True, False])
class TestFailures:
    def fails(self, place, foreground, status, *words, options=(), **settings):
        """It does not start, in time, with this status; and the reason on standard error holds these words."""
        settings = {"listen": (f"unix:{place}/s",), "process__pidfile": place / "pid", **settings}
        d = Daemon(place, options=options, **settings)
        result = run(APHORISMD, *(["-f"] if foreground else []), "-c", d.config, *options)
        harness.nothing_left()
        assert result.returncode == status, result.stderr
        for word in words:
            assert word in result.stderr
        return result.stderr

    def test_port_in_use(self, place, foreground):
        with socket.create_server(("127.0.0.1", 0)) as other:
            taken = "127.0.0.1:%d" % other.getsockname()[1]
            self.fails(place, foreground, 69, taken, "in use", listen=(taken,))

    def test_unix_socket_in_use(self, place, foreground):
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(f"{place}/s")
            other.listen()
            self.fails(place, foreground, 69, f"{place}/s", "in use")

    def test_something_else_where_the_unix_socket_belongs(self, place, foreground):
        (place / "s").write_text("precious")
        self.fails(place, foreground, 69, f"{place}/s")
        assert (place / "s").read_text() == "precious"

    def test_address_of_somebody_else(self, place, foreground):
        self.fails(place, foreground, 69, "192.0.2.1:", listen=("192.0.2.1:0",))

    def test_missing_user(self, place, foreground):
        self.fails(place, foreground, 78, "no-such-user", process__user="no-such-user")

    def test_missing_group(self, place, foreground):
        self.fails(place, foreground, 78, "no-such-group", process__group="no-such-group")

    def test_missing_configuration(self, place, foreground):
        result = run(APHORISMD, *(["-f"] if foreground else []), "-c", place / "missing.conf")
        assert result.returncode == 66 and "missing.conf" in result.stderr

    def test_bad_configuration(self, place, foreground):
        said = self.fails(place, foreground, 78, "aphorismd.conf:", "max_connections", "timeouts.idle",
                          max_conections=3, timeouts__idel="5s")
        assert "max_conections" in said and "timeouts.idel" in said

    def test_missing_table(self, place, foreground):
        self.fails(place, foreground, 66, f"{place}/missing.aphorisms", aphorisms="missing.aphorisms")

    def test_bad_table(self, place, foreground):
        table = b"Simple is better than? Complex.\nno question mark.\nno stop? here\nSimple is better than? Twice.\n"
        said = self.fails(place, foreground, 78, *(f"table.aphorisms:{n}: " for n in (2, 3, 4)), table=table)
        assert "table.aphorisms:1: " not in said

    def test_pidfile_that_can_not_be_written(self, place, foreground):
        (place / "file").touch()
        self.fails(place, foreground, 73, str(place / "file" / "pid"), process__pidfile=place / "file" / "pid")

    def test_pidfile_behind_a_symbolic_link(self, place, foreground):
        (place / "precious").write_text("precious")
        (place / "pid").symlink_to(place / "precious")
        self.fails(place, foreground, 73, str(place / "pid"))
        assert (place / "precious").read_text() == "precious"

    @pytest.mark.parametrize("what", ["a hard link", "another user's", "others may write", "a FIFO"])
    def test_pidfile_that_is_not_the_daemons_alone(self, place, foreground, what):
        """It may be any file that somebody has put there: it stays as it is."""
        if what == "another user's" and not ROOT:
            pytest.skip("only root gives files away")
        if what == "a FIFO":
            os.mkfifo(place / "pid")
        else:
            (place / "precious").write_text("precious")
            os.link(place / "precious", place / "pid")
            if what != "a hard link":
                (place / "precious").unlink()
        if what == "another user's":
            shutil.chown(place / "pid", "nobody")
        if what == "others may write":
            (place / "pid").chmod(0o662)
        before = os.stat(place / "pid")
        reason = {"a hard link": "it has another name as well", "another user's": "it belongs to another user",
                  "others may write": "others may write to it", "a FIFO": "not a regular file"}[what]
        said = self.fails(place, foreground, 73, f"pidfile {place}/pid: {reason}")
        assert said.count("\n") == 1
        after = os.stat(place / "pid")
        assert (after.st_ino, after.st_mtime_ns, after.st_size) == (before.st_ino, before.st_mtime_ns, before.st_size)

    def test_control_socket_that_can_not_be_made(self, place, foreground):
        (place / "file").touch()
        self.fails(place, foreground, 73, str(place / "file"), control__socket=place / "file" / "control")


def in_namespace(place, mounts, *words, **more):
    """A program where other things are mounted, in a namespace of its own; then the test's $place is looked at there."""
    script = f'{mounts} && shift && "$@"; status=$?; ls -A "{place}/there"; exit $status'
    if not ROOT or run("unshare", "--mount", "sh", "-c", mounts, "sh", place).returncode:
        pytest.skip("no mounts of our own here")
    return run("unshare", "--mount", "sh", "-c", script, "sh", place, *words, **more)


@pytest.mark.parametrize("foreground", [True, False])
@pytest.mark.parametrize("mounts", ["mount -t tmpfs -o ro none /run", 'mount --rbind /proc /run'])
def test_a_run_folder_that_takes_nothing(place, foreground, mounts):
    """Nothing to write a pidfile or a control socket to: one line, with the reason."""
    if dumped().find('"/run/aphorismd/control"') < 0:
        pytest.skip("this build has its files elsewhere")
    (place / "there").mkdir()
    d = Daemon(place, control__socket=None, process__pidfile=None)
    result = in_namespace(place, mounts, APHORISMD, *(["-f"] if foreground else []), "-c", d.config)
    harness.nothing_left()
    assert result.returncode == 73, result.stderr
    assert "/run/aphorismd: " in result.stderr and result.stderr.count("\n") == 1
    assert ("control socket: " if foreground else "pidfile: ") in result.stderr


@pytest.mark.parametrize("foreground", [True, False])
def test_a_full_disk(place, foreground):
    """No pidfile that names nobody is left there."""
    (place / "there").mkdir()
    d = Daemon(place, process__pidfile=place / "there" / "pid")
    full = 'mount -t tmpfs -o size=4k none "$1/there" && { dd if=/dev/zero of="$1/there/full" bs=4k count=2 2>&-; true; }'
    result = in_namespace(place, full, APHORISMD, *(["-f"] if foreground else []), "-c", d.config)
    harness.nothing_left()
    assert result.returncode == 73, result.stderr
    assert f"{place}/there/pid: No space left on device" in result.stderr and result.stderr.count("\n") == 1
    assert result.stdout.split() == ["full"]


def test_a_log_on_a_full_disk(place):
    """It serves on, as with any reader that takes nothing."""
    d = Daemon(place, listen=(f"unix:{place}/s",), log__level="debug")
    with open("/dev/full", "w") as full:
        one = subprocess.Popen([APHORISMD, "-f", "-c", d.config], stdin=subprocess.DEVNULL, stderr=full,
                               env=environment())
    try:
        until("service", lambda: (place / "s").exists() and answered(f"unix:{place}/s"))
        talk(f"unix:{place}/s", [b"half"])
        assert answered(f"unix:{place}/s")
        one.terminate()
        assert one.wait(LIMIT) == 0
    finally:
        harness.end_all(keep=(one.pid,))
        one.wait()


def test_a_configuration_that_may_not_be_read(place):
    (place / "secret.conf").write_text("")
    (place / "secret.conf").chmod(0)
    result = run(APHORISMD, "-f", "-c", place / "secret.conf", as_nobody=True)
    assert result.returncode == 66 and "secret.conf" in result.stderr


@pytest.mark.parametrize("options,near", [
    (["--forground"], "--foreground"), (["--list-model"], None), (["-z"], None), (["operand"], None), (["-c"], None),
    (["--conifg=x"], "--config"),
])
def test_unknown_options(options, near):
    result = run(APHORISMD, *options)
    if options == ["--list-model"] and result.returncode == 0:
        return                                            # an unambiguous beginning is as good
    assert result.returncode == 64
    assert result.stderr.strip()
    assert near is None or near in result.stderr


@pytest.mark.parametrize("setting,words", [
    ("timeouts.idel=5s", ["timeouts.idle"]), ("model=perfork", ["prefork"]), ("timeouts.idle=0", ["timeouts.idle"]),
    ("timeouts.idle=5 parsecs", ["timeouts.idle"]), ("backlog=4294967376", ["backlog"]), ("noequals", ["noequals"]),
])
def test_bad_settings(place, setting, words):
    d = Daemon(place)
    result = run(APHORISMD, "-f", "-c", d.config, "-o", setting)
    assert result.returncode in (64, 78)
    for word in words:
        assert word in result.stderr


# Privileges

@pytest.mark.skipif(not ROOT, reason="only root has privileges to drop")
class TestPrivileges:
    def test_workers_drop_for_good(self, daemon, model):
        d = daemon(model)
        client = d.connect()
        assert client.ask(*QUESTION) == b"Complex."
        uid, gid = str(nobody().pw_uid), str(nobody().pw_gid)
        workers = [p for p in d.processes() if not is_starter(p)]
        assert workers
        for worker in workers:        # one may be young: another was busy
            until("its last step", lambda one=worker: one.status("NoNewPrivs") == ["1"])
            assert worker.status("Uid") == [uid] * 4
            assert worker.status("Gid") == [gid] * 4
            assert set(worker.status("Groups")) <= {gid}
            for kind in ("CapPrm", "CapEff", "CapInh", "CapAmb"):
                assert int(worker.status(kind)[0], 16) == 0, kind
        client.close()

    def test_workers_leave_the_groups_of_whoever_started_the_daemon(self, daemon, model):
        d = daemon(model, under=["setpriv", "--groups=2,3"])
        assert process(d.pid).status("Groups") == ["2", "3"]
        assert d.ask() == b"Ugly."
        until("no groups in all workers", lambda: all(set(worker.status("Groups")) <= {str(nobody().pw_gid)}
                                                      for worker in d.workers()))

    def test_rights_that_could_come_back_are_refused(self, place):
        """Where a change of user takes no capabilities away, it is not for good: nothing is served with them."""
        d = Daemon(place)
        result = run("setpriv", "--securebits=+no_setuid_fixup", APHORISMD, "-f", "-c", d.config)
        harness.nothing_left()
        assert result.returncode == 77, result.stderr
        assert "could come back" in result.stderr

    def test_the_supervisor_keeps_only_what_it_needs(self, daemon):
        d = daemon()
        assert process(d.pid).status("Uid") == ["0"] * 4
        until("fewer capabilities", lambda: bin(int(process(d.pid).status("CapEff")[0], 16)).count("1") < 15)

    def test_another_group(self, daemon):
        d = daemon(process__group="daemon")
        assert d.ask() == b"Ugly."
        # a spare worker that was forked just now is on its way there
        until("group 1 in all workers", lambda: all(
            worker.status("Gid") == ["1"] * 4 and set(worker.status("Groups")) <= {"1"} for worker in d.workers()))

    def test_no_user_keeps_root_with_a_warning(self, daemon):
        d = daemon(process__user="")
        assert d.ask() == b"Ugly."
        assert d.workers()[0].status("Uid") == ["0"] * 4
        d.wait_for(r"(?i)root")

    def test_workers_after_a_reload_have_dropped_too(self, daemon, model):
        d = daemon(model)
        old = {worker.pid for worker in d.workers()}
        d.reloaded()
        until("the new generation", lambda: not old & {worker.pid for worker in d.workers()})
        until("no rights in all workers", lambda: all(
            worker.status("Uid") == [str(nobody().pw_uid)] * 4 for worker in d.workers()))


def test_in_the_foreground_as_an_ordinary_user(daemon, model):
    """Whoever it is: no pidfile, no other user, a table and a control socket that are the user's own."""
    d = daemon(model, as_nobody=True, control__socket="")
    assert d.ask() == b"Ugly."
    if ROOT:
        assert process(d.pid).status("Uid") == [str(nobody().pw_uid)] * 4


def test_an_ordinary_user_can_not_become_another(place):
    d = Daemon(place, as_nobody=True, control__socket="", process__user="root" if ROOT else "daemon")
    result = run(APHORISMD, "-f", "-c", d.config, as_nobody=True)
    assert result.returncode == 78 and "process.user" in result.stderr


def test_an_ordinary_users_defaults(place):
    """pidfile and control socket go to $XDG_RUNTIME_DIR/aphorismd, or are left out."""
    d = Daemon(place, as_nobody=True, listen=(f"unix:{place}/home/s",), control__socket=None)
    (place / "home").mkdir()
    if ROOT:
        os.chown(place / "home", nobody().pw_uid, nobody().pw_gid)
    result = run(APHORISMD, "-c", d.config, as_nobody=True, env=environment(XDG_RUNTIME_DIR=str(place / "home")))
    try:
        assert result.returncode == 0, result.stderr
        assert talk(f"unix:{place}/home/s", QUESTION) == b"Complex."
        pid = int((place / "home/aphorismd/aphorismd.pid").read_text())
        assert (place / "home/aphorismd/control").is_socket()
        os.kill(pid, signal.SIGTERM)
        harness.nothing_left()
    finally:
        harness.end_all()


def test_an_ordinary_user_without_a_runtime_folder(daemon):
    d = daemon(as_nobody=True, control__socket=None)
    assert d.ask() == b"Ugly."
    d.wait_for("XDG_RUNTIME_DIR|control")


# What it tells

def test_what_ps_shows(daemon, model):
    d = daemon(model)
    for number in range(1, 4):
        assert talk(d.address, QUESTION * 2) == b"Complex." * 2
    until("a title with the model", lambda: any(f"{model} " in p.title() for p in d.workers()))
    if model == "prefork":
        def all_counted():
            words = [p.title().split() for p in d.workers()]
            return sum(int(w[w.index("answered") - 1]) for w in words if "answered" in w) == 6
        until("the answers in the titles", all_counted)
    with d.connect() as client:
        assert client.ask(*QUESTION) == b"Complex."
        if model == "prefork":
            until("a busy one", lambda: any("busy" in p.title() for p in d.workers()))


def test_a_line_of_statistics(daemon, model):
    d = daemon(model)
    for _ in range(5):
        assert talk(d.address, QUESTION * 3) == b"Complex." * 3
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        since = len(d.lines)
        d.signal(signal.SIGUSR1)
        line = d.wait_for(r"^.*\d+.*(answer|question).*$|^.*(answer|question).*\d+.*$", since).group()
        if "15" in line:
            return
    raise AssertionError(line)


def test_listening_is_told_at_any_level(daemon):
    assert daemon(log__level="error").ask() == b"Ugly."


def test_what_a_client_causes_is_not_in_the_log_by_default(daemon):
    d = daemon(log__level="notice")
    before = len(d.lines)
    for sent in (b"half", b"\xff\x00?", b"x" * 5000):
        talk(d.address, [sent])
    time.sleep(0.2)
    assert len(d.lines) == before


def test_hostile_bytes_are_escaped_and_capped(daemon, model):
    d = daemon(model)
    talk(d.address, [b"\x1b]0;owned\x07\n\x80\"\\" + b"z" * 3000])
    d.wait_for(r"\\x1b\]0;owned\\x07\\n\\x80")
    d.stop()
    assert all(len(line) < 600 and line.isprintable() for line in d.lines)


# Settings from everywhere

def dumped(*options, env=None):
    result = run(APHORISMD, "--dump", *options, env=environment(**(env or {})))
    assert result.returncode == 0, result.stderr
    return result.stdout


def line_of(dump, *words):
    found = [line for line in dump.splitlines() if all(word in line for word in words)]
    assert found, f"no line with {words} in\n{dump}"
    return found[0]


def test_precedence_and_origins(place):
    d = Daemon(place, timeouts__idle="41s", max_connections=41)
    line = next(n for n, text in enumerate(d.config.read_text().splitlines(), 1) if "max_connections" in text)
    where = ["-c", d.config]
    assert "default" in line_of(dumped(*where), "backlog", "511")
    assert f"{d.config}:{line}" in line_of(dumped(*where), "max_connections", "41")
    env = {"APHORISMD_TIMEOUTS_IDLE": "42s", "APHORISMD_MAX_CONNECTIONS": "42"}
    assert "environment" in line_of(dumped(*where, env=env), "idle", "42s")
    both = dumped(*where, "-o", "timeouts.idle=43s", env=env)
    assert "option" in line_of(both, "idle", "43s")
    assert "environment" in line_of(both, "max_connections", "42")


def test_a_dump_is_a_configuration_again(place):
    d = Daemon(place, timeouts__idle="41s", access__allow=["10.0.0.0/8"],
               listen=({"address": "127.0.0.1:0", "protocol": "echo"}, f"unix:{place}/s"))
    (place / "again.conf").write_text(dumped("-c", d.config))
    again = dumped("-c", place / "again.conf")
    for words in (("idle", "41s"), ("10.0.0.0/8",), ("echo",), (f"unix:{place}/s",)):
        line_of(again, *words)


def test_short_options(daemon, place):
    d = daemon(listen=(f"unix:{place}/never",), options=[
        "-m", "event", "-l", "127.0.0.1:0", "-o", "max_questions_per_connection=2", "-p", place / "pid"])
    assert d.address.startswith("127.0.0.1:")
    assert talk(d.address, QUESTION * 3) == b"Complex." * 2
    assert (place / "pid").read_text() == f"{d.pid}\n"
    assert not (place / "never").exists()
    assert any("event" in p.title() for p in d.workers())


def test_options_hold_at_a_reload(daemon):
    d = daemon(options=["-o", "max_questions_per_connection=2"])
    d.reloaded(max_questions_per_connection=1, table={**THREE, b"Which?": b"The new one."})
    d.settled()
    assert d.ask(b"Which?") == b"The new one."
    assert talk(d.address, QUESTION * 3) == b"Complex." * 2


def test_lists_in_the_environment(daemon):
    d = daemon(env={"APHORISMD_LISTEN": "127.0.0.1:0,[::1]:0", "APHORISMD_ACCESS_DENY": "10.0.0.0/8,127.0.0.2"},
               listen=("127.0.0.1:0", "[::1]:0"))
    assert d.addresses[1].startswith("[::1]:")
    assert talk(d.addresses[1], QUESTION) == b"Complex."
    assert talk(d.addresses[0], [], source="127.0.0.2") == b""
    assert d.ask(source="127.0.0.3") == b"Ugly."


def test_without_any_file(place):
    """Twelve factors: everything from the environment, the three aphorisms built in, the log on standard error."""
    env = environment(APHORISMD_LISTEN=f"unix:{place}/s", APHORISMD_MODEL="event", APHORISMD_CONTROL_SOCKET="",
                      APHORISMD_NO_SUCH_KEY="1", **({"APHORISMD_PROCESS_USER": "nobody"} if ROOT else {}))
    one = subprocess.Popen([APHORISMD, "-f"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env=env)
    try:
        until("service", lambda: (place / "s").exists() and answered(f"unix:{place}/s"))
        one.terminate()
        said = one.communicate(timeout=LIMIT)[1].decode()
        assert one.returncode == 0
        assert "APHORISMD_NO_SUCH_KEY" in said
    finally:
        harness.end_all(keep=(one.pid,))
        one.wait()


def answered(address):
    try:
        return talk(address, [b"".join(THREE)]) == b"".join(THREE.values())
    except OSError:
        return False


# Asked, not started

def test_its_models_are_named():
    names = harness.models()
    assert {"iterative", "fork", "thread", "prefork", "threadpool", "event"} <= set(names)
    for line in run(APHORISMD, "--list-models").stdout.splitlines():
        assert len(line.split()) > 2


@pytest.mark.parametrize("options,word", [(["--version"], "0.1.0"), (["-V"], "0.1.0"), (["--help"], "--foreground"),
                                          (["-h"], "--config")])
def test_version_and_help(options, word):
    result = run(APHORISMD, *options)
    assert result.returncode == 0 and word in result.stdout and not result.stderr


def test_a_good_configuration_passes(place):
    d = Daemon(place)
    result = run(APHORISMD, "--test", "-c", d.config)
    assert result.returncode == 0, result.stderr


def test_all_errors_in_one_run(place):
    d = Daemon(place, table=b"bad line\n")
    good = d.config.read_text()
    d.config.write_text(good + 'max_conections = 3;\nbacklog = "many";\nmax_connections = 0;\n'
                               'timeouts = { idle = "5 parsecs"; write = 0; };\nover_limit = "shrug";\n')
    first = good.count("\n") + 1
    result = run(APHORISMD, "-t", "-c", d.config)
    said = result.stdout + result.stderr
    assert result.returncode == 78
    for line, key in ((0, "max_conections"), (1, "backlog"), (2, "max_connections"), (3, "timeouts.idle"),
                      (3, "timeouts.write"), (4, "over_limit")):
        assert f"{d.config}:{first + line}: {key}: " in said, said


def test_it_warns_of_a_model_that_can_not_hold_so_many(place):
    d = Daemon(place, "iterative", max_connections=100)
    result = run(APHORISMD, "--test", "-c", d.config)
    assert result.returncode == 0
    assert "max_connections" in result.stdout + result.stderr


@pytest.mark.skipif(not ROOT, reason="an ordinary user's test says nothing of root's start")
def test_it_finds_what_a_start_would_refuse(place):
    """`aphorismd --test && aphorismd` is what people type."""
    (place / "empty.conf").touch()
    for options, key in ((("-o", "process.user=nosuch"), "process.user"),
                         (("-o", "process.user=nobody", "-o", "log.target=stderr"), "log.target")):
        result = run(APHORISMD, "-t", "-c", place / "empty.conf", "-o", f"aphorisms={ETC}/zen.aphorisms", *options)
        assert result.returncode == 78 and key in result.stderr, result


def test_the_sample_configuration_passes():
    if not (ETC / "aphorismd.conf").exists():
        pytest.skip("no sample configuration here")
    result = run(APHORISMD, "--test", "-c", ETC / "aphorismd.conf", *(["-o", "process.user=nobody"] if ROOT else []))
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_default_table_and_the_built_in_one_are_the_same(daemon):
    d = daemon(table=(ETC / "zen.aphorisms").read_bytes())
    for question, answer in THREE.items():
        assert d.ask(question) == answer


def test_a_dump_with_an_error_fails(place):
    d = Daemon(place, backlog=Raw("3000000000"))
    result = run(APHORISMD, "--dump", "-c", d.config)
    assert result.returncode == 78 and "backlog" in result.stderr


def test_paths_go_by_the_configurations_folder(daemon, place):
    """Not by the folder in which it was started, nor by that of a file that is included."""
    (place / "sub").mkdir()
    (place / "sub" / "more.conf").write_text(libconfig({"max_questions_per_connection": 1}))
    d = daemon()
    d.config.write_text(d.config.read_text() + '@include "sub/more.conf"\n')
    result = d.ctl("reload")
    assert result.returncode == 0, result.stdout + result.stderr
    until("the new limit", lambda: talk(d.address, [QUESTION[0] * 2]) == b"Complex.")
