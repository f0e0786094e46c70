"""Makes one system call of one process fail, with strace, and plays the same scene each time.

A scene is a start, a conversation, a reload and a stop; a fault is put into one role (who makes the call) in one part
of it.  Processes that do not exist yet are stopped at their first line (stop_here.c) until the tracer has them.

Scenes are played in a PID namespace of their own, and nowhere else: a supervisor that runs as root and takes the -1 of
a fork that failed for a process id would kill everything on this machine.  In there a bystander waits to be killed.
"""

import json
import mmap
import os
import re
import signal
import struct
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":
    sys.path[:0] = [str(HERE), str(HERE.parent / "system")]

import harness
from harness import Daemon, until
from oracle import answers, wrong

LIMIT = 5.0 * harness.SLACK / 4        # no fault may hold anything up for longer

OLD = {b"Beautiful is better than?": b"Ugly.", b"Explicit is better than?": b"Implicit."}
NEW = {b"Beautiful is better than?": b"Fair.", b"Explicit is better than?": b"Clear."}
QUESTION = b"Beautiful is better than?"

# what ends by itself ends well before the limit
SETTINGS = {
    "timeouts__drain": "1s", "timeouts__write": "1s", "timeouts__question": "2s",
    "prefork__start_workers": 1, "prefork__min_spare": 1, "prefork__max_spare": 2, "prefork__max_workers": 4,
    "threadpool__threads": 3, "event__workers": 1, "max_connections": 20,
}
CRASH = re.compile(r"died: (?!Killed|status)|Assertion|Sanitizer|stack smashing|double free|corrupted")

# Role and part of the scene -> how many processes begin until the one that is meant; None: it is there already.
BEGINS = {
    ("supervisor", "start"): 1, ("loader", "start"): 2, ("worker", "start"): 3,
    ("loader", "reload"): 1, ("worker", "reload"): 2, ("child", "conversation"): 1,
    ("supervisor", "reload"): None, ("supervisor", "stop"): None,
    ("supervisor", "conversation"): None, ("worker", "conversation"): None, ("worker", "drain"): None, ("worker", "stop"): None,
    ("child", "stop"): None, ("thread", "conversation"): None, ("thread", "stop"): None,
}
# Roles that come and go with a connection.
BRIEF = {"child": "fork", "thread": "thread"}


def places(model):
    """Where faults can be put."""
    return [place for place in BEGINS if BRIEF.get(place[0], model) == model]


def compiled(place):
    library = Path(place) / "stop_here.so"
    source = Path(__file__).with_name("stop_here.c")
    result = harness.run(os.environ.get("CC", "cc"), "-shared", "-fPIC", "-O", "-o", library, source)
    assert result.returncode == 0, result.stderr
    return library


class Fault:
    """`when`th call of `call` fails with `error`; without a call nothing fails and all calls are counted."""

    def __init__(self, call=None, error=None, when=0):
        self.call, self.error, self.when = call, error, when

    def __repr__(self):
        return f"{self.call}:{self.error}:{self.when}" if self.call else "none"

    def arguments(self):
        if not self.call:
            return ["-e", "signal=none"]
        return ["-e", "signal=none", "-e", f"trace={self.call}",
                "-e", f"inject={self.call}:error={self.error}:when={self.when}"]


