"""Addresses that exclude each other, or that can't be had: the right cause, and a reload that refuses nobody."""

import re
import socket

import pytest

import harness
from fixtures import TRACED
from harness import APHORISM, APHORISMD, ROOT, Client, Daemon, Raw, run, talk, until
from load import Load
from test_completion import APHORISM_BENCH
from tracing import tool

QUESTION, ANSWER = b"Simple is better than?", b"Complex."


def refuses(address):
    try:
        Client(address).close()
    except (ConnectionRefusedError, ConnectionResetError):
        return True
    return False


def has_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        return True
    except OSError:
        return False


def listeners(at):
    """How many sockets listen on a port, of IPv4 and IPv6."""
    lines = [line.split() for name in ("tcp", "tcp6") for line in open(f"/proc/net/{name}")]
    return sum(words[3] == "0A" and words[1].endswith(f":{at:04X}") for words in lines)


# A reload to an address that excludes one of ours

def test_a_wider_address_and_back_under_load(daemon, model, reserved):
    """Nobody is refused or reset at the address that is served all the time."""
    at = reserved
    d = daemon(model, listen=(f"127.0.0.1:{at}",))
    load = Load(d.address, 8, per_connection=3)
    for wide in (f"*:{at}", f"0.0.0.0:{at}"):
        assert refuses(f"127.0.0.2:{at}")
        d.reloaded(listen=(wide,))
        until("an answer", lambda: talk(f"127.0.0.2:{at}", [QUESTION]) == ANSWER)
        if wide[0] == "*" and has_ipv6():
            assert talk(f"[::1]:{at}", [QUESTION]) == ANSWER
        d.reloaded(listen=(wide,), backlog=100)
        d.settled()
        assert talk(f"127.0.0.2:{at}", [QUESTION]) == ANSWER
        d.reloaded(listen=(d.address,))
        d.settled()
        until("the end of the wider one", lambda: refuses(f"127.0.0.2:{at}"))
    load.finish()
    assert listeners(at) == 1


def test_who_is_served_for_long_holds_nobody_up(daemon, reserved):
    """The worker of the old generation that is busy had the narrower address: others have it, too."""
    d = daemon("prefork", listen=(f"127.0.0.1:{reserved}",), work__delay="5s",
               prefork__start_workers=1, prefork__min_spare=1, prefork__max_spare=1)
    with d.connect() as busy:
        busy.send(QUESTION)
        until("the question's being read", lambda: harness.unread(busy) == 0)
        d.reloaded(listen=(f"*:{reserved}",), work__delay="0ms")
        for _ in range(20):
            with d.connect() as client:
                assert client.ask(QUESTION) == ANSWER
        assert busy.answer() == ANSWER


def test_what_stays_open_beside_is_told(daemon, model, reserved):
    """It is served by the rule of the wider one, and goes when that goes."""
    d = daemon(model, listen=(f"127.0.0.1:{reserved}",), log__level="notice")
    wide, since = f"*:{reserved}", len(d.lines)
    result = d.reload(listen=({"address": wide, "protocol": "echo"},))
    assert result.returncode == 0, result
    notice = f"listen: {d.address} stays open beside {wide} until a restart"
    assert notice in result.stdout + result.stderr
    d.wait_for(re.escape(notice), since)
    until("echo", lambda: talk(d.address, [b"no question"]) == b"no question")
    d.reloaded(listen=("127.0.0.2:0",))
    other = d.wait_for(r"listening on (127\S+)", since).group(1)
    d.settled()
    assert talk(other, [QUESTION]) == ANSWER and refuses(d.address)


def test_a_wider_address_after_an_upgrade(daemon, place, reserved):
    """The new program has another configuration, and both of its sockets later on."""
    d = daemon("event", listen=(f"127.0.0.1:{reserved}",), process__pidfile=place / "pid")
    d.write(listen=(f"*:{reserved}",))
    load = Load(d.address, 4, per_connection=3)
    for _ in range(2):
        d.upgraded()
        assert talk(f"127.0.0.2:{reserved}", [QUESTION]) == ANSWER
    d.reloaded()
    load.finish()


