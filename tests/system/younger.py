"""Systems that are older than the program, or more narrow: a filter in front of it has system calls fail."""

import sys

import pytest

from harness import run

# Has system calls fail, by their numbers, with an errno; of NUMBER:VALUE only those with that first argument.  Then
# becomes another program.
DENY = """
import ctypes, os, struct, sys
error = int(sys.argv[2])
step = lambda code, true, false, value: struct.pack("HBBI", code, true, false, value)
allow, deny = step(0x06, 0, 0, 0x7fff0000), step(0x06, 0, 0, 0x00050000 | error)
steps = [step(0x20, 0, 0, 0)]
for call, _, value in (word.partition(":") for word in sys.argv[1].split(",")):
    if value:
        steps += [step(0x15, 0, 4, int(call)), step(0x20, 0, 0, 16), step(0x15, 0, 1, int(value)), deny, allow]
    else:
        steps += [step(0x15, 0, 1, int(call)), deny]
steps.append(allow)
filter = ctypes.create_string_buffer(b"".join(steps))
program = ctypes.create_string_buffer(struct.pack("HL", len(steps), ctypes.addressof(filter)))
assert ctypes.CDLL(None).prctl(22, 2, program, 0, 0) == 0
os.execvp(sys.argv[3], sys.argv[3:])
"""
EPERM, EINVAL, ENOSYS = 1, 22, 38         # what an old filter says, what nobody expects, what an old kernel says

# From Linux 5.1 on calls have the same numbers everywhere.
CLONE3, CLOSE_RANGE, EPOLL_PWAIT2, FCHMODAT2 = 435, 436, 441, 452
URING, LAST = (425, 426, 427), 480


def denied(error, *calls):
    """The words in front of a command for which these calls fail."""
    words = [sys.executable, "-c", DENY, ",".join(map(str, calls)), str(error)]
    if run(*words, "true").returncode:
        pytest.skip("no filter of system calls can be had here")
    return words
