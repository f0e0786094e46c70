"""Makes one system call of one process fail, with strace, and plays the same scene each time.

A scene is a start, a conversation, a reload and a stop; a fault is put into one role (who makes the call) in one part
of it.  Processes that do not exist yet are stopped at their first line (stop_here.c) until the tracer has them.

Scenes are played in a PID namespace of their own, and nowhere else: a supervisor that runs as root and takes the -1 of
a fork that failed for a process id would kill everything on this machine.  In there a bystander waits to be killed.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
if __name__ == "__main__":
    sys.path[:0] = [str(HERE), str(HERE.parent / "system")]

import harness
from harness import Daemon, until
from oracle import answers, wrong
from tracer import Fault, Tracer

LIMIT = 5.0 * harness.SLACK / 4        # no fault may hold anything up for longer

OLD = {b"Beautiful is better than?": b"Ugly.", b"Explicit is better than?": b"Implicit.", b"Long?": b"x" * 60000 + b"."}
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
    ("supervisor", "start"): 1, ("starter", "start"): 2, ("loader", "start"): 3, ("worker", "start"): 4,
    ("loader", "reload"): 1, ("worker", "reload"): 2, ("child", "conversation"): 1,
    ("supervisor", "reload"): None, ("supervisor", "stop"): None,
    ("supervisor", "conversation"): None, ("worker", "conversation"): None, ("worker", "drain"): None,
    ("worker", "stop"): None,
    ("child", "stop"): None, ("thread", "conversation"): None, ("thread", "stop"): None,
}
# Roles that come and go with a connection.
BRIEF = {"child": "fork", "thread": "thread"}
TWO = "+2"         # behind a model's name: it has two listeners, which are another way to accept
LAUNCH = {"launcher": 1, "middle": 2, "daemon": 3}      # the processes of a start that leaves the terminal


def points(models):
    """Where faults can be put: model, role, part."""
    found = [(model, *point) for model in models for point in BEGINS if BRIEF.get(point[0], model) == model]
    found += [(model + TWO, *point) for model in models for point in BEGINS if point[0] == "worker"]
    return found + [(models[0], role, "launch") for role in LAUNCH]


class Scene:
    """One daemon, one fault, the whole play.  A broken promise is an AssertionError."""

    def __init__(self, model, role, part, fault, library):
        self.role, self.part, self.fault = role, part, fault
        model, two, _ = model.partition(TWO)
        self.place = harness.make_place()
        listen = ("127.0.0.1:0", f"unix:{self.place}/second") if two else ("127.0.0.1:0",)
        # the threads of a pool are a part of the worker; whatever comes and goes strace would count anew each time
        self.follow, self.asked = model == "threadpool" and role == "worker", 0
        self.tracer = Tracer(self.place, fault, LIMIT)
        self.bystander = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        # a child of the fork model that stops itself sends a signal, which the worker's filter allows to the worker only
        sandbox = {"process.sandbox": "off"} if role == "child" else {}
        self.daemon = Daemon(self.place, model, table=OLD, listen=listen, **SETTINGS, **sandbox,
                             env={"LD_PRELOAD": str(library), "STOP_PAGE": str(self.tracer.page_path)})

    # a part of the scene comes: whoever begins in it is to be caught, or whoever is there to be seized

    def begins(self):
        return LAUNCH[self.role] if self.part == "launch" else BEGINS[self.role, self.part]

    def arm(self, part):
        if part == self.part and self.begins():
            self.tracer.arm(self.begins())

    def catch(self, part):
        if part == self.part and self.begins():
            self.tracer.catch(self.follow)

    def seize(self, part):
        if part != self.part or self.begins() is not None:
            return
        for _ in range(10):
            try:
                return self.tracer.attach(self.pid(), self.follow)
            except (ProcessLookupError, ValueError):
                time.sleep(0.01)    # it was about to leave, or is about to come
        raise AssertionError(f"there is no {self.role} that stays")

    # who is who

    def pid(self):
        d = self.daemon
        workers = [p.pid for p in d.workers()]
        worker = max(workers) if self.part == "stop" else min(workers)    # not one that a reload lets go
        if self.role == "child":
            return max(p.pid for p in d.processes() if p.ppid == worker)
        if self.role == "thread":
            return max(int(name) for name in os.listdir(f"/proc/{worker}/task"))
        return {"supervisor": d.pid, "worker": worker}[self.role]

    # the play

    def play(self):
        if self.start():
            idle, half = self.converse()
            self.reload(idle, half)
            self.stop()
        self.tracer.detach()
        d = self.daemon
        self.bystander_lives()
        harness.until("the end of all processes", lambda: not harness.strays(), LIMIT)
        assert d.wait(LIMIT) >= 0, f"the supervisor died of signal {-d.wait()}"
        crashes = [line for line in d.lines if CRASH.search(line)]
        assert not crashes, crashes

    def bystander_lives(self):
        assert self.bystander.poll() is None, "a process was killed that is none of the daemon's"
        self.bystander.kill()
        self.bystander.wait()

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
        d.addresses = [self.listening().group(1), f"unix:{self.place}/second"]
        self.serves(OLD)
        return True

    def listening(self):
        """The daemon's word that it serves; where that very line of the log was struck, what it tells aphorismctl."""
        said = self.daemon.matches(r"listening on (\S+)")
        if said or self.part != "launch" and self.fault.call not in ("write", "sendto"):
            return next(iter(said), None)
        return re.search(r"^listening (\S+)", self.daemon.ctl("status").stdout, re.M)

    def serves(self, *tables):
        """Somebody who comes now is answered in time, and whatever is said is right."""
        return until(f"an answer of {tables}", lambda: self.ask(tables), LIMIT)

    def ask(self, tables):
        sent = QUESTION + b"Explicit is better than?"
        self.asked += 1
        try:
            with self.daemon.connect(self.asked % len(self.daemon.settings["listen"]), limit=LIMIT) as client:
                got = self.exchange(client, [sent], lambda got: got.count(b".") == 2)
        except (ConnectionRefusedError, FileNotFoundError):
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
            self.seize("conversation")
        pieces = [QUESTION, b"Explicit", b" is better than?", b" \r\n", QUESTION * 40, b"What?", b"x" * 5000, b"?"]
        sent = b"".join(pieces)
        with self.daemon.connect(limit=LIMIT) as client:
            self.catch("conversation")
            if self.role == "thread":
                until("its thread", lambda: self.pid() not in [p.pid for p in self.daemon.workers()], LIMIT)
                self.seize("conversation")
            got = self.exchange(client, pieces, lambda got: self.fault.call == "close" and got.endswith(b"long."))
        assert not wrong(sent, got, OLD), wrong(sent, got, OLD)
        self.serves(OLD)
        if self.daemon.settings["model"] == "iterative":
            return None, None
        idle, half = self.daemon.connect(limit=LIMIT), self.daemon.connect(limit=LIMIT)
        got = self.exchange(idle, [QUESTION], lambda got: got.endswith(b"."))
        assert not wrong(QUESTION, got, OLD), wrong(QUESTION, got, OLD)
        self.press()
        half.send(b"Half a")
        return idle, half

    def press(self):
        """More answers than a socket's buffer holds, to one who takes little at a time: the server has to wait."""
        sent = b"Long?" * 20
        with self.daemon.connect(limit=LIMIT, receive_buffer=8192) as client:
            got = self.exchange(client, [sent], lambda got: got.count(b".") == 20)
        assert not wrong(sent, got, OLD), wrong(sent, got, OLD)

    def reload(self, *clients):
        """Success is another table, for all who come; failure has a reason."""
        d = self.daemon
        self.arm("reload")
        self.seize("reload")
        self.seize("drain")
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

    def launch(self):
        """A start that leaves the terminal: the launcher's exit status is true, and nothing is left after a failure."""
        d = self.daemon
        self.arm("launch")
        with open(self.place / "said", "wb") as said:
            launcher = subprocess.Popen([harness.APHORISMD, "-c", str(d.config), "-p", str(self.place / "pid")],
                                        stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=self.place,
                                        env=harness.environment(**d.env))
        self.catch("launch")
        status = launcher.wait(LIMIT)
        assert status >= 0, f"the launcher died of signal {-status}"
        if status == 0:
            d.addresses = [until("its address", self.listening, LIMIT).group(1)]
            self.serves(OLD)
            os.kill(int((self.place / "pid").read_text()), signal.SIGTERM)
        else:
            assert (self.place / "said").read_bytes().strip(), f"a start that failed with {status}, without a reason"
        self.tracer.detach()
        self.bystander_lives()
        harness.until("the end of all processes", lambda: not harness.strays(), LIMIT)

    def stop(self):
        """In time, with an end for those who are connected."""
        clients = [self.daemon.connect(limit=LIMIT)] if self.daemon.process.poll() is None else []
        for client in clients:
            self.exchange(client, [QUESTION], lambda got: got.endswith(b"."))
        self.seize("stop")
        self.daemon.signal(signal.SIGTERM)
        self.daemon.wait(LIMIT)
        for client in clients:
            self.let_go(client)
            client.close()

    def clean_up(self):
        if self.bystander.poll() is None:
            self.bystander.kill()
            self.bystander.wait()
        self.tracer.close()
        harness.end_all()
        harness.remove(self.place)


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
            one.launch() if one.part == "launch" else one.play()
        except (AssertionError, OSError, subprocess.TimeoutExpired) as reason:
            failed = f"{fault}: {reason!r:.600}\n    " + "\n    ".join(one.daemon.lines[-12:])
        return failed, one.tracer.struck(), one.tracer.calls()


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
