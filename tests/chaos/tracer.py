"""Processes under strace: one of them alone, before its first line if need be; or one with all that belongs to it."""

import mmap
import os
import re
import signal
import struct
import subprocess

import harness
from harness import until
from tracing import traced


class Fault:
    """`when`th call of `call` fails with `error`; without a call nothing fails and all calls are counted."""

    def __init__(self, call=None, error=None, when=0):
        self.call, self.error, self.when = call, error, when

    def __repr__(self):
        return f"{self.call}:{self.error}:{self.when}" if self.call else "none"

    def arguments(self):
        if not self.call:
            return ["-e", "signal=none"]
        return ["-e", "signal=none", "-e", f"trace={self.call}",
                "-e", f"inject={self.call}:error={self.error}:when={self.when}"]


class Tracer:
    """Knows the processes that load stop_here.so with this page, by the order in which they begin."""

    def __init__(self, place, fault, limit):
        self.page_path, self.log = place / "page", place / "trace"
        self.fault, self.limit, self.strace = fault, limit, None
        self.page_path.write_bytes(bytes(8))
        with open(self.page_path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 8)

    def arm(self, number):
        """The number-th process that begins from now on is to stop."""
        self.page[:] = struct.pack("ii", number, 0)

    def catch(self, follow):
        """Waits for it, attaches, and lets it go on."""
        pid = until("the process that stops", lambda: struct.unpack("ii", self.page[:])[1], self.limit)
        until("its stop", lambda: harness.process(pid).state in "Tt", self.limit)
        self.attach(pid, follow)
        os.kill(pid, signal.SIGCONT)

    def attach(self, pid, follow):
        """ProcessLookupError when it has gone."""
        command = ["strace", "-q", *(["-f"] if follow else []), "-p", str(pid), "-o", str(self.log)]
        self.strace = subprocess.Popen(command + self.fault.arguments(), stdout=subprocess.DEVNULL,
                                       stderr=subprocess.PIPE)
        until("the tracer", lambda: traced(pid, follow) or self.strace.poll() is not None, self.limit)
        if self.strace.poll() is not None:
            said = self.strace.stderr.read().decode()
            raise ProcessLookupError(said) if "No such process" in said else AssertionError(said)

    def detach(self):
        if self.strace:
            self.strace.terminate()
            self.strace.wait(harness.LIMIT)
            self.strace.stderr.close()

    def calls(self):
        """Call -> how often one process made it at most."""
        counts = {}
        for line in self.log.read_text(errors="replace").splitlines() if self.log.exists() else ():
            found = re.match(r"(?:(\d+) +)?(\w+)\(", line)
            if found:
                counts[found.groups()] = counts.get(found.groups(), 0) + 1
        most = {}
        for (_, call), count in counts.items():
            most[call] = max(most.get(call, 0), count)
        return most

    def struck(self):
        return self.log.exists() and "(INJECTED)" in self.log.read_text(errors="replace")

    def close(self):
        self.detach()
        self.page.close()
