"""Under inetd, xinetd and systemd's Accept=yes, by the samples that are installed."""

import re
from pathlib import Path

import pytest

from harness import Client, descendants, until
from installed import ADDRESS, answers, edit, edit_model, is_active

EXAMPLES = "/usr/share/doc/aphorismd/examples"


def inetd(machine, waits):
    """With the first of the sample's lines, or with the second."""
    machine.install("openbsd-inetd")
    lines = machine.path(f"{EXAMPLES}/inetd.conf").read_text().splitlines()
    way = "wait" if waits else "nowait"
    line, = [line.lstrip("#") for line in lines if re.search(rf" tcp {way}[. ]", line)]
    machine.path("/etc/inetd.conf").write_text(line + "\n")
    machine.systemctl("restart", "inetd")
    until("inetd's socket", listens)


def xinetd(machine, waits):
    machine.install("xinetd")
    sample = machine.path(f"{EXAMPLES}/xinetd.conf").read_text()
    if waits:
        assert "wait        = no" in sample
        sample = sample.replace("wait        = no", "wait        = yes")
    machine.path("/etc/xinetd.d/aphorism").write_text(sample)
    machine.systemctl("restart", "xinetd")
    until("xinetd's socket", listens)


def listens():
    """Asked of the kernel: a connection would start a process."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[1].endswith(f":{1060:04X}") and row[3] == "0A" for row in rows)


def daemons(machine):
    return {p.pid for p in descendants(machine.leader) if p.name == "aphorismd"}


@pytest.fixture
def vacant(machine):
    """The port is for others."""
    machine.systemctl("disable", "--now", "aphorismd")
    return machine


superservers = pytest.mark.parametrize("serve", [inetd, xinetd])


@superservers
def test_a_process_for_each_client(vacant, serve):
    serve(vacant, waits=False)
    with Client(ADDRESS) as one:
        assert one.ask(b"Simple is better than?") == b"Complex."
        with Client(ADDRESS) as two:
            assert two.ask(b"Beautiful is better than?") == b"Ugly."
            assert len(daemons(vacant)) == 2
        one.send(b"Simple is better than?" * 100)
        one.half_close()
        assert one.everything() == b"Complex." * 100
    until("the end of the processes", lambda: not daemons(vacant))


def test_inetd_serves_more_clients_than_it_would_by_itself(vacant):
    """256 within a minute."""
    inetd(vacant, waits=False)
    for _ in range(300):
        assert answers()


@superservers
@pytest.mark.parametrize("model", ["prefork", "event"])
def test_a_daemon_that_waits_for_more_and_leaves(vacant, serve, model):
    edit_model(vacant, model)
    edit(vacant, "inetd.idle_exit", '"1s"')
    serve(vacant, waits=True)
    for _ in range(2):
        with Client(ADDRESS) as one, Client(ADDRESS) as two:
            assert one.ask(b"Simple is better than?") == b"Complex."
            assert two.ask(b"Beautiful is better than?") == b"Ugly."
            first = daemons(vacant)
            assert first
        until("the daemon's end", lambda: not daemons(vacant))
    assert answers()


@superservers
def test_no_word_but_answers_reaches_a_client(vacant, serve):
    """The superserver makes the connection standard error, too."""
    edit_model(vacant, "perfork")
    serve(vacant, waits=False)
    with Client(ADDRESS) as client:
        try:
            assert client.everything() == b""
        except ConnectionResetError:
            pass
    vacant.do("journalctl", "--sync")
    assert "aphorismd.conf:" in vacant.do("journalctl", "--no-pager", "--identifier=aphorismd")


def a_unit_for_each_client(machine):
    with Client(ADDRESS) as one, Client(ADDRESS) as two:
        assert one.ask(b"Simple is better than?") == b"Complex."
        assert two.ask(b"Beautiful is better than?") == b"Ugly."
        units = machine.systemctl("list-units", "--plain", "--no-legend", "aphorismd-inetd@*")
        assert units.count(" active ") == 2
        assert len(daemons(machine)) == 2


@pytest.mark.parametrize("running", ["aphorismd.service", "aphorismd.socket"])
def test_units_with_accept_take_the_place_of_others(machine, running):
    machine.do("cp", f"{EXAMPLES}/aphorismd-inetd.socket", f"{EXAMPLES}/aphorismd-inetd@.service",
               "/etc/systemd/system")
    machine.systemctl("daemon-reload")
    machine.systemctl("start", running)
    assert answers()
    machine.systemctl("start", "aphorismd-inetd.socket")
    assert not is_active(machine, running) and not is_active(machine, "aphorismd-activated.service")
    a_unit_for_each_client(machine)
    machine.systemctl("start", running)
    assert not is_active(machine, "aphorismd-inetd.socket")
    assert answers()


def test_units_with_accept(vacant):
    vacant.do("cp", f"{EXAMPLES}/aphorismd-inetd.socket", f"{EXAMPLES}/aphorismd-inetd@.service",
              "/etc/systemd/system")
    vacant.systemctl("daemon-reload")
    vacant.systemctl("enable", "--now", "aphorismd-inetd.socket")
    a_unit_for_each_client(vacant)
    until("the end of the processes", lambda: not daemons(vacant))
    until("the end of the units",
          lambda: vacant.systemctl("list-units", "--plain", "--all", "--no-legend", "aphorismd-inetd@*") == "")
    said = vacant.do("journalctl", "--no-pager", "--output=cat", "--unit=aphorismd-inetd@*")
    assert "Failed" not in said
    edit_model(vacant, "perfork")
    with Client(ADDRESS) as client:
        assert client.everything() == b""
    until("the failure in the journal", lambda: "Failed with result 'exit-code'" in
          vacant.do("journalctl", "--no-pager", "--output=cat", "--unit=aphorismd-inetd@*"))
