"""Started by inetd: standard input is a client, or the socket where clients wait."""

import os
import select
import socket
import subprocess
import time

import pytest

import harness
from harness import APHORISMD, LIMIT, ROOT, SLACK, Client, Daemon, environment, process, run, until
from protocol_model import THREE

QUESTION = b"Simple is better than?"


class Inetd:
    """What inetd, xinetd and systemd do: 0, 1 and 2 of the program are the client, or the listening socket."""

    def __init__(self, place):
        self.place, self.started, self.servers = place, [], []

    def listen(self, kind="tcp", backlog=128):
        if kind == "tcp":
            server = socket.create_server(("127.0.0.1", 0), backlog=backlog)
            address = "127.0.0.1:%d" % server.getsockname()[1]
        else:
            server, address = socket.socket(socket.AF_UNIX), f"unix:{self.place}/s"
            server.bind(f"{self.place}/s")
            server.listen(backlog)
            os.chmod(f"{self.place}/s", 0o777)
        self.servers.append(server)
        return server, address

    def start(self, stdin, *options, stderr=None, under=(), **settings):
        """The program as inetd would start it."""
        d = Daemon(self.place, control__socket=f"{self.place}/never", process__pidfile=f"{self.place}/nowhere", **settings)
        one = subprocess.Popen([*under, APHORISMD, "--inetd", "-c", d.config, *options], env=environment(),
                               stdin=stdin, stdout=stdin, stderr=stdin if stderr is None else stderr)
        self.started.append(one)
        return one

    def connect(self, *options, kind="tcp", client=None, **more):
        """A client, and the program that was started for it."""
        server, address = self.listen(kind)
        ours = Client(address, **(client or {}))
        theirs = server.accept()[0]
        with theirs:
            return ours, self.start(theirs, *options, **more)

    def finish(self):
        try:
            for one in self.started:
                one.terminate()
                one.wait(LIMIT)
            harness.nothing_left()
        finally:
            harness.end_all(keep=[one.pid for one in self.started])
            for one in self.started:
                one.wait()
            for server in self.servers:
                server.close()


@pytest.fixture
def inetd(place):
    one = Inetd(place)
    yield one
    one.finish()
    assert not (place / "never").exists() and not (place / "nowhere").exists()


# A connection

@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_one_conversation_and_the_end(inetd, kind):
    client, one = inetd.connect(kind=kind)
    for question, answer in THREE.items():
        assert client.ask(question) == answer
    client.send(b"".join(THREE) + b"half")
    client.half_close()
    assert client.everything() == b"".join(THREE.values())
    assert one.wait(LIMIT) == 0


@pytest.mark.parametrize("level", ["error", "debug"])
@pytest.mark.parametrize("target", ["auto", "syslog"])
def test_nothing_but_answers_reaches_the_client(inetd, level, target):
    client, one = inetd.connect(log__level=level, log__target=target, timeouts__question="200ms")
    client.send(b"What is your quest?" + QUESTION + b"half")
    assert client.everything() == b"Error: unknown aphorism.Complex.Error: too slow."
    assert one.wait(LIMIT) == 0


@pytest.mark.parametrize("options,status", [(["-o", "max_conections=3"], 78), (["-o", "aphorisms=/missing"], 66),
                                            (["--bogus"], 64), (["--help"], 0), (["operand"], 64), (["-t"], 0),
                                            (["-o", "log.target=stderr"], 78), (["-o", "process.user=nosuchuser"], 78)])
def test_no_error_reaches_the_client(inetd, options, status):
    """Whatever is wrong: the client sees an orderly end, and the exit status tells inetd."""
    client, one = inetd.connect(*options)
    assert client.everything() == b""
    assert one.wait(LIMIT) == status


def test_an_error_reaches_standard_error_that_is_somebody_elses(inetd):
    client, one = inetd.connect("-o", "max_conections=3", stderr=subprocess.PIPE)
    assert client.everything() == b""
    assert b"max_conections" in one.communicate(timeout=LIMIT)[1] and one.returncode == 78


def test_the_log_goes_to_standard_error_that_is_somebody_elses(inetd):
    client, one = inetd.connect(stderr=subprocess.PIPE)
    client.send(b"half")
    client.half_close()
    assert client.everything() == b""
    assert b"127.0.0.1:" in one.communicate(timeout=LIMIT)[1] and one.returncode == 0


@pytest.mark.skipif(not ROOT, reason="only root can put another /dev/log in its place")
@pytest.mark.parametrize("options,word", [([], "unfinished question dropped"), (["--bogus"], "--bogus"),
                                          (["-o", "max_conections=3"], "max_conections")])
def test_the_log_goes_to_syslog_else(inetd, place, options, word):
    """In a mount namespace of its own, where /dev/log is the test's."""
    under = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && '
             'ln -s "$0" /dev/log && exec "$@"', f"{place}/log"]
    if run(*under, "true").returncode:
        pytest.skip("no mount namespaces here")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
        log.bind(f"{place}/log")
        os.chmod(f"{place}/log", 0o777)
        log.settimeout(LIMIT)
        client, one = inetd.connect(*options, under=under)
        client.send(b"" if options else b"half")
        client.half_close()
        assert client.everything() == b""
        until(word, lambda: word.encode() in log.recv(65536))
        one.wait(LIMIT)


