"""The packages: installation, upgrade, removal."""

from harness import Client, until
from machine import package


def test_installs_and_answers_at_once(fresh):
    fresh.install(*fresh.bring(package("aphorismd"), package("aphorismd-tools")))
    with Client("127.0.0.1:1060") as client:
        assert client.ask(b"Simple is better than?") == b"Complex."
    assert fresh.systemctl("is-active", "aphorismd.service") == "active\n"
    assert fresh.systemctl("is-enabled", "aphorismd.service") == "enabled\n"
    print(fresh.systemctl("status", "aphorismd.service"))
    print(fresh.journal())
