"""Looking into running processes from outside: system calls with strace, and libraries of ours that they load."""

import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

import harness
from harness import until


def tool(name):
    """Where a program is that a test can't do without."""
    return shutil.which(name) or pytest.skip(f"no program {name}")


def without_sanitizers(why="a sanitizer's own memory, calls and threads would be counted"):
    """For what counts bytes, calls or wake-ups: a sanitizer has its own."""
    program = Path(harness.APHORISMD).read_bytes()
    if any(word in program for word in (b"__asan_init", b"__tsan_init", b"__ubsan_handle")):
        pytest.skip(why)


def compiled(place, source):
    """A library made from a source file, to be loaded in front of all others."""
    library = Path(place) / f"{Path(source).stem}.so"
    compiler = os.environ.get("TEST_CC", "cc").split()
    result = harness.run(*compiler, "-shared", "-fPIC", "-O", "-D_GNU_SOURCE", "-o", library, source)
    assert result.returncode == 0, result.stderr
    return library


def traced(pid, all_threads):
    """Whether it has a tracer, or each of its threads."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").glob("*/status")) if all_threads else [Path(f"/proc/{pid}/status")]
        return tasks and all("TracerPid:\t0\n" not in task.read_text() for task in tasks)
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def straced(pids, *arguments, log="/dev/null"):
    """Meanwhile strace looks at processes, all their threads, and the children that they make.

    One that may end meanwhile is started with env=TRACED: nobody looks for leaks under a tracer.
    """
    command = [tool("strace"), "-f", "--quiet=exit,path-resolution,personality,superseded,thread-execve"]
    command += ["-o", str(log), *arguments, *(word for pid in pids for word in ("-p", str(pid)))]
    with tempfile.NamedTemporaryFile("r") as said:
        strace = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)

        def held():
            """
            All that are still there: a child that serves one connection may just be ending.  They have a tracer before
            they are interrupted by it, which strace tells of.
            """
            attached = re.findall(r"Process (\d+) attached", Path(said.name).read_text())
            return all((str(pid) in attached and traced(pid, True)) or not Path(f"/proc/{pid}").exists()
                       for pid in pids)

        try:
            until("the tracer", lambda: strace.poll() is not None or held())
            if strace.poll() is not None:
                why = Path(said.name).read_text()
                assert "not permitted" in why, why
                pytest.skip(why.strip().splitlines()[-1])
            yield
        finally:
            strace.terminate()
            strace.wait()


def under_strace(log, *arguments):
    """The words in front of a command that strace is to follow from its first call on, and stay out of its way."""
    words = (tool("strace"), "-D", "-f", "-qq", "-o", str(log), "-e", "signal=none", *arguments)
    tried = harness.run(*words, "true")
    return pytest.skip(tried.stderr.strip().splitlines()[-1]) if tried.stderr else words


RETURNED = re.compile(r"(?:\d+ +)?(?:<\.\.\. )?(\w+)(?:\(| resumed>).* = (?!\? ERESTART)")


def calls(log):
    """Call -> how many have returned, in what strace has written; one that a signal interrupted is yet to."""
    returned = filter(None, map(RETURNED.match, Path(log).read_text(errors="replace").splitlines()))
    return Counter(line[1] for line in returned)
