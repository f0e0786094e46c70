"""System calls made by a process of the daemon, as code that took it over would make them: through ptrace(2).

Nothing is built into the daemon or loaded into it for that.  The process is stopped wherever it is, given the registers
of a system call at an instruction of its own C library, stepped over it, and put back.
"""

import contextlib
import ctypes
import errno
import os
import platform
import signal
import struct
import threading
import time
from pathlib import Path

import pytest
from harness import LIMIT, open_files, process

GETREGS, SETREGS, SINGLESTEP, ATTACH, DETACH, SYSCALL, GETEVENTMSG, SEIZE = 12, 13, 9, 16, 17, 24, 0x4201, 0x4206
TRACESYSGOOD, TRACEFORK = 1, 2
EVENT_FORK = 1
WALL = 0x40000000
NAMES = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss "
         "fs_base gs_base ds es fs gs").split()
ARGUMENTS = ("rdi", "rsi", "rdx", "r10", "r8", "r9")
NONE = (1 << 64) - 1
SCRATCH = 4096                                      # below the stack's end: bytes that arguments point to

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def needs_ptrace():
    if platform.machine() != "x86_64":
        pytest.skip("knows the registers of x86-64 only")


def ptrace(request, pid, address=0, data=0):
    ctypes.set_errno(0)
    result = libc.ptrace(request, pid, address, data)
    if result < 0 and ctypes.get_errno():
        raise OSError(ctypes.get_errno(), f"ptrace {request}: {os.strerror(ctypes.get_errno())}")
    return result


