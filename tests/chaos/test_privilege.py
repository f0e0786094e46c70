"""Least privilege: what a process of the daemon can do once somebody else speaks through it."""

import contextlib
import os
import re
import shutil
import signal
import socket
import time
from pathlib import Path

import harness
import pytest
from harness import APHORISMD, ROOT, SLACK, Client, Daemon, is_starter, open_files, owners, process, run, talk, until
from intruder import (FILES, FILES_READ, OTHERS, PROGRAMS, RIGHTS, SERVER, SOCKETS, SYSTEM, child_of, intruder,
                      needs_ptrace, scribbler, succeeded)
from test_systemd import Manager

ANYBODY = {**FILES, **PROGRAMS, **SOCKETS, **OTHERS, **RIGHTS, **SYSTEM}
ANSWERS = b"Ugly."
START_S = 30                      # which a worker has to become ready
MECHANISMS = "required, but|is not built in"


@pytest.fixture(scope="session")
def sandbox():
    """Skips where the sandbox can't be whole."""
    built = run(APHORISMD, "-t", "-o", "process.sandbox=required", "-o", "listen=127.0.0.1:0")
    lacking = re.search(f"(?m)^.*({MECHANISMS}).*$", built.stdout + built.stderr)
    if lacking:
        pytest.skip(lacking.group())


def makes_processes(model):
    return model == "fork"


@pytest.fixture
def start(daemon, sandbox):
    return lambda model=None, **more: daemon(model, process__sandbox="required", **more)


# Workers

def acts_of_a_worker(model):
    own = {"setitimer", "accept4"} | ({"fork", "clone"} if makes_processes(model) else set())
    if model == "event" and harness.ENGINE == "io_uring":
        own.add("io_uring_enter")     # of its ring, which is tied: tests/unit/test_uring.c
    return {name: act for name, act in {**ANYBODY, **FILES_READ, **SERVER}.items() if name not in own}


def test_a_worker_can_do_nothing_but_serve(start, model):
    """Every thread of it, and one that took the place of a dead one, whose parent is confined by then."""
    d = start(model)
    first = d.workers()[0]
    os.kill(first.pid, signal.SIGKILL)
    until("another worker", lambda: first.pid not in (p.pid for p in d.workers()) and d.ask() == ANSWERS)
    for pid in {d.workers()[0].pid, d.workers()[-1].pid}:
        thread = int(sorted(os.listdir(f"/proc/{pid}/task"), key=int)[-1])
        with intruder(thread) as worker:
            assert succeeded(worker, acts_of_a_worker(model), d.pid) == {}
    assert d.ask() == ANSWERS


def test_a_child_of_a_fork_worker_can_do_nothing_but_serve(start):
    d = start("fork")
    with d.connect() as client:
        assert client.ask(b"Beautiful is better than?") == ANSWERS
        child = until("a child", lambda: [p for p in d.processes() if p.ppid != d.pid])[0]
        with intruder(child.pid) as stopped:
            assert succeeded(stopped, acts_of_a_worker("fork"), d.pid) == {}
            assert succeeded(stopped, OTHERS, child.ppid) == {}
        assert client.ask(b"Beautiful is better than?") == ANSWERS


def test_a_child_of_a_fork_worker_ends_nobody(start):
    """It may send one signal to its group, which means nothing from it."""
    d = start("fork")
    leader, = d.workers()
    with d.connect() as mine, d.connect() as others:
        assert mine.ask(b"Beautiful is better than?") == others.ask(b"Beautiful is better than?") == ANSWERS
        hostile, = (p for p in owners(mine) if p.ppid == leader.pid)
        others.send(b"Beautiful is")
        with intruder(hostile.pid) as child:
            assert child.call(14, 0, b"\xff" * 8, 0, 8) == 0        # it keeps them from itself
            sent = {number for number in range(1, 65) if child.call(62, 0, number) != -1}
            assert sent == {signal.SIGUSR2}
            assert {child.call(234, leader.pid, leader.pid, number) for number in range(1, 65)} == {-1}
            assert {child.call(62, 0, signal.SIGUSR2) for _ in range(100)} == {0}
        assert others.ask(b" better than?") == ANSWERS
        assert mine.ask(b"Beautiful is better than?") == ANSWERS
        assert d.ask() == ANSWERS
        assert [p.pid for p in d.workers()] == [leader.pid]
        assert not d.matches("died")


