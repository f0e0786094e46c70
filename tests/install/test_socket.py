"""Socket activation: aphorismd.socket and its own service."""

import socket
import time

import pytest

from harness import Client, models, until
from installed import ADDRESS, another_main_process, answers, drop_in, edit, edit_model, is_active
from load import Load

SERVICE = "aphorismd-activated.service"


@pytest.fixture
def activated(machine):
    """Switched over to the socket, as the manual says."""
    machine.systemctl("disable", "--now", "aphorismd.service")
    machine.systemctl("enable", "--now", "aphorismd.socket")
    assert not is_active(machine, SERVICE)
    return machine


@pytest.mark.parametrize("model", models())
def test_first_connection_is_answered(activated, model):
    edit_model(activated, model)
    assert answers()
    until("systemd's knowledge of that", lambda: is_active(activated, SERVICE))
    assert f"model {model}\n" in activated.do("aphorismctl", "status")
    assert activated.show(SERVICE, "NRestarts") == "0"


def test_restart_refuses_nobody(activated):
    load = Load(ADDRESS, 5, per_connection=10)
    for model in models():
        edit_model(activated, model)
        activated.systemctl("reset-failed", SERVICE)            # six starts in a row are one too many
        activated.systemctl("restart", SERVICE)
        before = load.answered
        until(f"answers under {model}", lambda: load.answered > before + 100)
    load.finish()


def test_upgrade_refuses_nobody(activated):
    """The sockets are systemd's before and after."""
    load = Load(ADDRESS, 5, per_connection=10)
    until("answers", lambda: load.answered > 100)
    for _ in range(2):
        pid = activated.do("aphorismctl", "upgrade").split()[1]
        until("the new main process", lambda: activated.show(SERVICE, "MainPID") == pid)
    before = load.answered
    until("more answers", lambda: load.answered > before + 100)
    activated.systemctl("restart", SERVICE)
    until("still more answers", lambda: load.answered > before + 200)
    load.finish()
    assert is_active(activated, "aphorismd.socket")


def test_kill_and_reload(activated):
    assert answers()
    pid = activated.show(SERVICE, "MainPID")
    activated.kill("KILL", pid)
    another_main_process(activated, pid, SERVICE)
    edit_model(activated, "event")
    activated.systemctl("reload", SERVICE)
    assert "model event\n" in activated.do("aphorismctl", "status")
    assert answers()
    edit(activated, "model", '"perfork"')
    assert activated.run("systemctl", "reload", SERVICE).returncode != 0
    assert answers()


def test_stopped_service_starts_with_the_next_client(activated):
    assert answers()
    activated.systemctl("stop", SERVICE)
    assert answers()
    activated.systemctl("stop", "aphorismd.socket", SERVICE)
    with pytest.raises(ConnectionRefusedError):
        Client(ADDRESS)


def test_sandbox_enters_within_the_walls_of_the_unit(activated):
    drop_in(activated, SERVICE, "[Service]\nEnvironment=APHORISMD_PROCESS_SANDBOX=required\n")
    assert answers()
    story = activated.journal(SERVICE)
    assert "process.sandbox" not in story and "can't" not in story


def test_more_sockets_and_protocols(activated):
    """A UNIX socket beside the port; a second socket unit for another protocol."""
    drop_in(activated, "aphorismd.socket", "[Socket]\nListenStream=/run/aphorism.sock\n")
    activated.path("/etc/systemd/system/echo.socket").write_text(
        "[Socket]\nListenStream=127.0.0.1:1061\nFileDescriptorName=echo\nService=aphorismd-activated.service\n")
    drop_in(activated, SERVICE, "[Service]\nSockets=aphorismd.socket echo.socket\n")
    activated.systemctl("restart", "aphorismd.socket", "echo.socket")
    assert answers()
    assert "Complex." in activated.do("aphorism", "unix:/run/aphorism.sock", "Simple is better than?")
    with Client("127.0.0.1:1061") as client:
        client.send(b"ni\n")
        assert client.take(3) == b"ni\n"


def test_broken_configuration_ends_in_failure_not_in_a_loop(activated):
    """And with the repair that the manual names it serves again."""
    edit(activated, "model", '"perfork"')
    with socket.create_connection(("127.0.0.1", 1060)):
        until("the failure", lambda: activated.show(SERVICE, "ActiveState") == "failed"
              and activated.show("aphorismd.socket", "ActiveState") == "failed")
    assert activated.show(SERVICE, "NRestarts") == "0"
    assert "aphorismd.conf:" in activated.journal(SERVICE)
    edit(activated, "model", '"event"')
    activated.systemctl("reset-failed", SERVICE)
    # of so many triggers in so long a time the socket would fail again, if it were started within that
    assert activated.show("aphorismd.socket", "TriggerLimitIntervalUSec") == "2s"
    time.sleep(2)
    activated.systemctl("start", "aphorismd.socket")
    assert answers()


def test_clients_just_behind_the_shortest_idle_exit(activated):
    """So many starts in a row as would be too many by systemd's own limit."""
    edit(activated, "activation.idle_exit", '"1s"')
    for _ in range(8):
        assert answers()
        until("the start", lambda: is_active(activated, SERVICE))
        until("the end", lambda: activated.show(SERVICE, "ActiveState") == "inactive")
    assert answers()


def test_either_service_takes_the_place_of_the_other(activated):
    assert answers()
    activated.systemctl("start", "aphorismd.service")
    assert answers()
    assert not is_active(activated, SERVICE) and not is_active(activated, "aphorismd.socket")
    activated.systemctl("start", "aphorismd.socket")
    assert not is_active(activated)
    assert answers()
