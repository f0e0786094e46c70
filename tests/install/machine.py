"""A Debian that a test may do everything with: booted by systemd-nspawn, from a layer of its own over the kept root.

Commands run in it by nsenter.  The test itself can enter its network, so that the clients of the other system tests
reach its daemons.
"""

import contextlib
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from harness import LIMIT

ROOT = Path(os.environ["TEST_ROOT"])
SCRATCH = Path(os.environ["TEST_SCRATCH"])
DEB = Path(os.environ["TEST_DEB"])
CGROUPS = [Path(name) for name in os.environ["TEST_CGROUPS"].split()]

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


def package(name):
    found, = DEB.glob(f"{name}_*.deb")
    return found


def previous(place):
    """The daemon's package as an earlier version had it: with a lower number, and other comments in table and unit."""
    folder, deb = place / "previous", place / "aphorismd_0.0.9_all.deb"
    command("dpkg-deb", "--raw-extract", package("aphorismd"), folder)
    control, table = folder / "DEBIAN/control", folder / "etc/aphorismd/zen.aphorisms"
    control.write_text(re.sub("^Version: .*", "Version: 0.0.9", control.read_text(), flags=re.MULTILINE))
    table.write_text(table.read_text().split("\n", 1)[1])
    with open(folder / "lib/systemd/system/aphorismd.service", "a") as unit:
        unit.write("# and no more than that\n")
    command("dpkg-deb", "--root-owner-group", "-Znone", "--build", folder, deb, stdout=subprocess.DEVNULL)
    return deb


class Failed(AssertionError):
    pass


class Machine:
    """One container; `layers` are the folders below its own, the lowest last."""

    count = 0

    def __init__(self, layers=()):
        Machine.count += 1
        self.name = f"m{os.getpid()}-{Machine.count}"
        self.folder = SCRATCH / self.name
        self.root, self.upper = self.folder / "root", self.folder / "upper"
        for folder in (self.root, self.upper, self.folder / "work"):
            folder.mkdir(parents=True)
        lower = ":".join(str(layer) for layer in (*layers, ROOT))
        command("mount", "-t", "overlay", "overlay", "-o",
                f"lowerdir={lower},upperdir={self.upper},workdir={self.folder / 'work'}", self.root)
        self.nspawn = self.leader = None

    def boot(self, *program):
        """Its systemd, up to the end of the boot; or a program in its place, as the only one."""
        self.console = open(self.folder / "console", "wb")
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        notify.bind(str(self.folder / "notify"))
        notify.settimeout(LIMIT)
        self.nspawn = subprocess.Popen(
            ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--private-network", "--resolv-conf=off",
             "--timezone=off", "--link-journal=no", f"--machine={self.name}", f"--directory={self.root}",
             "--system-call-filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self",
             *(["--as-pid2", *program] if program else ["--boot", "--notify-ready=yes"])],
            env={**os.environ, "NOTIFY_SOCKET": str(self.folder / "notify")}, stdin=subprocess.DEVNULL,
            stdout=self.console, stderr=subprocess.STDOUT, preexec_fn=self.enter_cgroups)
        with notify:
            self.leader = self.hear(notify)
        return self

    def hear(self, notify):
        leader = None
        while True:
            try:
                lines = notify.recv(4096).decode().splitlines()
            except TimeoutError as late:
                raise Failed("no boot: " + (self.folder / "console").read_text(errors="replace")[-3000:]) from late
            for line in lines:
                if line.startswith("X_NSPAWN_LEADER_PID="):
                    leader = int(line.split("=")[1])
            if "READY=1" in lines:
                return leader

    def enter_cgroups(self):
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        for cgroup in CGROUPS:
            own = cgroup / self.name
            own.mkdir()
            (own / "cgroup.procs").write_text("0")

    def stop(self):
        """Powers it off."""
        if self.nspawn and self.nspawn.poll() is None:
            self.nspawn.send_signal(signal.SIGTERM)         # nspawn tells its systemd to power off
            try:
                self.nspawn.wait(LIMIT)
            except subprocess.TimeoutExpired:
                self.nspawn.kill()
                self.nspawn.wait()
                raise
        self.nspawn = None

    def remove(self):
        try:
            self.stop()
        finally:
            command("umount", self.root)
            shutil.rmtree(self.folder)

    # Inside

    def start(self, *words, **more):
        return subprocess.Popen(self.entering(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, errors="replace", **more)

    def entering(self, words):
        clean = ["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
                 "LANG=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "SYSTEMD_PAGER="]
        return ["nsenter", f"--target={self.leader}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd",
                "--", *clean, *map(str, words)]

    def run(self, *words, limit=3 * LIMIT):
        """A program to its end, whatever that is; `output` has all that it said."""
        result = subprocess.run(self.entering(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, errors="replace", timeout=limit)
        result.output = result.stdout
        return result

    def do(self, *words, **more):
        """One that must succeed: what it said."""
        result = self.run(*words, **more)
        if result.returncode != 0:
            raise Failed(f"{' '.join(map(str, words))}: status {result.returncode}\n{result.output}")
        return result.output

    def path(self, name):
        """A file in there, by the name that the test has for it; what is in /run, too."""
        return Path(f"/proc/{self.leader}/root{name}")

    def systemctl(self, *words):
        return self.do("systemctl", *words)

    def kill(self, name, pid):
        self.do("sh", "-c", f"kill -{name} {pid}")

    def show(self, unit, key):
        return self.systemctl("show", "--value", f"--property={key}", unit).strip()

    def journal(self, unit="aphorismd.service"):
        self.do("journalctl", "--sync")
        return self.do("journalctl", "--no-pager", "--output=cat", f"--unit={unit}")

    @contextlib.contextmanager
    def network(self):
        """The sockets that the test makes within are in the machine's network."""
        with open("/proc/self/ns/net") as ours, open(f"/proc/{self.leader}/ns/net") as theirs:
            enter(theirs)
            try:
                yield
            finally:
                enter(ours)

    def install(self, *packages):
        """With apt, from what was downloaded when the root was made."""
        return self.do("apt-get", "install", "--yes", "--no-install-recommends", *packages)

    def bring(self, *files):
        """Copies files into /root; their names there."""
        for file in files:
            shutil.copy(file, self.path("/root"))
        return [f"/root/{Path(file).name}" for file in files]


def enter(namespace):
    if LIBC.setns(namespace.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def command(*words, **more):
    subprocess.run([str(word) for word in words], check=True, **more)