def test_a_child_that_was_lied_to_ends_with_its_parents(start):
    """A sibling's signal, which it doesn't believe, is pending when the kernel's would come, and hides it."""
    d = start("fork")
    leader, = d.workers()
    with d.connect() as mine, d.connect() as others:
        assert mine.ask(b"Beautiful is better than?") == others.ask(b"Beautiful is better than?") == ANSWERS
        hostile, victim = (next(p for p in owners(client) if p.ppid == leader.pid) for client in (mine, others))
        os.kill(victim.pid, signal.SIGSTOP)
        with intruder(hostile.pid) as child:
            assert child.call(14, 0, b"\xff" * 8, 0, 8) == 0
            assert child.call(62, 0, signal.SIGUSR2) == 0
        d.kill()
        until("the end of the leader", lambda: leader.pid not in (p.pid for p in harness.strays()))
        os.kill(victim.pid, signal.SIGCONT)
        until("the end of its child", lambda: victim.pid not in (p.pid for p in harness.strays()), limit=1 + SLACK)
        harness.strike(hostile.pid, signal.SIGKILL)


def test_a_generation_after_a_reload_is_confined_as_well(start, model):
    d = start("iterative")
    d.reloaded(model=model)
    until("the end of the old one", lambda: len({p.title().split()[1] for p in d.workers()}) == 1)
    with intruder(d.workers()[-1].pid) as worker:
        assert succeeded(worker, acts_of_a_worker(model), d.pid) == {}


def test_without_a_sandbox_an_intruder_would_get_far(daemon):
    """The method of these tests sees what is not denied."""
    needs_ptrace()
    d = daemon(process__sandbox="off")
    with intruder(d.workers()[0].pid) as worker:
        found = succeeded(worker, {**FILES_READ, **SOCKETS, "umask": FILES["umask"], "pipe2": SYSTEM["pipe2"]}, d.pid)
    assert {"open", "openat", "socket inet", "socket unix", "socketpair", "umask", "pipe2"} <= set(found)
    assert min(found[name] for name in ("open", "openat", "socket inet", "pipe2")) >= 0
    assert process(d.workers()[0].pid).status("Seccomp") == ["0"]


def test_every_process_is_marked(start, model):
    d = start(model)
    for p in [process(d.pid), *d.workers()]:
        assert (p.status("Seccomp"), p.status("NoNewPrivs")) == (["2"], ["1"]), p.title()


# What workers share

def listening(pid):
    """Its descriptors that are listeners."""
    tables = {name: [line.split() for line in Path(f"/proc/{pid}/net/{name}").read_text().splitlines()[1:]]
              for name in ("tcp", "unix")}
    inodes = {words[9] for words in tables["tcp"] if words[3] == "0A"}
    inodes |= {words[6] for words in tables["unix"] if int(words[3], 16) & 0x10000}
    return [fd for fd, what in open_files(pid).items() if what[len("socket:["):-1] in inodes]


def test_nobody_changes_what_connections_inherit(start, place, model):
    """By no number that stands for a listener; and time-outs go on as they were, on sockets that inherit none too."""
    d = start(model, listen=("127.0.0.1:0", f"unix:{place}/socket"), timeouts__idle="1s")
    hostile = d.workers()[0].pid
    listeners = listening(hostile)
    assert len(listeners) >= 2
    never = bytes(16)
    with intruder(hostile) as worker:
        for fd in listeners:
            for number in (fd, fd | 1 << 32):
                assert {worker.call(54, number, 1, option, never, 16) for option in (20, 21)} == {-1}
                assert worker.call(33, number, 90) == worker.call(292, number, 91, 0) == -1
    for number in range(2):
        with d.connect(number) as client:
            assert client.everything() == b""


