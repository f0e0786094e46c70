"""Behind a real HAProxy: two daemons, one of which hears of clients in version 1 of the PROXY protocol, one in 2."""

import os
import shutil
import socket
import subprocess

import pytest

from harness import ETC, LIMIT, Client, environment, holds, run, until
from load import Load
from protocol_model import TOO_BUSY
from test_proxy import ANSWER, PROXIED, QUESTION, status

# where a distribution's daemons are, which is not on everybody's PATH
HAPROXY = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
pytestmark = pytest.mark.skipif(not HAPROXY, reason="there is no haproxy (Debian: haproxy)")

# What is promised here rests on retries and redispatch: a connection that one server does not take goes to the other.
CONFIGURATION = """
global
    nbthread 1
    maxconn 400
    stats socket {place}/haproxy level admin
defaults
    mode tcp
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout check 5s
    retries 3
    option redispatch 1
    default-server check inter 200ms fall 3 rise 1 observe layer4 error-limit 1000
listen aphorisms
    bind fd@{fd}
    balance roundrobin
    server first {first} send-proxy
    server second {second} send-proxy-v2 proxy-v2-options crc32c
"""


class Haproxy:
    def __init__(self, place, first, second):
        self.place = place
        with socket.create_server(("127.0.0.1", 0), backlog=500) as listener:
            self.address = "127.0.0.1:%d" % listener.getsockname()[1]
            file = place / "haproxy.cfg"
            file.write_text(CONFIGURATION.format(place=place, fd=listener.fileno(), first=first, second=second))
            self.log = open(place / "haproxy.log", "w+")
            self.process = subprocess.Popen([HAPROXY, "-db", "-f", file], stdin=subprocess.DEVNULL, stdout=self.log,
                                            stderr=self.log, pass_fds=[listener.fileno()], env=environment())
        until("both servers' checks", lambda: self.servers_up() == 2)

    def servers(self):
        """What it says of its servers: a dictionary for each."""
        with socket.socket(socket.AF_UNIX) as control:
            try:
                control.connect(f"{self.place}/haproxy")
            except OSError:
                return []
            control.sendall(b"show stat\n")
            text = b"".join(iter(lambda: control.recv(65536), b"")).decode()
        head, *lines = (line.split(",") for line in text.lstrip("# ").splitlines() if line)
        return [one for one in (dict(zip(head, line)) for line in lines) if one["type"] == "2"]

    def servers_up(self):
        """Of the last check; the star before it says that the next one is on its way."""
        return sum(one["status"] == "UP" and one["check_status"].lstrip("* ") == "L4OK" for one in self.servers())

    def end(self):
        self.process.terminate()
        self.process.wait(LIMIT)
        self.log.close()


@pytest.fixture
def behind(daemon, place):
    """Starts two daemons, and haproxy in front of them."""
    started = []

    def start(model, **more):
        daemons = []
        for name in ("first", "second"):
            folder = place / name
            folder.mkdir()
            daemons.append(daemon(model, folder=folder, listen=(PROXIED,), **more))
        started.append(Haproxy(place, *(d.address for d in daemons)))
        return started[0], daemons

    yield start
    for one in started:
        one.end()


def test_both_versions_name_the_client(behind, model):
    proxy, daemons = behind(model)
    clients = [Client(proxy.address, source=f"127.0.1.{number}") for number in range(1, 3)]
    for client in clients:
        client.send(QUESTION + b"half")
        assert client.answer() == ANSWER
        client.half_close()
        assert client.everything() == b""
    said = [d.wait_for(r'(\S+): unfinished question dropped: "half"').group(1) for d in daemons]
    assert sorted(said) == ["%s:%d" % client.socket.getsockname() for client in clients]
    for client in clients:
        client.close()
    assert [status(d, "bad_headers") for d in daemons] == [0, 0]
    assert proxy.servers_up() == 2


def test_lists_and_limits_see_the_client(behind, model):
    """Its checks haproxy makes as itself, so an access list has to let it in, too: else they fail."""
    proxy, daemons = behind(model, access__allow=["127.0.1.0/24", "127.0.0.1"], access__deny=["127.0.1.9"],
                            max_connections_per_source=1)
    for _ in range(2):
        with Client(proxy.address, source="127.0.1.9") as client:
            assert client.everything() == b""
    assert [status(d, "denied") for d in daemons] == [1, 1]
    with Client(proxy.address, source="127.0.1.1") as one, Client(proxy.address, source="127.0.1.1") as two:
        assert one.ask(QUESTION) == two.ask(QUESTION) == ANSWER       # one at each
        if holds(model, 2) == 2:
            with Client(proxy.address, source="127.0.1.1") as three:
                assert three.everything() == TOO_BUSY
            assert Client(proxy.address, source="127.0.1.2").ask(QUESTION) == ANSWER


@pytest.mark.parametrize("change", ["reload", "upgrade", "restart"])
def test_nothing_is_lost_when_one_of_them_changes_under_load(behind, model, change):
    """Each client who is let go before its answer is by an orderly end, asks again, and is answered."""
    proxy, daemons = behind(model, log__level="notice")
    load = Load(proxy.address, 8, per_connection=5)
    for number in range(5):
        one = daemons[number % 2]
        before = load.answered
        if change == "reload":
            one.reloaded()
        elif change == "upgrade":
            one.upgraded()
        else:
            one.write(listen=({**PROXIED, "address": one.address},))
            one.stop()
            one.launch()
            until("the start", lambda: one.ctl("ping").returncode == 0)
        until("more answers", lambda: load.answered > before + 100)
    load.finish()
    for d in daemons:
        assert not d.matches("bad PROXY header")


def test_the_sample_is_valid():
    checked = run(HAPROXY, "-c", "-f", ETC / "examples" / "haproxy.cfg")
    assert checked.returncode == 0, checked.stdout + checked.stderr
