"""Sockets that the daemon inherits: served in place of its own, and left to whoever passed them."""

import os
import signal
import socket
import struct
import threading
import time

import pytest

import harness
from harness import APHORISMD, LIMIT, ROOT, Client, Daemon, activate, environment, open_files, run, talk, until
from protocol_model import THREE

QUESTION = b"Simple is better than?"


def listening(address=("127.0.0.1", 0), family=socket.AF_INET, backlog=128):
    one = socket.socket(family, socket.SOCK_STREAM)
    one.bind(address)
    one.listen(backlog)
    return one


def name(one):
    """The address as the daemon writes it."""
    where = one.getsockname()
    return f"unix:{where}" if isinstance(where, str) else "%s:%d" % where[:2]


@pytest.fixture
def tcp():
    with listening() as one:
        yield one


@pytest.fixture
def unix(place):
    with listening(f"{place}/s", socket.AF_UNIX) as one:
        os.chmod(f"{place}/s", 0o777)
        yield one


def test_it_serves_what_it_inherits(daemon, tcp, model):
    """The list of the configuration is not opened: its address is taken, and nobody cares."""
    with listening() as other:
        d = daemon(model, sockets=[tcp], listen=(name(other),))
        assert d.address == name(tcp)
        assert d.ask() == b"Ugly."
        d.wait_for(f"listen: {name(other)} is not served")
        status = d.ctl("status")
        assert name(tcp) in status.stdout and name(other) not in status.stdout


def test_a_socket_of_another_network(daemon):
    """Under PrivateNetwork its address may be none of the daemon's, and nothing is wrong with that."""
    if not ROOT or run("unshare", "--net", "true").returncode:
        pytest.skip("no network of our own here")
    with listening(("::1", 0), socket.AF_INET6) as one:
        d = daemon("event", sockets=[one], under=["unshare", "--net"])
        assert d.ask() == b"Ugly."
        assert "no address" not in d.ctl("doctor").stdout


def test_both_families_and_names_of_protocols(daemon, tcp, unix, model):
    """A name that is a protocol's is that protocol; else the address tells, else it is aphorism."""
    with listening() as third:
        d = daemon(model, sockets=[tcp, unix, third], env={"LISTEN_FDNAMES": "echo:aphorismd.socket:"},
                   listen=({"address": name(third), "protocol": "echo"}, {"address": name(tcp), "protocol": "aphorism"}))
        assert d.addresses == [name(tcp), name(unix), name(third)]
        assert talk(name(tcp), [QUESTION]) == QUESTION
        assert talk(name(unix), [QUESTION]) == b"Complex."
        assert talk(name(third), [QUESTION]) == QUESTION


def test_a_port_of_any_host_tells_the_protocol(daemon, tcp):
    daemon(sockets=[tcp], listen=({"address": "*:%d" % tcp.getsockname()[1], "protocol": "echo"},))
    assert talk(name(tcp), [b"hello"]) == b"hello"


def test_an_address_has_many_spellings(daemon):
    with listening(("::1", 0), socket.AF_INET6) as ipv6, listening() as ipv4:
        d = daemon(sockets=[ipv6, ipv4], listen=(
            {"address": "[0:0:0:0:0:0:0:1]:%d" % ipv6.getsockname()[1], "protocol": "echo"},
            {"address": "[::ffff:127.0.0.1]:%d" % ipv4.getsockname()[1], "protocol": "echo"}))
        for address in d.addresses:
            assert talk(address, [b"hello"]) == b"hello"
        assert "is not served" not in "\n".join(d.lines)


def test_any_address_and_abstract_names(daemon, place):
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as both, \
            listening(f"\0{place}", socket.AF_UNIX) as abstract, \
            listening(("::1", 0), socket.AF_INET6) as ipv6:
        d = daemon(sockets=[both, abstract, ipv6])
        assert d.addresses == ["*:%d" % both.getsockname()[1], f"unix:@{place}", "[::1]:%d" % ipv6.getsockname()[1]]
        assert d.ask() == b"Ugly."
        assert d.ask(number=2) == b"Ugly."
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"\0{place}")
            client.sendall(QUESTION)
            assert client.recv(100) == b"Complex."


def test_time_outs_and_limits_hold(daemon, tcp, unix, model):
    d = daemon(model, sockets=[tcp, unix], timeouts__idle="300ms", timeouts__question="300ms")
    for number in (0, 1):
        with d.connect(number) as client:
            assert client.everything() == b""
        with d.connect(number) as client:
            client.send(b"half")
            assert client.everything() == b"Error: too slow."