def test_a_listener_that_was_shut_down_is_opened_anew(start, place, model):
    """Even where it takes connections again, whose clients nobody would hear; and at the port that it had."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    d = start(model, listen=("127.0.0.1:0", f"unix:{place}/socket", f"127.0.0.1:{port}"))
    hostile = d.workers()[0].pid
    d.signal(signal.SIGSTOP)          # until all are
    with intruder(hostile) as worker:
        for fd in listening(hostile):
            worker.call(48, fd, 2)
    d.signal(signal.SIGCONT)
    d.wait_for("was shut down by a worker: it is opened anew", number=2)
    again = d.wait_for(r"listening on (127\S+)", number=2).group(1)
    d.wait_for("reloaded: generation 2")
    d.settled()
    for address in (again, *d.addresses[1:]):
        assert talk(address, [b"Simple is better than?"]) == b"Complex."
    with d.connect(1) as client:
        assert client.ask(b"Beautiful is better than?") == ANSWERS


@pytest.mark.models(only=("prefork", "event"))
def test_listeners_beside_each_other_that_were_shut_down(start, model, reserved):
    """The wider one is opened anew; the narrower one, which was kept for those on their way to it, is not."""
    port = reserved
    d = start(model, listen=(f"127.0.0.1:{port}",))
    d.reloaded(listen=(f"*:{port}",))
    d.settled()
    hostile = d.workers()[0].pid
    d.signal(signal.SIGSTOP)
    with intruder(hostile) as worker:
        for fd in listening(hostile):
            worker.call(48, fd, 2)
    d.signal(signal.SIGCONT)
    d.wait_for("reloaded: generation 3")
    d.settled()
    for address in (d.address, f"127.0.0.2:{port}"):
        assert talk(address, [b"Simple is better than?"]) == b"Complex."


def test_a_listener_that_was_shut_down_is_opened_once_that_can_be(start, place):
    """A reload that fails, whatever for, is not the last word, as nobody would be served until an operator came."""
    d = start("iterative", listen=(f"unix:{place}/socket",))
    good = d.config.read_text()
    d.config.write_text("nonsense")
    with intruder(d.workers()[0].pid) as worker:
        for fd in listening(worker.tid):
            worker.call(48, fd, 2)
    d.wait_for("was shut down by a worker: it is opened anew")
    d.wait_for("reload failed")
    d.config.write_text(good)
    d.wait_for("reloaded: generation")
    with d.connect() as client:
        assert client.ask(b"Beautiful is better than?") == ANSWERS


@pytest.mark.models(only=("prefork", "threadpool", "event"))
def test_a_listener_that_is_borrowed_and_was_shut_down_costs_nothing(start, model):
    """Nobody but its owner can open it anew; the workers wait for that."""
    with socket.create_server(("127.0.0.1", 0)) as borrowed:
        d = start(model, sockets=[borrowed])
        d.signal(signal.SIGSTOP)
        with intruder(d.workers()[0].pid) as worker:
            for fd in listening(worker.tid):
                worker.call(48, fd, 2)
        d.signal(signal.SIGCONT)
        d.wait_for("was shut down by a worker: whoever has opened it")
        before, woken = d.cpu(), process(d.pid).status("voluntary_ctxt_switches")
        time.sleep(1)
        assert d.cpu() - before < 0.2
        assert int(process(d.pid).status("voluntary_ctxt_switches")[0]) - int(woken[0]) < 5


@pytest.mark.models(only=("prefork", "event"))
def test_nobody_is_killed_for_what_another_worker_writes(start, model):
    """As if it were still starting, for longer than the supervisor grants."""
    d = start(model, prefork__start_workers=3, prefork__min_spare=3, prefork__max_spare=3, prefork__max_workers=3,
              event__workers=3)
    hostile, victim = d.workers()[:2]
    with contextlib.ExitStack() as ends, scribbler(hostile.pid):
        with child_of(d.pid, lambda: os.kill(victim.pid, signal.SIGKILL), wanted=3) as stopped:
            young = stopped.tid
            d.signal(signal.SIGSTOP)
        until("a worker that is ready", lambda: "idle" in process(young).title())
        time.sleep(0.1)               # for the hostile one, who may need the last word
        d.signal(signal.SIGCONT)
        assert d.ask() == ANSWERS

        def is_held():
            client = ends.enter_context(d.connect())
            assert client.ask(b"Beautiful is better than?") == ANSWERS
            return client if young in (p.pid for p in owners(client)) else None
        client = until("a client of the young worker's", is_held)
        time.sleep(START_S + SLACK)
        assert process(young)
        assert client.ask(b"Beautiful is better than?") == ANSWERS


@pytest.mark.models(only=("fork", "event"))
def test_nobody_mixes_the_connections_of_others(start, model, rng):
    """To another worker, or to a fork worker in which connections have a process each, all slots look free, again and
    again: what it keeps by slot is its own, so clients have their answers, and a stop is as quick as ever."""
    d = start(model, table={b"Long?": b"y" * 20000 + b"."}, event__workers=2, max_connections=64)
    clients = [d.connect()]
    assert clients[0].ask(b"Long?") == b"y" * 20000 + b"."
    hostile = next(p for p in owners(clients[0]) if model == "event" or p.ppid != d.pid)
    with scribbler(hostile.pid, first=1, count=1 << 20, word=0):
        for _ in range(400):
            client = d.connect()
            client.send(b"Long?")
            clients.append(client)
            if rng.random() < 0.5:
                assert client.answer() == b"y" * 20000 + b"."
            if len(clients) > 40:
                clients.pop(rng.randrange(len(clients))).close()
    began = time.monotonic()
    d.stop()
    assert time.monotonic() - began < SLACK
    assert not d.matches("cut|died")
    for client in clients:
        client.close()


# The supervisor

def test_the_supervisor_starts_no_program_and_rules_no_system(start):
    d = start()
    denied = {**{name: act for name, act in {**OTHERS, **SYSTEM, **RIGHTS}.items()
                 if name in ("ptrace attach", "ptrace me", "process_vm_readv", "process_vm_writev", "kcmp", "unshare",
                             "setns", "pidfd_getfd", "personality")},
              **{name: act for name, act in PROGRAMS.items() if name.startswith("exec")},
              **{name: act for name, act in SYSTEM.items() if name not in
                 ("ioctl that types", "shmget", "msgget", "semget", "mq_open", "timer_create", "pipe2",
                  "io_uring_setup", "io_uring_enter", "io_uring_register")},       # its workers may need them
              "chroot": FILES["chroot"], "mknod": FILES["mknod"], "open_by_handle_at": FILES["open_by_handle_at"]}
    with intruder(d.pid) as supervisor:
        assert succeeded(supervisor, denied, os.getpid()) == {}
        devnull = supervisor.call(2, b"/dev/null\0", 2)
        assert devnull >= 0
        assert supervisor.call(3, devnull) == 0
    d.reloaded(listen=("127.0.0.1:0", "127.0.0.1:0"))
    assert d.ask() == ANSWERS


@pytest.mark.skipif(not ROOT, reason="only root has capabilities to lose")
def test_the_supervisor_has_lost_the_rights_that_it_does_not_need(start, place):
    d = start()
    secret = place / "secret"
    secret.write_text("of nobody's")
    secret.chmod(0o600)
    os.chown(secret, harness.nobody().pw_uid, -1)
    path = os.fsencode(secret) + b"\0"
    until("few capabilities", lambda: bin(int(process(d.pid).status("CapEff")[0], 16)).count("1") <= 4)
    with intruder(d.pid) as supervisor:
        assert supervisor.call(2, path, 0) == -13
        assert supervisor.call(92, path, 0, 0) == -1
        assert supervisor.call(41, 2, 3, 1) == -1         # a raw socket
        assert supervisor.call(105, 0) == 0               # which it needs for its workers


@pytest.mark.parametrize("as_nobody", [False, True])
def test_the_supervisor_has_no_power_over_the_starter(start, place, as_nobody):
    """Which nothing confines, and which is of the same user: it obeys, and starts nothing but the daemon's program."""
    place.chmod(0o777)
    d = start(as_nobody=as_nobody)
    starter, = filter(is_starter, d.processes())
    memory = b"/proc/%d/mem\0" % starter.pid
    acts = {name: OTHERS[name] for name in ("ptrace attach", "process_vm_readv", "process_vm_writev")}
    with intruder(d.pid) as supervisor:
        assert succeeded(supervisor, acts, starter.pid) == {}
        assert supervisor.call(2, memory, 2) == -13
    d.upgraded()
    assert d.ask() == ANSWERS