def test_two_daemons_do_not_share(daemon, place, reserved):
    """What one has shared for the moment of binding the other one can have no share of later."""
    (place / "other").mkdir()
    one = daemon("event", listen=(f"127.0.0.1:{reserved}",))
    one.reloaded(listen=(f"*:{reserved}",))
    one.reloaded(listen=(f"127.0.0.1:{reserved}",))
    one.settled()
    other = daemon("event", folder=place / "other", listen=(f"127.0.0.2:{reserved}",))
    result = other.reload(listen=(f"*:{reserved}",))
    assert result.returncode == 69 and "in use by another process" in result.stdout + result.stderr, result
    assert talk(one.address, [QUESTION]) == talk(other.address, [QUESTION]) == ANSWER


def test_a_bad_reload_to_a_wider_address_leaves_all_as_it_was(daemon, reserved):
    at = reserved
    d = daemon("prefork", listen=(f"127.0.0.1:{at}",))
    with socket.create_server(("127.0.0.1", 0)) as other:
        result = d.reload(listen=(f"*:{at}", "127.0.0.1:%d" % other.getsockname()[1]))
    assert result.returncode == 69, result
    assert listeners(at) == 1 and refuses(f"127.0.0.2:{at}") and talk(d.address, [QUESTION]) == ANSWER


def test_the_same_address_in_other_words(daemon, model, reserved):
    """It is the same listener, and nothing is opened or closed."""
    d = daemon(model, listen=(f"127.0.0.1:{reserved}",))
    at, since = reserved, len(d.lines)
    for same in (f"[::ffff:127.0.0.1]:{at}", f"[::ffff:7f00:1]:{at}", d.address):
        d.reloaded(listen=(same,))
        d.settled()
        assert talk(d.address, [QUESTION]) == ANSWER and listeners(at) == 1
    assert not d.matches("listening on", since)


# What can't be had, and why

def test_a_port_of_a_stranger(daemon, reserved):
    """Not even where one of ours has the same port; a restart would change nothing."""
    d = daemon("prefork", listen=(f"127.0.0.1:{reserved}",))
    with socket.create_server(("127.0.0.2", reserved)):
        wide = f"*:{reserved}"
        result = d.reload(listen=(wide,))
        assert result.returncode == 69
        assert f"can't listen on {wide}: in use by another process\n" in result.stdout + result.stderr
        assert "restart" not in result.stdout + result.stderr
        assert talk(d.address, [QUESTION]) == ANSWER
    d.reloaded()


def test_our_own_socket_by_another_path(daemon, place):
    (place / "folder").mkdir()
    d = daemon("prefork", listen=(f"unix:{place}/s",))
    result = d.reload(listen=(f"unix:{place}/folder/../s",))
    assert result.returncode == 69
    assert (f"can't listen on unix:{place}/folder/../s: our own unix:{place}/s is the same file\n"
            in result.stdout + result.stderr)
    assert talk(d.addresses[0], [QUESTION]) == ANSWER


def no_address(place):
    return "192.0.2.1:1060", 69, "no address of this machine"


def of_an_interface(place):
    if not has_ipv6():
        pytest.skip("there is no IPv6")
    return ("[fe80::1]:1060", 69,
            "a link-local address, of which the interface can't be named, or a multicast one")


def no_socket(place):
    (place / "precious").write_text("precious")
    return f"unix:{place}/precious", 69, "what is there is no socket, and stays as it is"


def low_port(place):
    if int(open("/proc/sys/net/ipv4/ip_unprivileged_port_start").read()) < 1024:
        pytest.skip("here everybody may listen there")
    return "127.0.0.1:1", 77, "a port under 1024 needs the capability CAP_NET_BIND_SERVICE"


def no_right(place):
    (place / "folder").mkdir(mode=0o555)
    return f"unix:{place}/folder/s:80", 77, "Permission denied"