def test_it_may_go_to_the_background(place, tcp):
    """The launcher was meant, and the daemon that it makes inherits from it."""
    d = Daemon(place, process__pidfile=place / "pid", listen=(f"unix:{place}/never",))
    result = run(*activate([tcp]), APHORISMD, "-c", d.config, pass_fds=[tcp.fileno()])
    assert result.returncode == 0, result.stderr
    assert talk(name(tcp), [QUESTION]) == b"Complex."
    assert not (place / "never").exists()
    os.kill(int((place / "pid").read_text()), signal.SIGTERM)
    harness.nothing_left()


def test_descriptors_do_not_leak(daemon, tcp, unix):
    """Marked to be closed by an exec; and there are no others than these."""
    d = daemon(sockets=[tcp, unix])
    wanted = {f"socket:[{os.fstat(s.fileno()).st_ino}]" for s in (tcp, unix)}
    ours = {number for number, what in open_files(d.pid).items() if what in wanted}
    assert ours == {3, 4}
    for number in ours:
        with open(f"/proc/{d.pid}/fdinfo/{number}") as info:
            flags = next(line for line in info if line.startswith("flags:")).split()[1]
        assert int(flags, 8) & os.O_CLOEXEC


def test_for_another_process(daemon, tcp):
    """What was passed to somebody else is closed, and the configuration counts."""
    d = daemon(sockets=[tcp], env={"LISTEN_PID": "1"})
    assert d.address != name(tcp)
    assert d.ask() == b"Ugly."
    link = f"socket:[{os.fstat(tcp.fileno()).st_ino}]"
    assert link not in open_files(d.pid).values()


# What is none

def connected():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return socket.create_connection(server.getsockname())


NONE = {
    "a datagram socket": lambda place: socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
    "does not listen": lambda place: connected(),
    "a socket that is neither": lambda place: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    "a file": lambda place: open(place / "file", "w"),
    "a pipe": lambda place: os.fdopen(os.pipe()[0]),
    "a device": lambda place: open("/dev/null"),
}


@pytest.mark.parametrize("what", NONE)
@pytest.mark.parametrize("foreground", [True, False])
def test_what_is_no_listener_is_told(place, tcp, what, foreground):
    with NONE[what](place) as other:
        d = Daemon(place, process__pidfile=place / "pid")
        result = run(*activate([tcp, other]), APHORISMD, *(["-f"] if foreground else []), "-c", d.config,
                     pass_fds=[tcp.fileno(), other.fileno()], env=environment(LISTEN_FDNAMES="one:two"))
    assert result.returncode == 64, result.stderr
    assert "descriptor 4 (two)" in result.stderr and what in result.stderr
    assert result.stderr.count("\n") == 1


def test_what_is_not_there_is_told(place, tcp):
    d = Daemon(place)
    result = run(*activate([tcp]), APHORISMD, "-f", "-c", d.config, pass_fds=[tcp.fileno()],
                 env=environment(LISTEN_FDS="2"))
    assert result.returncode == 64 and "descriptor 4" in result.stderr and "not open" in result.stderr


@pytest.mark.parametrize("count", ["many", "-1", "65", "", "4294967297"])
def test_a_count_that_is_none(place, tcp, count):
    d = Daemon(place)
    result = run(*activate([tcp]), APHORISMD, "-f", "-c", d.config, pass_fds=[tcp.fileno()],
                 env=environment(LISTEN_FDS=count))
    assert result.returncode == 64 and "LISTEN_FDS" in result.stderr


# Reload

def test_they_stay_over_reloads(daemon, tcp, unix):
    """From each model to the next, nobody is refused; a new list is told to have no effect."""
    d = daemon(harness.models()[0], sockets=[tcp, unix])
    with listening() as other:
        for model in harness.models()[1:]:
            d.reloaded(model=model, listen=(name(tcp), name(unix)))
            assert talk(name(tcp), [QUESTION]) == b"Complex."
        assert not d.matches("is not served: ", since=2)
        since = len(d.lines)
        d.reloaded(listen=(name(tcp), name(other)))
        d.wait_for(f"listen: {name(other)} is not served", since)
        assert not d.matches("listening on", since)
    for number in (0, 1):
        assert d.ask(number=number) == b"Ugly."


def test_a_reload_changes_the_protocol(daemon, tcp):
    d = daemon(sockets=[tcp], listen=({"address": name(tcp), "protocol": "echo"},))
    assert talk(name(tcp), [QUESTION]) == QUESTION
    d.reloaded(listen=(name(tcp),))
    until("the other protocol", lambda: talk(name(tcp), [QUESTION]) == b"Complex.")