# The loader

def test_the_loader_can_do_nothing_but_read(start):
    d = start()
    allowed = {"lseek", "open", "openat", "stat", "newfstatat"}
    acts = {**ANYBODY, **SERVER, **{name: act for name, act in FILES_READ.items() if name not in allowed}}
    since = len(d.lines)
    with child_of(d.pid, lambda: d.signal(signal.SIGHUP), wanted=3) as loader:
        assert "loader" in process(loader.tid).title()
        assert succeeded(loader, acts, d.pid) == {}
        assert loader.call(2, b"/etc/passwd\0", 0) >= 0
        held = [what for fd, what in open_files(loader.tid).items() if fd > 2 and what != "/etc/passwd"]
        assert len(held) == 2 and all(re.match(r"pipe:|/memfd:", what) for what in held), held
    d.wait_for(r"reloaded: generation 2", since)
    assert d.ask() == ANSWERS


def test_the_words_of_a_loader_are_nobody_elses(start, place):
    """What it says reaches operators, the log and the service manager: as reports, whatever it wants them to be."""
    with contextlib.closing(Manager(f"{place}/notify")) as manager:
        d = start(env={"NOTIFY_SOCKET": manager.name})
        d.config.write_text("modle = 5;\n")
        forged = (b"error 1\x1b[2J\x07\r\0 2\nend 0\n\npong\nREADY=1\nMAINPID=1\nerror\nerrors are none\n"
                  b"notice READY=1\tMAINPID=1\nend 0\n")
        with Client(f"unix:{d.control}") as client:
            with child_of(d.pid, lambda: client.send(b"reload\n"), wanted=3) as loader:
                assert loader.call(1, 4, forged, len(forged)) == len(forged)
            lines = client.everything().split(b"\n")
        assert lines[:2] == [b"error 1?[2J??? 2", b"notice READY=1?MAINPID=1"]
        assert lines[2].startswith(b"error ") and b"modle" in lines[2] and lines[3:] == [b"end 78", b""]
        d.wait_for(r"1\?\[2J\?\?\? 2$")
        said = manager.wait_for(STATUS="reload failed")[1]
        assert said == {"READY": "1", "STATUS": "reload failed: 1?[2J??? 2; generation 1 goes on"}
    assert d.ask() == ANSWERS