class Scene:
    """One daemon, one fault, the whole play.  A broken promise is an AssertionError."""

    def __init__(self, model, role, part, fault, library):
        self.role, self.part, self.fault = role, part, fault
        self.place = harness.make_place()
        self.page_path, self.log = self.place / "page", self.place / "trace"
        self.page_path.write_bytes(bytes(8))
        with open(self.page_path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 8)
        self.tracer = None
        self.bystander = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        self.daemon = Daemon(self.place, model, table=OLD, **SETTINGS,
                             env={"LD_PRELOAD": str(library), "STOP_PAGE": str(self.page_path)})

    # the tracer

    def arm(self, part):
        """Before processes begin: one of them is to stop."""
        if part == self.part and BEGINS[self.role, part]:
            self.page[:] = struct.pack("ii", BEGINS[self.role, part], 0)

    def catch(self, part):
        """Attaches to the process that has stopped, and lets it go on.  It may never come, when another one failed."""
        if part != self.part or not BEGINS[self.role, part]:
            return
        pid = until("the process that stops", lambda: struct.unpack("ii", self.page[:])[1], LIMIT)
        until("its stop", lambda: harness.process(pid).state in "Tt", LIMIT)
        self.attach(pid)
        os.kill(pid, signal.SIGCONT)

    def seize(self, part, pids):
        """Attaches to one that is there."""
        if part != self.part or BEGINS[self.role, part] is not None:
            return
        for _ in range(10):
            try:
                return self.attach(pids()[self.role])
            except ProcessLookupError:
                pass                # it was about to leave
        raise AssertionError(f"there is no {self.role} that stays")

    def attach(self, pid):
        # the threads of a pool are a part of the worker; whatever comes and goes strace would count anew each time
        follow = ["-f"] if self.daemon.settings["model"] == "threadpool" and self.role == "worker" else []
        self.tracer = subprocess.Popen(["strace", "-q", *follow, "-p", str(pid), "-o", str(self.log),
                                        *self.fault.arguments()], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        until("the tracer", lambda: traced(pid, follow) or self.tracer.poll() is not None, LIMIT)
        if self.tracer.poll() is not None:
            said = self.tracer.stderr.read().decode()
            raise ProcessLookupError(said) if "No such process" in said else AssertionError(said)

    def detach(self):
        if self.tracer:
            self.tracer.terminate()
            self.tracer.wait(harness.LIMIT)
            self.tracer.stderr.close()

    def calls(self):
        """Call -> how often one process made it at most."""
        counts = {}
        for line in self.log.read_text(errors="replace").splitlines() if self.log.exists() else ():
            found = re.match(r"(?:(\d+) +)?(\w+)\(", line)
            if found:
                counts[found.groups()] = counts.get(found.groups(), 0) + 1
        most = {}
        for (_, call), count in counts.items():
            most[call] = max(most.get(call, 0), count)
        return most

    def struck(self):
        return self.log.exists() and "(INJECTED)" in self.log.read_text(errors="replace")

    # who is who

    def pids(self):
        d = self.daemon
        workers = [p.pid for p in d.workers()]
        worker = max(workers) if self.part == "stop" else min(workers)    # not one that a reload lets go
        children = [p.pid for p in d.processes() if p.ppid == worker]
        threads = [int(name) for name in os.listdir(f"/proc/{worker}/task")]
        return {"supervisor": d.pid, "worker": worker, "child": max(children, default=None), "thread": max(threads)}

    # the play

    def play(self):
        if self.start():
            idle, half = self.converse()
            self.reload(idle, half)
            self.stop()
        self.detach()
        d = self.daemon
        assert self.bystander.poll() is None, "a process was killed that is none of the daemon's"
        self.bystander.kill()
        self.bystander.wait()
        harness.until("the end of all processes", lambda: not harness.strays(), LIMIT)
        assert d.wait(LIMIT) >= 0, f"the supervisor died of signal {-d.wait()}"
        crashes = [line for line in d.lines if CRASH.search(line)]
        assert not crashes, crashes

    def start(self):
        """Whether it serves.  A start that failed says why, and with its exit status too."""
        d = self.daemon
        self.arm("start")
        d.launch()
        self.catch("start")
        over = ["(end of log)"]
        until("a start or its failure", lambda: self.listening() or d.lines[-1:] == over, LIMIT)
        if d.lines[-1:] == over:
            assert d.wait(LIMIT) != 0 and len(d.lines) > 1, f"a start that failed: status {d.wait()}, {d.lines}"
            return False
        d.addresses = [self.listening().group(1)]
        self.serves(OLD)
        return True

    def listening(self):
        """The daemon's word that it serves; where that very line of the log was struck, what it tells aphorismctl."""
        said = self.daemon.matches(r"listening on (\S+)")
        if said or self.fault.call not in ("write", "sendto"):
            return next(iter(said), None)
        return re.search(r"^listening (\S+)", self.daemon.ctl("status").stdout, re.M)

    def serves(self, *tables):
        """Somebody who comes now is answered in time, and whatever is said is right."""
        return until(f"an answer of {tables}", lambda: self.ask(tables), LIMIT)

    def ask(self, tables):
        sent = QUESTION + b"Explicit is better than?"
        try:
            with self.daemon.connect(limit=LIMIT) as client:
                got = self.exchange(client, [sent], lambda got: got.count(b".") == 2)
        except ConnectionRefusedError:
            return False
        assert not wrong(sent, got, OLD, NEW), wrong(sent, got, OLD, NEW)
        return any(got == answers(sent, table) for table in tables)

    @staticmethod
    def exchange(client, pieces, enough):
        """What comes back until there is enough of it, or an end; nothing at all for too long is a hang."""
        got = b""
        try:
            for piece in pieces:
                client.send(piece)
            while not enough(got):
                more = client.socket.recv(65536)
                if not more:
                    break
                got += more
        except (ConnectionResetError, BrokenPipeError):
            pass
        return got

    def converse(self):
        """A long conversation to its end; then two clients, idle and amid a question, who stay."""
        self.arm("conversation")
        if self.role not in BRIEF:
            self.seize("conversation", self.pids)
        pieces = [QUESTION, b"Explicit", b" is better than?", b" \r\n", QUESTION * 40, b"What?", b"x" * 5000, b"?"]
        sent = b"".join(pieces)
        with self.daemon.connect(limit=LIMIT) as client:
            self.catch("conversation")
            if self.role == "thread":
                until("its thread", lambda: len(os.listdir(f"/proc/{self.pids()['worker']}/task")) > 1, LIMIT)
                self.seize("conversation", self.pids)
            got = self.exchange(client, pieces, lambda got: self.fault.call == "close" and got.endswith(b"long."))
        assert not wrong(sent, got, OLD), wrong(sent, got, OLD)
        self.serves(OLD)
        if self.daemon.settings["model"] == "iterative":
            return None, None
        idle, half = self.daemon.connect(limit=LIMIT), self.daemon.connect(limit=LIMIT)
        got = self.exchange(idle, [QUESTION], lambda got: got.endswith(b"."))
        assert not wrong(QUESTION, got, OLD), wrong(QUESTION, got, OLD)
        half.send(b"Half a")
        return idle, half

    def reload(self, *clients):
        """Success is another table, for all who come; failure has a reason."""
        d = self.daemon
        self.arm("reload")
        self.seize("reload", self.pids)
        self.seize("drain", self.pids)
        d.write(table=NEW)
        ctl = subprocess.Popen([harness.APHORISMCTL, "-s", str(d.control), "reload"], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
        try:
            self.catch("reload")
            said, _ = ctl.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            ctl.kill()
            raise AssertionError("the reload hangs")
        if ctl.returncode == 0:
            self.serves(NEW)
        else:
            assert said.strip(), "a reload that failed without a reason"
            self.serves(OLD, NEW)
        for client in filter(None, clients):
            if self.fault.call == "close":      # strace does not make the call that it lets fail
                client.socket.settimeout(0.1)
            if ctl.returncode == 0:
                self.let_go(client)
            client.close()

    def let_go(self, client):
        try:
            got = self.exchange(client, [], lambda got: False)
            assert got in (b"", b"Error: too slow."), got
        except TimeoutError:
            assert self.fault.call == "close", "a client was not let go"

    def stop(self):
        """In time, with an end for those who are connected."""
        clients = [self.daemon.connect(limit=LIMIT)] if self.daemon.process.poll() is None else []
        for client in clients:
            self.exchange(client, [QUESTION], lambda got: got.endswith(b"."))
        self.seize("stop", self.pids)
        self.daemon.signal(signal.SIGTERM)
        self.daemon.wait(LIMIT)
        for client in clients:
            self.let_go(client)
            client.close()

    def clean_up(self):
        for one in filter(None, (self.tracer, self.bystander)):
            if one.poll() is None:
                one.kill()
        harness.end_all()
        self.page.close()
        harness.remove(self.place)


def traced(pid, all_threads):
    """Whether it has a tracer, or each of its threads."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").glob("*/status")) if all_threads else [Path(f"/proc/{pid}/status")]
        return tasks and all("TracerPid:\t0\n" not in task.read_text() for task in tasks)
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def scene(*about):
    one = Scene(*about)
    try:
        yield one
    finally:
        one.clean_up()


def result(about, fault, library):
    """Which promise the fault breaks, if any; whether it struck; and what was called how often."""
    with scene(*about, fault, library) as one:
        failed = None
        try:
            one.play()
        except (AssertionError, OSError, subprocess.TimeoutExpired) as reason:
            failed = f"{fault}: {reason!r:.600}\n    " + "\n    ".join(one.daemon.lines[-12:])
        return failed, one.struck(), one.calls()


FENCE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]


def fence():
    """None, or why there is no namespace to play in."""
    tried = harness.run(*FENCE, "sh", "-c", "echo $$")
    return None if tried.returncode == 0 and tried.stdout == "1\n" else f"no PID namespace: {tried.stderr.strip()}"


def play_all(about, faults, library):
    """The result of each fault, all of them inside the fence."""
    command = [*FENCE, sys.executable, __file__, *about, library]
    played = harness.run(*command, limit=60 + 60 * len(faults), input=json.dumps([vars(fault) for fault in faults]),
                         stdin=None)
    assert played.returncode == 0, played.stdout + played.stderr
    return json.loads(played.stdout.splitlines()[-1])


if __name__ == "__main__":
    assert os.getpid() == 1, "scenes are played in a PID namespace of their own only"
    *where, stop_library = sys.argv[1:]
    print(json.dumps([result(where, Fault(**fault), stop_library) for fault in json.load(sys.stdin)]))