# The end

def test_the_file_of_a_unix_socket_stays(daemon, unix, place):
    os.chmod(place / "s", 0o640)
    before = os.stat(place / "s")
    d = daemon(sockets=[unix])
    assert d.ask() == b"Ugly."
    d.stop()
    after = os.stat(place / "s")
    assert (before.st_ino, before.st_mode) == (after.st_ino, after.st_mode)


def test_what_the_list_says_of_files_is_for_ours(daemon, unix, place):
    """No right is lacking to give away a file that is left alone, and a change there changes nothing."""
    os.chmod(place, 0o777)
    before = os.stat(place / "s")
    entry = {"address": name(unix), "protocol": "echo", "user": "root", "group": "root", "mode": "0600"}
    d = daemon(sockets=[unix], as_nobody=ROOT, listen=(entry,))
    assert talk(name(unix), [QUESTION]) == QUESTION
    assert "changed listen" not in d.reload(listen=({**entry, "user": "nobody", "mode": "0640"},)).stdout
    d.settled()
    after = os.stat(place / "s")
    assert (before.st_mode, before.st_uid, before.st_gid) == (after.st_mode, after.st_uid, after.st_gid)


def test_the_list_tells_that_it_is_once(daemon, tcp, model):
    d = daemon(model, sockets=[tcp], listen=({"address": name(tcp), "once": True},))
    assert talk(name(tcp), [b"".join(THREE)]) == b"Ugly."
    assert "mode" not in d.reload(listen=(name(tcp),)).stdout
    d.settled()
    assert talk(name(tcp), [b"".join(THREE)]) == b"Ugly.Implicit.Complex."


def test_the_queues_length_is_not_ours_to_change(daemon, model):
    with listening(backlog=7) as one:
        def length():
            return struct.unpack_from("=I", one.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 28)[0]

        assert length() == 7
        d = daemon(model, sockets=[one], backlog=511)
        d.reloaded(backlog=300)
        assert d.ask() == b"Ugly."
        assert length() == 7


@pytest.mark.parametrize("end", ["stop", "stop at once", "kill"])
@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_who_waits_is_served_by_the_next(daemon, request, kind, end, model):
    """Whoever ends the daemon, and however: nobody in the queue is refused, and the socket goes on listening."""
    one = request.getfixturevalue(kind)
    d = daemon(model, sockets=[one])
    assert d.ask() == b"Ugly."
    if end == "kill":
        d.kill()
    else:
        d.signal(signal.SIGTERM if end == "stop" else signal.SIGQUIT)
        assert d.wait() == 0
    harness.nothing_left()
    clients = [Client(name(one)) for _ in range(5)]
    for client in clients:
        client.send(QUESTION)
    d = daemon(model, sockets=[one])
    for client in clients:
        assert client.answer() == b"Complex."
        client.close()


def test_restarts_under_load_refuse_nobody(daemon, tcp, model):
    """Clients one after another while daemons come and go: each is answered, or sees an orderly end and asks again."""
    over, faults, counts = threading.Event(), [], [0] * 4

    def ask(number):
        while not over.is_set():
            try:
                with Client(name(tcp)) as client:
                    client.send(QUESTION)
                    answer = client.socket.recv(100)
                if answer == b"Complex.":
                    counts[number] += 1
                elif answer:
                    faults.append(answer)
            except OSError as error:
                faults.append(error)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    d = daemon(model, sockets=[tcp])
    for thread in threads:
        thread.start()
    try:
        for _ in range(6):
            before = sum(counts)
            until("some answers", lambda: sum(counts) > before + 20)
            d.stop()
            d = daemon(model, sockets=[tcp])
    finally:
        over.set()
        for thread in threads:
            thread.join(LIMIT)
    assert not faults, faults[:5]


def test_a_stop_leaves_at_once_what_is_queued(daemon, model):
    """A full queue is no reason to stay: it is the next one's."""
    with listening(backlog=200) as one:
        d = daemon(model, sockets=[one], max_connections=1, work__delay="20ms")
        holder = d.connect()
        assert holder.ask(QUESTION) == b"Complex."
        clients = [Client(name(one)) for _ in range(50)]
        began = time.monotonic()
        d.stop()
        assert time.monotonic() - began < 10
        holder.close()
        d = daemon(model, sockets=[one])
        for client in clients:
            client.send(b"".join(THREE))
            client.half_close()
            assert client.everything() == b"".join(THREE.values())
            client.close()