def test_a_loader_without_end(start):
    """What it says more than anybody wants to know keeps nobody busy, and leaves room for the reason of its end."""
    d = start()
    d.config.write_text("modle = 5;\n")
    with Client(f"unix:{d.control}") as client:
        with child_of(d.pid, lambda: client.send(b"reload\n"), wanted=3) as loader:
            for _ in range(60):
                assert loader.call(1, 4, b"notice " + b"x" * 1992 + b"\n", 2000) == 2000
        lines = client.everything().split(b"\n")
    assert all(re.match(rb"notice x+$", line) for line in lines[:-3]) and len(lines) > 30
    assert lines[-3:] == [b"error the configuration could not be loaded", b"end 78", b""]
    assert d.ask() == ANSWERS


def test_the_first_loader_is_confined_too(daemon, sandbox):
    """Before anybody has read what the configuration says about it."""
    table = b"".join(b"Is %d better than? Yes.\n" % n for n in range(1000000))     # for that it needs a while
    d = daemon(launch_only=True, table=table)

    def confined():
        for p in d.workers():
            try:
                if "loader" in p.title() and p.status("Seccomp") == ["2"]:
                    return True
            except (FileNotFoundError, ProcessLookupError):
                pass
        assert not d.matches("listening on"), "it came and went unseen, or unconfined"
        return False
    until("a confined loader", confined)
    d.wait_for("listening on")


def test_a_loader_takes_no_part_in_an_upgrade(place, sandbox):
    """In the background standard error of the process that comes is how that speaks with the one that leaves."""
    table = {b"Is %d better than?" % n: b"Yes." for n in range(1000000)}           # for that it needs a while
    d = Daemon(place, "prefork", listen=(f"unix:{place}/s",), process__pidfile=place / "pid",
               process__sandbox="required")
    assert run(APHORISMD, "-c", d.config).returncode == 0
    predecessor = int((place / "pid").read_text())
    d.write(table)
    with Client(f"unix:{d.control}") as client:
        client.send(b"upgrade\n")
        loader = until("a confined loader", lambda: [p for p in harness.strays() if "loader" in p.title() and
                                                    p.ppid != predecessor and p.status("Seccomp_filters") == ["2"]])[0]
        with intruder(loader.pid) as stopped:
            words = b"ready 0 0\ntaken\n"
            stopped.call(1, 2, words, len(words))
        lines = client.everything().decode()
    assert re.fullmatch(r"pid \d+\nend 0\n", lines)
    # who is in the queue by now may still be taken by a worker of the predecessor, which knows the old table
    until("the answer of the one that came", lambda: talk(f"unix:{place}/s", [b"Is 7 better than?"]) == b"Yes.")


def test_off_by_an_option_is_off_for_the_first_loader(daemon, sandbox):
    d = daemon(options=["-o", "process.sandbox=off"])
    for p in [process(d.pid), *d.workers()]:
        assert p.status("Seccomp") == ["0"], p.title()


# Giving up root

@pytest.mark.skipif(not ROOT, reason="only root has groups to give up")
def test_no_supplementary_group_survives(start, model):
    d = start(model, under=("setpriv", "--groups=1,2,3,27"))
    assert process(d.pid).status("Groups") == ["1", "2", "3", "27"]
    with d.connect() as client:
        assert client.ask(b"Beautiful is better than?") == ANSWERS
        for p in (p for p in d.processes() if not is_starter(p)):
            assert p.status("Groups") == [], p.title()
            assert set(p.status("Uid")) == {str(harness.nobody().pw_uid)}