@pytest.mark.parametrize("kind", ["tcp", "unix"])
@pytest.mark.parametrize("setting,sent,said", [
    ("idle", b"", b""), ("question", b"half", b"Error: too slow."), ("idle", QUESTION, b"Complex.")])
def test_time_outs_hold(inetd, kind, setting, sent, said):
    client, one = inetd.connect(kind=kind, **{f"timeouts__{setting}": "300ms"})
    client.send(sent)
    assert client.everything() == said
    assert one.wait(LIMIT) == 0


def test_a_client_that_takes_no_answer_is_left(inetd):
    client, one = inetd.connect(timeouts__write="300ms", client={"receive_buffer": 4096},
                                table={**THREE, b"Much?": b"x" * 60000 + b"."})
    client.socket.settimeout(1)
    with pytest.raises((TimeoutError, ConnectionError)):
        while True:
            client.send(b"Much?" * 1000)
    assert one.wait(LIMIT) == 0


def test_access_lists_hold(inetd):
    client, one = inetd.connect(access__deny=["127.0.0.2"], client={"source": "127.0.0.2"})
    assert client.everything() == b""
    assert one.wait(LIMIT) == 0


def test_limits_of_questions_hold(inetd):
    client, one = inetd.connect(max_questions_per_connection=2, max_question_length=100)
    client.send(QUESTION * 3)
    client.half_close()
    assert client.everything() == b"Complex." * 2
    assert one.wait(LIMIT) == 0
    client, one = inetd.connect(max_question_length=100)
    client.send(b"x" * 200)
    client.half_close()
    assert client.everything() == b"Error: question too long."


def test_the_address_tells_the_protocol(inetd):
    server, address = inetd.listen()
    for listen, said in ((({"address": address, "protocol": "echo"},), QUESTION), ((address,), b"Complex."),
                         (({"address": "*:" + address.split(":")[1], "protocol": "echo"},), QUESTION)):
        client = Client(address)
        with server.accept()[0] as theirs:
            one = inetd.start(theirs, listen=listen)
        client.send(QUESTION)
        client.half_close()
        assert client.everything() == said
        assert one.wait(LIMIT) == 0


@pytest.mark.skipif(not ROOT, reason="only root has privileges to drop")
@pytest.mark.parametrize("under", [(), ("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups",
                                        "--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service")])
def test_rights_are_dropped(inetd, under):
    """Root's, and what a service manager has given an ordinary user."""
    client, one = inetd.connect(under=under)
    assert client.ask(QUESTION) == b"Complex."
    p = process(one.pid)
    uid = str(harness.nobody().pw_uid)
    assert p.status("Uid") == [uid] * 4 and p.status("NoNewPrivs") == ["1"]
    assert set(p.status("Groups")) <= {str(harness.nobody().pw_gid)}
    assert {int(p.status(kind)[0], 16) for kind in ("CapPrm", "CapEff", "CapInh", "CapAmb")} == {0}
    if harness.SANDBOX == "required":
        assert p.status("Seccomp") == ["2"]
    client.close()
    assert one.wait(LIMIT) == 0


def test_it_holds_nothing_but_the_client(inetd):
    """0, 1 and 2 are /dev/null; the one process is all there is."""
    client, one = inetd.connect()
    assert client.ask(QUESTION) == b"Complex."
    files = harness.open_files(one.pid)
    assert [files[n] for n in (0, 1, 2)] == ["/dev/null"] * 3
    assert sum(what.startswith("socket:") for what in files.values()) <= 2      # the client and the log
    assert [p.pid for p in harness.strays()] == [one.pid]
    client.close()


def test_a_stop_answers_what_was_received(inetd):
    client, one = inetd.connect(work__delay="100ms")
    client.send(QUESTION * 5)
    assert client.answer() == b"Complex."
    one.terminate()
    assert client.everything() == b"Complex." * 4
    assert one.wait(LIMIT) == 0


def test_a_client_that_has_gone(inetd):
    server, address = inetd.listen()
    client = Client(address)
    theirs = server.accept()[0]
    client.reset()
    with theirs:
        one = inetd.start(theirs)
    assert one.wait(LIMIT) == 0


# What is neither

@pytest.mark.parametrize("what", ["a terminal", "a file", "a pipe", "a device", "a datagram socket", "not open"])
def test_what_is_no_client_is_told(place, what):
    d = Daemon(place)
    ends = os.openpty() if what == "a terminal" else ()
    made = {"a terminal": lambda: os.fdopen(os.dup(ends[1])), "a file": lambda: open(place / "file", "w+"),
            "a pipe": lambda: os.fdopen(os.pipe()[0]), "a device": lambda: open("/dev/zero"),
            "a datagram socket": lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            "not open": lambda: open("/dev/null")}[what]()
    under = ["sh", "-c", 'exec "$@" <&-', "sh"] if what == "not open" else []
    with made:
        result = run(*under, APHORISMD, "--inetd", "-c", d.config, stdin=made)
    for end in ends:
        os.close(end)
    assert result.returncode == 64
    assert "standard input" in result.stderr and what in result.stderr and result.stderr.count("\n") == 1