def stop(tid):
    """Waits until a thread of ours has stopped."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        pid, status = os.waitpid(tid, WALL | os.WNOHANG)
        if pid:
            assert os.WIFSTOPPED(status), f"it ended: {status:#x}"
            return status
        time.sleep(0.0002)
    raise AssertionError(f"thread {tid} did not stop within {LIMIT:g} s")


class Stopped:
    """A thread that is stopped by us."""

    def __init__(self, tid):
        self.tid = tid
        self.gadget = syscall_instruction(tid)

    def registers(self):
        buffer = (ctypes.c_ulonglong * len(NAMES))()
        ptrace(GETREGS, self.tid, 0, ctypes.addressof(buffer))
        return dict(zip(NAMES, buffer))

    def set(self, registers):
        buffer = (ctypes.c_ulonglong * len(NAMES))(*(registers[name] for name in NAMES))
        ptrace(SETREGS, self.tid, 0, ctypes.addressof(buffer))

    def call(self, number, *arguments):
        """The system call's result, or minus its error.  Bytes are passed by a pointer to them."""
        saved = self.registers()
        at = low = (saved["rsp"] - SCRATCH) & ~63
        registers = {**saved, "rax": number, "orig_rax": NONE, "rip": self.gadget}
        with open(f"/proc/{self.tid}/mem", "r+b", buffering=0) as memory:
            memory.seek(low)
            before = memory.read(SCRATCH // 2)
            for name, value in zip(ARGUMENTS, arguments):
                if isinstance(value, bytes):
                    memory.seek(at)
                    memory.write(value)
                    value, at = at, at + (len(value) + 63) // 64 * 64
                registers[name] = value & NONE
            self.set(registers)
            ptrace(SINGLESTEP, self.tid)
            status = stop(self.tid)
            assert os.WSTOPSIG(status) == signal.SIGTRAP, f"stopped by {status:#x}"
            result = self.registers()["rax"]
            self.set(saved)
            memory.seek(low)
            memory.write(before)
        return result - (1 << 64) if result >> 63 else result


def syscall_instruction(tid):
    for line in Path(f"/proc/{tid}/maps").read_text().splitlines():
        words = line.split()
        if words[1] == "r-xp" and len(words) > 5 and ("libc" in words[5] or "ld-" in words[5]):
            low, high = (int(word, 16) for word in words[0].split("-"))
            with open(f"/proc/{tid}/mem", "rb", buffering=0) as memory:
                memory.seek(low)
                at = memory.read(high - low).find(b"\x0f\x05")
            if at >= 0:
                return low + at
    raise AssertionError("no C library with a system call in it")


@contextlib.contextmanager
def intruder(tid):
    """A running thread, to be spoken through."""
    needs_ptrace()
    try:
        ptrace(ATTACH, tid)
    except PermissionError:
        pytest.skip("may not trace processes here")
    stop(tid)
    try:
        yield Stopped(tid)
    finally:
        ptrace(DETACH, tid)


def reached(stopped):
    """What it has open, but for TCP listeners: SECURITY.md tells what a worker can do to those."""
    listening = {f"socket:[{line.split()[9]}]" for line in Path("/proc/net/tcp").read_text().splitlines()
                 if line.split()[3] == "0A"}
    return {fd: what for fd, what in open_files(stopped.tid).items() if what not in listening}


def filters(pid):
    """How many seccomp filters a process has."""
    return int((process(pid).status("Seccomp_filters") or ["0"])[0])


@contextlib.contextmanager
def child_of(pid, begin, wanted):
    """The next child of a process, stopped once it has that many filters; begin() makes the process fork."""
    needs_ptrace()
    try:
        ptrace(SEIZE, pid, 0, TRACEFORK | TRACESYSGOOD)
    except PermissionError:
        pytest.skip("may not trace processes here")
    child = 0
    try:
        begin()
        assert stop(pid) >> 8 == signal.SIGTRAP | EVENT_FORK << 8
        message = ctypes.c_ulong()
        ptrace(GETEVENTMSG, pid, 0, ctypes.addressof(message))
        child = message.value
        ptrace(DETACH, pid)
        stop(child)
        while filters(child) < wanted:
            ptrace(SYSCALL, child)
            stop(child)
        yield Stopped(child)
    finally:
        if process(child or pid):
            ptrace(DETACH, child or pid)


@contextlib.contextmanager
def scribbler(pid, first=0, count=1, word=1):
    """A worker that fills pages of what it shares with a word, a thousand times a second.  The first page tells how
    workers are; counters and slots follow."""
    shared = [[int(word, 16) for word in line.split()[0].split("-")]
              for line in Path(f"/proc/{pid}/maps").read_text().splitlines()
              if "/dev/zero" in line and line.split()[1] == "rw-s"]
    low, high = max(shared, key=lambda area: area[1] - area[0])
    at = low + first * 4096
    text = struct.pack("=I", word) * (min(count * 4096, high - at) // 4)
    done = threading.Event()

    def scribble():
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
            while not done.wait(0.001):
                os.pwrite(memory.fileno(), text, at)

    thread = threading.Thread(target=scribble)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


# What an intruder would try, by name: the numbers of x86-64 and the arguments, such that nothing happens to the host if
# it is not denied.

AT_FDCWD, CLONE_NEWUSER, PARENT = -100, 0x10000000, object()        # PARENT stands for the supervisor
PATH, NOWHERE, PROGRAM = b"/etc/passwd\0", b"/nowhere/at/all\0", b"/bin/true\0"
SOCKADDR = struct.pack("=HH4s8x", 2, 0x0100, bytes([127, 0, 0, 1]))
ZEROES = bytes(128)

FILES_READ = {
    "open": (2, PATH, 0), "openat": (257, AT_FDCWD, PATH, 0), "stat": (4, PATH, ZEROES),
    "newfstatat": (262, AT_FDCWD, PATH, ZEROES, 0), "lseek": (8, 0, 0, 0),
}
FILES = {
    "open to write": (2, PATH, 1), "open to create": (2, NOWHERE, 0o101, 0o600), "creat": (85, NOWHERE, 0o600),
    "openat to write": (257, AT_FDCWD, PATH, 2), "openat to create": (257, AT_FDCWD, NOWHERE, 0o100, 0o600),
    "openat a temporary file": (257, AT_FDCWD, b"/tmp\0", 0o20200002, 0o600),
    "openat2": (437, AT_FDCWD, PATH, ZEROES[:24], 24), "access": (21, PATH, 4), "readlink": (89, PATH, ZEROES, 64),
    "getdents64": (217, 0, ZEROES, 128), "mkdir": (83, NOWHERE, 0o700), "rmdir": (84, NOWHERE), "unlink": (87, NOWHERE),
    "rename": (82, NOWHERE, NOWHERE), "link": (86, PATH, NOWHERE), "symlink": (88, PATH, NOWHERE),
    "mknod": (133, NOWHERE, 0o10600, 0),
    "chmod": (90, NOWHERE, 0o777), "chown": (92, NOWHERE, 0, 0), "truncate": (76, NOWHERE, 0), "chdir": (80, b"/\0"),
    "chroot": (161, b"/\0"), "memfd_create": (319, b"x\0", 0), "inotify_init1": (294, 0), "umask": (95, 0),
    "name_to_handle_at": (303, AT_FDCWD, PATH, ZEROES, ZEROES, 0), "open_by_handle_at": (304, AT_FDCWD, ZEROES, 0),
}
PROGRAMS = {
    "execve": (59, PROGRAM, 0, 0), "execveat": (322, AT_FDCWD, PROGRAM, 0, 0, 0),
    "mmap of code": (9, 0, 4096, 5, 0x22, -1, 0), "mprotect to code": (10, 0, 4096, 5),
    "vfork": (58,), "clone whose end kills": (56, signal.SIGKILL, 0, 0, 0, 0),
    "clone with a user namespace": (56, CLONE_NEWUSER | signal.SIGCHLD, 0, 0, 0, 0),
    "clone of a sibling": (56, 0x8000 | signal.SIGCHLD, 0, 0, 0, 0), "clone3": (435, ZEROES[:64], 64),
}
SOCKETS = {
    "socket inet": (41, 2, 1, 0), "socket unix": (41, 1, 2, 0), "socket netlink": (41, 16, 3, 0),
    "socketpair": (53, 1, 1, 0, ZEROES), "connect": (42, 3, SOCKADDR, 16), "bind": (49, 3, SOCKADDR, 16),
    "listen": (50, 3, 1), "sendmsg": (46, 3, ZEROES, 0), "recvmsg": (47, 3, ZEROES, 0),
    "sendto that connects": (44, 3, b"x", 1, 0x20000000, SOCKADDR, 16),
    "getsockopt": (55, 3, 1, 17, ZEROES, ZEROES), "setsockopt of a filter": (54, 3, 1, 26, ZEROES, 16),
    "setsockopt to linger": (54, 3, 1, 13, ZEROES, 8), "setsockopt to keep alive": (54, 3, 1, 9, ZEROES, 4),
    "setsockopt of TCP": (54, 3, 6, 1, ZEROES, 4), "setsockopt of buffers": (54, 3, 1, 8, ZEROES, 4),
    "dup": (32, 3), "fcntl to dup": (72, 3, 1030, 0), "recvmmsg": (299, 3, ZEROES, 1, 0, 0),
}
OTHERS = {
    "kill the parent": (62, PARENT, 0), "kill all": (62, -1, 0), "tkill the parent": (200, PARENT, 0),
    "tgkill the parent": (234, PARENT, PARENT, 0), "rt_sigqueueinfo": (129, PARENT, 0, ZEROES),
    "pidfd_open": (434, PARENT, 0), "pidfd_send_signal": (424, 3, 0, 0, 0), "fcntl to own": (72, 3, 8, PARENT),
    "fcntl that has others wait": (72, 1, 4, 2), "fcntl to O_DIRECT": (72, 1, 4, 0o44002),
    "ioctl that has others wait": (16, 3, 0x5421, ZEROES),
    "pidfd_getfd": (438, 3, 0, 0), "ptrace attach": (101, ATTACH, PARENT, 0, 0), "ptrace me": (101, 0, 0, 0, 0),
    "process_vm_readv": (310, PARENT, ZEROES, 1, ZEROES, 1, 0), "kcmp": (312, PARENT, PARENT, 0, 0, 0),
    "process_vm_writev": (311, PARENT, ZEROES, 1, ZEROES, 1, 0), "prlimit64": (302, PARENT, 7, 0, ZEROES),
    "setpriority": (141, 0, 0, 0), "sched_setscheduler": (144, PARENT, 0, ZEROES), "setpgid": (109, 0, 0),
    "setsid": (112,), "kill the group": (62, 0, 9), "stop the group": (62, 0, 19), "look for the group": (62, 0, 0),
    "fcntl to own for a thread": (72, 3, 15, ZEROES), "fcntl to choose a signal": (72, 3, 10, 9),
    "ioctl to own": (16, 3, 0x8901, ZEROES), "ioctl of a group to own": (16, 3, 0x8902, ZEROES),
    "timer that signals": (222, 1, struct.pack("=QiI48x", 0, 9, 0), ZEROES),
    "rt_tgsigqueueinfo": (297, PARENT, PARENT, 0, ZEROES), "ioprio_set": (251, 1, PARENT, 0),
    "sched_setattr": (314, PARENT, ZEROES, 0), "sched_setparam": (142, PARENT, ZEROES), "flock": (73, 3, 2),
    "fcntl to lock": (72, 3, 6, ZEROES), "sched_setaffinity": (203, PARENT, 8, ZEROES), "setrlimit": (160, 7, ZEROES),
}
RIGHTS = {
    "setuid": (105, 0), "setgid": (106, 0), "setresuid": (117, 0, 0, 0), "setresgid": (119, 0, 0, 0),
    "setreuid": (113, 0, 0), "setregid": (114, 0, 0), "setgroups": (116, 0, 0), "capset": (126, ZEROES, ZEROES),
    "prctl dumpable": (157, 4, 1, 0, 0, 0), "prctl seccomp": (157, 22, 2, ZEROES, 0, 0), "seccomp": (317, 1, 0, ZEROES),
    "unshare": (272, CLONE_NEWUSER), "setns": (308, 3, 0), "personality": (135, 0x0040000),
}
SYSTEM = {
    "io_uring_setup": (425, 8, ZEROES), "io_uring_enter": (426, 3, 1, 0, 0, 0, 0),
    "io_uring_register": (427, 3, 0, 0, 0),
    "bpf": (321, 0, ZEROES, 128), "perf_event_open": (298, ZEROES, 0, -1, -1, 0), "userfaultfd": (323, 1),
    "keyctl": (250, 0, -3, 0, 0, 0), "add_key": (248, b"user\0", b"x\0", b"x\0", 1, -3),
    "request_key": (249, b"user\0", b"x\0", 0, -3), "mount": (165, b"x\0", NOWHERE, b"tmpfs\0", 0, 0),
    "umount2": (166, NOWHERE, 0), "pivot_root": (155, NOWHERE, NOWHERE), "init_module": (175, ZEROES, 128, b"\0"),
    "finit_module": (313, 3, b"\0", 0), "delete_module": (176, b"x\0", 0), "kexec_load": (246, 0, 0, 0, 0),
    "reboot": (169, 0, 0, 0, 0), "swapon": (167, NOWHERE, 0), "settimeofday": (164, 0, 0),
    "clock_settime": (227, 99, ZEROES), "adjtimex": (159, ZEROES), "sethostname": (170, b"x", 1000),
    "acct": (163, NOWHERE), "syslog": (103, 10, 0, 0), "iopl": (172, 0), "modify_ldt": (154, 0, ZEROES, 16),
    "quotactl": (179, 0, 0, 0, 0), "fanotify_init": (300, 0, 0), "ioctl that types": (16, 0, 0x5412, ZEROES),
    "shmget": (29, 0x61706821, 4096, 0), "msgget": (68, 0x61706821, 0), "semget": (64, 0x61706821, 1, 0),
    "mq_open": (240, b"x\0", 0, 0, 0), "timer_create": (222, 1, 0, ZEROES), "pipe2": (293, ZEROES, 0),
}
SERVER = {
    "fork": (57,), "clone": (56, signal.SIGCHLD, 0, 0, 0, 0), "setitimer": (38, 9, 0, 0), "accept4": (288, 99, 0, 0, 0),
}

# fail as on an older kernel, so that the C library does without
AS_UNKNOWN = {"clone3"}


def succeeded(stopped, acts, parent):
    """Tries them all; the names of those that were not denied, with their results."""
    found = {}
    for name, (number, *arguments) in acts.items():
        result = stopped.call(number, *(parent if a is PARENT else a for a in arguments))
        if result != -(errno.ENOSYS if name in AS_UNKNOWN else errno.EPERM):
            found[name] = result
    return found