NOBODY = ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups")
BINDS = ("--inh-caps=+net_bind_service,+kill", "--ambient-caps=+net_bind_service,+kill")


def capabilities(p):
    return {kind: int(p.status(kind)[0], 16) for kind in ("CapPrm", "CapEff", "CapInh", "CapAmb")}


def serving(d):
    """Workers, and their children: those that are ready, for one more may be starting."""
    found = [p for p in d.processes() if re.search("idle|busy", p.title())]
    assert found
    return found


@pytest.mark.skipif(not ROOT, reason="only root has capabilities to give")
def test_an_ordinary_users_capabilities_stay_with_the_supervisor(daemon, place, model):
    """As a service manager grants them (AmbientCapabilities=): to bind low ports, at any reload and after an upgrade."""
    place.chmod(0o777)
    own = os.getpid()                 # an address that no other test has
    low = [f"127.{own % 250 + 1}.{own // 250 % 250}.{own // 62500 + 1}:{port}" for port in (41, 42)]
    d = daemon(model, listen=low[:1], process__user=None, under=(*NOBODY, *BINDS), metrics__file=place / "metrics")
    for again in (None, d.reloaded, d.upgraded):
        if again:
            d.write(listen=tuple(low))
            again()
            d.settled()
        with d.connect() as client:
            assert client.ask(b"Beautiful is better than?") == ANSWERS
            for p in serving(d):
                assert set(capabilities(p).values()) == {0}, p.title()
        until("a supervisor that binds", lambda: capabilities(process(d.pid)) == {
            "CapPrm": 1 << 10 | 1 << 5, "CapEff": 1 << 10 | 1 << 5, "CapInh": 0, "CapAmb": 0})


@pytest.mark.skipif(not ROOT, reason="only root has capabilities to keep")
def test_workers_that_stay_root_keep_no_capability(daemon, model):
    d = daemon(model, process__user="")
    with d.connect() as client:
        assert client.ask(b"Beautiful is better than?") == ANSWERS
        for p in serving(d):
            assert p.status("Uid") == ["0"] * 4
            assert set(capabilities(p).values()) == {0}, p.title()


# A kernel that has less

def without(call, error):
    """What to run the daemon under, so that a system call fails as if the kernel did not have it."""
    if not shutil.which("strace"):
        pytest.skip("there is no strace")
    return ("strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", f"inject={call}:error={error}")


@pytest.mark.parametrize("call, error, reason", [
    ("landlock_create_ruleset", "ENOSYS", "this kernel has no Landlock"),
    ("landlock_create_ruleset", "EOPNOTSUPP", "Landlock is switched off in this kernel"),
    ("landlock_restrict_self", "E2BIG", "the kernel refuses to be restricted by Landlock"),
    ("seccomp", "EINVAL", "the kernel refuses a seccomp filter"),
])
def test_required_is_not_less(daemon, sandbox, call, error, reason):
    d = daemon(launch_only=True, process__sandbox="required", under=without(call, error))
    d.wait_for(re.escape(f"process.sandbox: required, but {reason}"))
    assert d.wait() == 71
    assert not d.matches("listening on")


def test_auto_takes_what_there_is_and_says_so(daemon, sandbox):
    d = daemon(process__sandbox="auto", under=without("landlock_create_ruleset", "ENOSYS"))
    assert len(d.matches("process.sandbox: not all of it is in force: this kernel has no Landlock")) == 1
    assert d.ask() == ANSWERS
    assert all(p.status("Seccomp") == ["2"] for p in d.workers())
    d.reloaded()
    assert len(d.matches("process.sandbox: not all")) == 1


def test_auto_says_so_when_only_a_worker_lacks_it(daemon, sandbox):
    d = daemon(model="iterative", process__sandbox="auto", under=without("landlock_restrict_self", "E2BIG"))
    d.wait_for("iterative 0: process.sandbox: not all of it is in force: the kernel refuses to be restricted")
    assert d.ask() == ANSWERS


def test_a_restart_is_needed_to_change_it(start):
    d = start()
    result = d.reload(process__sandbox="off")
    assert result.returncode == 78 and "process.sandbox" in result.stdout + result.stderr
    assert talk(d.address, [b"Simple is better than?"]) == b"Complex."
    d.reloaded(process__sandbox="required")