def test_nothing_is_sent_to_a_datagram_socket(place):
    d = Daemon(place)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        one = subprocess.Popen([APHORISMD, "--inetd", "-c", d.config], stdin=theirs, stdout=theirs, stderr=theirs,
                               env=environment())
        assert one.wait(LIMIT) == 64
        ours.setblocking(False)
        with pytest.raises(BlockingIOError):
            ours.recv(100)


# A socket where clients wait

@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_it_serves_until_nobody_comes(inetd, kind, model):
    """The client that it was started for, others, and then the end, not before the time is over."""
    server, address = inetd.listen(kind)
    first = Client(address)
    first.send(QUESTION)
    one = inetd.start(server, model=model, inetd__idle_exit="600ms")
    assert first.answer() == b"Complex."
    first.close()
    last = time.monotonic()
    for _ in range(5):
        with Client(address) as client:
            last = time.monotonic()
            assert client.ask(QUESTION) == b"Complex."
    assert one.wait(LIMIT) == 0
    assert 0.6 <= time.monotonic() - last < 0.6 * 9 / 8 + SLACK
    client = Client(address)                    # and the next one waits for the next program
    client.send(QUESTION)
    one = inetd.start(server, model=model, inetd__idle_exit="600ms")
    assert client.answer() == b"Complex."
    client.close()
    assert one.wait(LIMIT) == 0


def test_a_client_that_stays_keeps_it(inetd, model):
    server, address = inetd.listen()
    one = inetd.start(server, model=model, inetd__idle_exit="800ms")
    with Client(address) as client:
        for _ in range(2):
            assert client.ask(QUESTION) == b"Complex."
            assert client.silent(0.8)
        assert one.poll() is None
        end = time.monotonic()
    assert one.wait(LIMIT) == 0
    assert 0.8 <= time.monotonic() - end < 0.8 * 9 / 8 + SLACK


def test_who_waits_is_not_told_of_the_log(inetd, place):
    """Nor is there a pidfile, nor a control socket; 0, 1 and 2 are /dev/null."""
    server, address = inetd.listen()
    one = inetd.start(server, log__level="debug", inetd__idle_exit="1s")
    with Client(address) as client:
        assert client.ask(QUESTION) == b"Complex."
        assert [harness.open_files(one.pid)[n] for n in (0, 1, 2)] == ["/dev/null"] * 3
        assert not (place / "never").exists() and not (place / "nowhere").exists()
    assert one.wait(LIMIT) == 0


def test_a_stop_leaves_the_queue(inetd):
    server, address = inetd.listen()
    one = inetd.start(server)
    with Client(address) as client:
        assert client.ask(QUESTION) == b"Complex."
    one.terminate()
    assert one.wait(LIMIT) == 0
    with Client(address) as client:
        client.send(QUESTION)
        one = inetd.start(server)
        assert client.answer() == b"Complex."


def test_programs_one_after_another_lose_nobody(inetd, model):
    """Ends for want of clients just when clients come: each is answered, or sees an orderly end and asks again."""
    server, address = inetd.listen()
    started, answers, ends = [], 0, 0

    def keep_one():
        if not started or started[-1].poll() is not None:
            assert not started or started[-1].returncode == 0
            started.append(inetd.start(server, model=model, inetd__idle_exit="50ms"))

    for number in range(60):
        with Client(address) as client:
            client.send(QUESTION)
            while not select.select([client.socket], [], [], 0.02)[0]:
                keep_one()
            said = client.socket.recv(100)
            assert said in (b"Complex.", b"")
            answers, ends = answers + (said != b""), ends + (said == b"")
        time.sleep(0.045 + 0.002 * (number % 10))         # around the end of the time
    assert len(started) > 2 and answers >= 60 - len(started)


# The same under socket activation, when it is asked for

def test_an_activated_daemon_ends_too(daemon):
    with socket.create_server(("127.0.0.1", 0)) as server:
        d = daemon(sockets=[server], activation__idle_exit="1s")
        with d.connect() as client:
            assert client.ask(QUESTION) == b"Complex."
            time.sleep(1.3)
            assert client.ask(QUESTION) == b"Complex."
        assert d.wait() == 0
        d.wait_for("no client for 1s")


def test_an_activated_daemon_stays_else(daemon):
    with socket.create_server(("127.0.0.1", 0)) as server:
        d = daemon(sockets=[server], inetd__idle_exit="100ms")
        time.sleep(0.5)
        assert d.ask() == b"Ugly."
        d.reloaded(activation__idle_exit="1s")
        assert d.wait() == 0


def test_a_daemon_with_sockets_of_its_own_stays(daemon):
    d = daemon(inetd__idle_exit="100ms", activation__idle_exit="1s")
    time.sleep(1.3)
    assert d.ask() == b"Ugly."
