"""No text that somebody else chose commands a terminal, whoever prints it; what can be read stays readable."""

import json
import os
import re
import socket
import threading
import unicodedata

import pytest

from harness import APHORISM, APHORISMCTL, APHORISMD, LIMIT, Daemon, environment, until
from test_top import Screen, needs_ncurses

EVIL = b"\x1b]0;owned\x07\x9b2J\xc2\x9b2J\x7f\r\xe2\x80\xae\xff"
SHOWN = r"\x1b]0;owned\x07\x9b2J\xc2\x9b2J\x7f\r\xe2\x80\xae\xff"
CLEAN = re.compile(r"\?\]0;owned\?\?2J\?\?2J\?")          # where a line may not grow
GOOD = "grün €"


def terminal(*command, **more):
    """What a terminal gets from a program: its status, and the text, which is seen to be plain."""
    ours, theirs = os.openpty()
    pid = os.fork()
    if pid == 0:
        for fd in range(3):
            os.dup2(theirs, fd)
        os.closerange(3, 100)
        os.execve(command[0], [os.fspath(word) for word in command], environment(LC_ALL="C.UTF-8", **more))
    os.close(theirs)
    text = b""
    while True:
        try:
            text += os.read(ours, 65536)
        except OSError:               # the other side has gone
            break
    os.close(ours)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    text = text.replace(b"\r\n", b"\n").decode()          # which fails at what is no UTF-8
    assert not [c for c in text if unicodedata.category(c) in ("Cc", "Zl", "Zp") and c not in "\n\t"
                or unicodedata.bidirectional(c) in ("RLO", "LRO", "RLE", "LRE", "PDF", "RLI", "LRI")], repr(text)
    return status, text


class Impostor:
    """A daemon that answers aphorismctl with what commands a terminal."""

    def __init__(self, path, answers):
        self.listener, self.answers = socket.socket(socket.AF_UNIX), answers
        self.listener.bind(str(path))
        self.listener.listen(16)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client:
                asked = client.recv(256).decode().split()
                if asked:                 # top looks first whether anybody is there
                    client.sendall(self.answers[asked[0]])

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


TEXT = EVIL + b" " + GOOD.encode()
ANSWERS = {
    "status": b"version 1%s\nmodel %s\n%s 5\nend 0\n" % (TEXT, TEXT, TEXT),
    "stats": b"questions %s\nmax_connections %s\nend 0\n" % (TEXT, TEXT),
    "workers": b"worker number=1\tpid=2\tstate=%s\tclient=%s\nend 0\n" % (TEXT, TEXT),
    "connections": b"connection %s=1\tclient=%s\nend 0\n" % (TEXT, TEXT),
    "histogram": b"bucket of=%s\tfrom_ns=1\tto_ns=2\tcount=3\nend 0\n" % TEXT,
    "metrics": b"# HELP %s\n%s{a=\"%s\"} 1\nend 0\n" % (TEXT, EVIL, TEXT),
    "doctor": b"finding about=%s\twhat=%s\tmend=%s\nend 0\n" % (TEXT, TEXT, TEXT),
    "reload": b"notice %s\nerror %s\nend 78\n" % (TEXT, TEXT),
    "upgrade": b"error %s\nend 69\n" % TEXT,
    "drain": b"error %s\nend 69\n" % TEXT,
    "log": b"%s %s\nend 0\n" % (EVIL, TEXT),
    "ping": b"%s\nend 0\n" % TEXT,
    "version": b"version %s\nend 0\n" % TEXT,
}


@pytest.fixture
def impostor(place):
    one = Impostor(place / "control", ANSWERS)
    yield place / "control"
    one.close()


@pytest.mark.parametrize("json_too", [False, True])
def test_what_a_daemon_says(impostor, json_too):
    for command in ANSWERS:
        words = [command, *{"drain": ["1"], "log": ["info"]}.get(command, [])]
        _, text = terminal(APHORISMCTL, "-s", impostor, *(["--json"] if json_too else []), *words)
        assert "]0;owned" in text and (GOOD in text or GOOD.encode().hex() in text), (command, text)
        assert SHOWN in text or (json_too and r"\u001b]0;owned\u0007" in text), (command, text)
        if json_too:
            json.loads(text[text.index('{"ok"'):])


