"""What tests of an installed daemon have in common."""

from harness import Client, until

ADDRESS = "127.0.0.1:1060"
CONF = "/etc/aphorismd/aphorismd.conf"


def answers(address=ADDRESS):
    """Whether a connection gets the right answer; refused ones raise."""
    with Client(address) as client:
        return client.ask(b"Simple is better than?") == b"Complex."


def edit(machine, key, value):
    """As one does with an editor: the commented line with the default becomes one of ours."""
    group, _, name = key.rpartition(".")
    lines = f"/^{group} = {{/,/^}};/" if group else ""
    machine.do("sed", "-i", rf"{lines}s|^\t*#*{name} = .*|{name} = {value};|", CONF)
    assert machine.path(CONF).read_text().count(f"\n{name} = {value};\n") == 1


def edit_model(machine, model):
    edit(machine, "model", f'"{model}"')


def drop_in(machine, unit, text):
    """What `systemctl edit` would leave."""
    folder = machine.path(f"/etc/systemd/system/{unit}.d")
    folder.mkdir(exist_ok=True)
    (folder / "test.conf").write_text(text)
    machine.systemctl("daemon-reload")


def is_active(machine, unit="aphorismd.service"):
    return machine.run("systemctl", "is-active", unit).output == "active\n"


def another_main_process(machine, pid, unit="aphorismd.service"):
    """Waits until the unit runs again, as another process."""
    until("another main process", lambda: machine.show(unit, "MainPID") not in (pid, "0"))
    until("the service", lambda: is_active(machine, unit))
