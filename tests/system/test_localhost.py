"""The clients' default, which needs no resolver: as in a container or a chroot where nothing knows localhost."""

import json

import pytest

from harness import APHORISM, ROOT, run
from test_completion import APHORISM_BENCH
from tracing import tool

QUESTION, PAIR = "Simple is better than?", "Simple is better than? Complex.\n"

# Another network, with nothing but a loopback, and another /etc; then becomes another program.
APART = """
ip link set lo up || exit
for file in hosts nsswitch.conf resolv.conf; do
    test ! -e /etc/$file || mount --bind "$0/$file" /etc/$file || exit
done
exec "$@"
"""


@pytest.fixture
def apart(place):
    """The words in front of a command that is to know no name and to be alone in its network."""
    (place / "hosts").write_text("127.0.0.1 somebody\n")
    (place / "nsswitch.conf").write_text("hosts: files\n")
    (place / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    words = [tool("unshare"), "-m", "-n", "sh", "-c", APART, str(place)]
    if not (ROOT and tool("ip") and tool("nsenter")) or run(*words, "true").returncode:
        pytest.skip("no mounts and no network in namespaces of our own")
    assert run(*words, "getent", "hosts", "localhost").returncode == 2, "somebody knows localhost"
    assert run(*words, "getent", "hosts", "somebody").returncode == 0
    return words


@pytest.mark.parametrize("host", [(), ("localhost",), ("LocalHost:1060",)], ids=str)
@pytest.mark.parametrize("listen", ["[::1]:1060", "127.0.0.1:1060"])
def test_nobody_knows_localhost(daemon, apart, listen, host):
    """Both of its addresses are tried, and it keeps its name."""
    d = daemon(under=apart, listen=(listen,))
    beside = ("nsenter", "-t", d.pid, "-m", "-n")
    result = run(*beside, APHORISM, *host, QUESTION)
    assert (result.returncode, result.stdout) == (0, PAIR), result.stderr
    result = run(*beside, APHORISM, "--json", *host, QUESTION)
    assert json.loads(result.stdout)["server"] == listen
    result = run(*beside, APHORISM_BENCH, "run", "-c", "1", "-n", "10", "--no-progress", *host)
    assert result.returncode == 0 and "localhost:1060" in result.stdout.lower(), result.stdout + result.stderr
    result = run(*beside, APHORISM, "anybody", QUESTION)
    assert result.returncode == 68, "no other name is known"


@pytest.mark.parametrize("families", ["both", "IPv4"])
def test_nobody_listens_there(apart, families):
    """The reason is that of an address to which there is a way."""
    off = ["sh", "-c", 'echo 1 >/proc/sys/net/ipv6/conf/lo/disable_ipv6 && exec "$@"', "sh"]
    if families == "IPv4":
        apart = [*apart, *off]
        if run(*apart, "true").returncode:
            pytest.skip("no network without IPv6")
    result = run(*apart, APHORISM, QUESTION)
    assert (result.returncode, result.stderr) == (69, "aphorism: localhost:1060: Connection refused\n")
    result = run(*apart, APHORISM_BENCH, "run")
    assert (result.returncode, result.stderr) == (69, "aphorism-bench: localhost:1060: Connection refused\n")