@needs_ncurses
def test_what_a_daemon_says_to_top(impostor):
    with Screen(APHORISMCTL, "-s", impostor, "top") as screen:
        until("a picture", lambda: screen.read() and any(SHOWN in "".join(line) for line in screen.lines))
        os.write(screen.fd, b"q")
        assert screen.process.wait(LIMIT) == 0


def test_what_a_server_says(place):
    """To a terminal; and what stands on the command line, which a script may have from anywhere."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(place / "server"))
    listener.listen(4)

    def answer():
        client, _ = listener.accept()
        client.recv(100)
        client.sendall(TEXT + b".")
        client.recv(100)
        client.close()

    server = threading.Thread(target=answer, daemon=True)
    server.start()
    _, text = terminal(APHORISM, f"unix:{place}/server", "Why?")
    server.join(LIMIT)
    listener.close()
    assert SHOWN in text and GOOD in text
    evil = os.fsdecode(TEXT)
    for program, *words in ((APHORISM, f"unix:/{evil}"), (APHORISM, evil), (APHORISM, "-p", evil),
                            (APHORISM, f"--{evil}"), (APHORISMCTL, evil), (APHORISMCTL, "-s", f"/{evil}", "ping"),
                            (APHORISMCTL, "--json", "-s", f"/{evil}", "ping"), (APHORISMCTL, f"--{evil}", "ping"),
                            (APHORISMD, evil), (APHORISMD, f"--{evil}"), (APHORISMD, "-o", evil),
                            (APHORISMD, "-t", "-c", f"/{evil}"), (APHORISMD, "-t", "-o", f"aphorisms=/{evil}"),
                            (APHORISMD, "-t", "-o", f"model={evil}"), (APHORISMD, "-t", "-o", f"process.user={evil}")):
        status, text = terminal(program, *words)
        assert status != 0 and "]0;owned" in text, (program, words, text)


def test_what_a_configuration_says(place):
    """Names, values and files with such names: at a check, in a dump, at a start in the foreground and as a daemon."""
    evil = os.fsdecode(EVIL.replace(b"\r", b""))
    config = place / evil / "aphorismd.conf"
    config.parent.mkdir()
    good = Daemon(place, "prefork").config.read_bytes()
    options = ("-p", f"{place}/pid", "-o", "control.socket=")
    for text, status in ((good + b'%s = 5;\n' % EVIL, 78), (good + b'model = "%s";\n' % TEXT, 78),
                         (good + b'aphorisms = "%s";\n' % TEXT, 78), (good + b'@include "%s"\n' % TEXT, 78),
                         (b'aphorisms = "%s";\nprocess = { user = "nobody"; };\n' % TEXT.replace(b"\r", b""), 66),
                         (b'listen = ( "%s" );\n' % TEXT, 78)):
        config.write_bytes(text)
        for how in (["-t"], ["-T"], ["-f", *options], options):
            found, said = terminal(APHORISMD, "-c", config, *how)
            assert found == status or (how == ["-T"] and found == 0), said
            assert "]0;owned" in said and (SHOWN[:14] in said or CLEAN.search(said)), said
    config.write_bytes(b"backlog = 7;\n")
    found, said = terminal(APHORISMD, "-T", "-c", config, "-o", "process.user=")
    assert found == 0 and f"backlog = 7;  # {place}/{SHOWN[:14]}" in said


def test_what_a_tables_name_says(place):
    """At each of its lines that has an error."""
    table = place / os.fsdecode(EVIL) / "table"
    table.parent.mkdir()
    table.write_bytes(b"a? b.\nnothing\n\x1b? \x9b\n")
    status, text = terminal(APHORISMD, "-t", "-c", Daemon(place, "prefork").config, "-o", f"aphorisms={table}")
    assert status == 78 and text.count(SHOWN) == 2 and ":2: " in text, text