@pytest.mark.parametrize("what", [no_address, of_an_interface, no_socket, low_port, no_right])
def test_what_can_not_be_listened_on(daemon, place, what):
    """The same words at a start, at a reload and, where it can be known before, by --test."""
    address, status, reason = what(place)
    place.chmod(0o777)
    d = daemon("prefork", as_nobody=True)
    result = d.reload(listen=(address,))
    assert result.returncode == status
    assert f"can't listen on {address}: {reason}\n" in result.stdout + result.stderr
    assert d.ask(QUESTION) == ANSWER
    tried = run(APHORISMD, "-t", "-c", d.config, as_nobody=True)
    assert tried.returncode == 0
    assert (f"listen: {address}: {reason}; to mend it: " in tried.stderr) == (what in (no_address, of_an_interface, low_port))
    d.stop()
    started = run(APHORISMD, "-f", "-c", d.config, as_nobody=True)
    assert started.returncode == status and f"can't listen on {address}: {reason}\n" in started.stderr


def test_a_machine_without_ipv6(place):
    d = Daemon(place)
    d.write(listen=("[::1]:0",), control__socket="")
    no_ipv6 = [tool("strace"), "-f", "-qq", "-o", "/dev/null", "-e", "inject=socket:error=EAFNOSUPPORT"]
    result = run(*no_ipv6, APHORISMD, "-f", "-c", d.config, env=harness.environment(**TRACED))
    assert result.returncode == 69
    assert "can't listen on [::1]:0: the kernel has no addresses of this kind, or the unit excludes" in result.stderr


def test_an_address_that_has_gone_meanwhile(daemon):
    """doctor tells, where clients only see that nobody answers."""
    there = "ip link set lo up && ip address add 192.0.2.1/32 dev lo"
    if not ROOT or run("unshare", "--net", "sh", "-c", there).returncode:
        pytest.skip("no network of our own here")
    d = daemon("event", listen=("192.0.2.1:0",),
               under=["unshare", "--net", "sh", "-c", f'{there} && exec "$@"', "sh"])
    assert "no address" not in d.ctl("doctor").stdout
    assert run("nsenter", "--net", "-t", d.pid, "ip", "address", "del", "192.0.2.1/32", "dev", "lo").returncode == 0
    assert f"{d.address}: no address of this machine any more" in d.ctl("doctor").stdout


# Addresses that exclude each other in one configuration

@pytest.mark.parametrize("first, second, said", [
    ("127.0.0.1:1060", "*:1060", "*:1060 collides with 127.0.0.1:1060, which it includes"),
    ("*:1060", "[::1]:1060", "[::1]:1060 collides with *:1060, which includes it"),
    ("[::]:1060", "*:1060", "*:1060 collides with [::]:1060, which it includes"),
    ("0.0.0.0:1060", "127.0.0.1:1060", "127.0.0.1:1060 collides with 0.0.0.0:1060, which includes it"),
])
def test_a_collision_is_told(place, first, second, said):
    d = Daemon(place)
    d.config.write_text(f'listen = ("{first}",\n  "unix:{place}/s",\n  "{second}");\naphorisms = "{d.table.name}";\n')
    for option, level in (("-t", " [error]"), ("-f", "")):
        result = run(APHORISMD, option, "-c", d.config)
        assert result.returncode == 78
        assert f"{d.config}:3: listen: {said}{level}\n" in result.stderr


def test_what_does_not_collide(daemon):
    """Both families have their own wildcard; port 0 is another one each time."""
    at = "127.0.0.1:0"
    listen = (at, "*:0", at) + (("[::1]:0",) if has_ipv6() else ())
    d = daemon("event", listen=listen)
    assert len({*d.addresses}) == len(listen)
    assert run(APHORISMD, "-t", "-c", d.config, "-l", "0.0.0.0:1060", "-l", "[::]:1060").returncode == 0


# The ways in which an address can be said

WAYS = {
    "-l": lambda listen: {"options": [word for at in listen for word in ("-l", at)]},
    "-o": lambda listen: {"options": ["-o", "listen=" + ", ".join(listen)]},
    "environment": lambda listen: {"env": {"APHORISMD_LISTEN": ",".join(listen)}},
    "file": lambda listen: {"settings": [Raw(at) if at[0] in '{"' else at for at in listen]},
}


@pytest.fixture
def ipv6():
    if not has_ipv6():
        pytest.skip("no IPv6")


@pytest.fixture(params=WAYS)
def said(daemon, request):
    """Starts a daemon that is told in one of the ways where to listen."""
    def start(model, *listen):
        way = WAYS[request.param](listen)
        return daemon(model, listen=way.pop("settings", ["127.0.0.1:0"] * len(listen)), **way)

    return start


@pytest.mark.parametrize("first", [0, 2, 4])
def test_an_address_is_an_address(said, place, ipv6, first):
    """Whichever comes first; and the next generation and the next program are told the same."""
    forms = ["[::1]:0", "127.0.0.1:0", f"unix:{place}/s", "*:0", "[::]:0"]
    forms = forms[first:] + forms[:first]
    d = said("event", *forms)
    assert [form.rpartition("0")[0] if form.endswith(":0") else form for form in forms] == [
        re.sub(r"(?<=:)\d+$", "", at) for at in d.addresses]
    for step in (d.reloaded, d.upgraded):
        assert [talk(at, [QUESTION]) for at in d.addresses] == [ANSWER] * 5
        step()
    assert [talk(at, [QUESTION]) for at in d.addresses] == [ANSWER] * 5


def test_a_group_beside_an_address(said, place, ipv6):
    echo = '{ address = "[::1]:0"; protocol = "echo"; }'
    for listen in (("[::1]:0", echo), (echo, "[::1]:0")):
        d = said("event", *listen)
        assert talk(d.addresses[listen.index(echo)], [b"no question"]) == b"no question"
        assert talk(d.addresses[listen.index("[::1]:0")], [QUESTION]) == ANSWER
        d.stop()


def test_an_array_is_an_array(daemon, ipv6):
    d = daemon(options=["-o", 'listen=["127.0.0.1:0","[::1]:0"]'], listen=["127.0.0.1:0"] * 2)
    assert [talk(at, [QUESTION]) for at in d.addresses] == [ANSWER] * 2
    assert d.addresses[1].startswith("[::1]:")


def test_a_path_may_hold_anything(daemon, place):
    """As an option of its own, where no list goes by commas."""
    forms = [f"unix:{place}/{name}" for name in ("a,b", "[::1]:0", '"#\\', "{(;")]
    d = daemon(options=[word for at in forms for word in ("-l", at)], listen=["127.0.0.1:0"] * len(forms))
    assert [talk(at, [QUESTION]) for at in forms] == [ANSWER] * len(forms)
    d.stop()


def test_what_is_logged_can_be_said(daemon, place, ipv6):
    """To the client, and to the benchmark."""
    d = daemon(listen=("[::1]:0", "127.0.0.1:0", f"unix:{place}/s"))
    for at in d.addresses:
        result = run(APHORISM, at, QUESTION.decode())
        assert (result.returncode, result.stdout) == (0, "Simple is better than? Complex.\n"), result.stderr
        result = run(APHORISM_BENCH, "run", "-c", "1", "-n", "10", "--no-progress", at)
        assert result.returncode == 0 and at in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize("text, reason", [
    ("[::1]", "must be 127.0.0.1:1060, [::1]:1060, *:1060 or unix:/path; names are not looked up"),
    ("[::1]:70000", "the port must be a number from 0 to 65535"),
    ("[127.0.0.1]:1060", "must be 127.0.0.1:1060, [::1]:1060, *:1060 or unix:/path; names are not looked up"),
    ("[", "syntax error"),
])
def test_what_is_none_is_told(place, text, reason):
    d = Daemon(place)
    for words, env, where in ((["-l", text], {}, "option: listen"), (["-o", f"listen={text}"], {}, "option: listen"),
                              ([], {"APHORISMD_LISTEN": text}, "environment: APHORISMD_LISTEN")):
        result = run(APHORISMD, "-t", "-c", d.config, *words, env=harness.environment(**env))
        line, verdict = result.stderr.splitlines()
        assert (result.returncode, line) == (78, f'{where}: "{text}": {reason} [error]'), verdict
