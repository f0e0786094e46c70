"""Which errors a system call may fail with: those that section 2 of the manual lists.

Left out, with the reason: EFAULT, EBADF and ENOTSOCK, which only a mistake of our own can cause, an address or a
descriptor that is none; calls that always succeed (getpid and its like) or do not return (exit_group); and those that
the C library makes for its own ends and answers for: futex, set_robust_list, rseq; and brk, which has no error at all
below the C library, but returns where the heap ends: an error in that place is an address.  And EBADR, by which
io_uring_enter says that outcomes are lost: a worker can't go on then, and ends.
"""

ERRORS = {
    "accept4": "EAGAIN ECONNABORTED EINTR EINVAL EMFILE ENFILE ENOBUFS ENOMEM EOPNOTSUPP EPERM EPROTO"
               " ENETDOWN ENOPROTOOPT EHOSTDOWN ENONET EHOSTUNREACH ENETUNREACH ETIMEDOUT ECONNRESET",
    "access": "EACCES EINVAL EIO ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR EPERM EROFS ETXTBSY",
    "bind": "EACCES EADDRINUSE EADDRNOTAVAIL EINVAL ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR EROFS",
    "capget": "EINVAL EPERM ESRCH",
    "capset": "EINVAL EPERM ESRCH",
    "chdir": "EACCES EIO ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR",
    "clock_gettime": "EINVAL",
    "clock_nanosleep": "EINTR EINVAL ENOTSUP",
    "clone": "EAGAIN EINVAL ENOMEM ENOSPC EPERM EUSERS",
    "clone3": "EAGAIN EINVAL ENOMEM ENOSPC EPERM EUSERS",
    "close": "EDQUOT EINTR EIO ENOSPC",
    "close_range": "EINVAL EMFILE ENOMEM",
    "connect": "EACCES EADDRINUSE EADDRNOTAVAIL EAFNOSUPPORT EAGAIN EALREADY ECONNREFUSED EINPROGRESS EINTR EISCONN"
               " ENETUNREACH EPERM EPROTOTYPE ETIMEDOUT",
    "dup2": "EBUSY EINTR EMFILE",
    "epoll_create1": "EINVAL EMFILE ENFILE ENOMEM",
    "epoll_ctl": "EEXIST EINVAL ELOOP ENOENT ENOMEM ENOSPC EPERM",
    "epoll_pwait2": "EINTR EINVAL",
    "epoll_wait": "EINTR EINVAL",
    "eventfd2": "EINVAL EMFILE ENFILE ENODEV ENOMEM",
    "fchownat": "EACCES EINVAL EIO ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR EPERM EROFS",
    "fcntl": "EACCES EAGAIN EBUSY EDEADLK EINTR EINVAL EMFILE ENOLCK ENOTDIR EPERM",
    "ftruncate": "EACCES EFBIG EINTR EINVAL EIO EISDIR EPERM EROFS ETXTBSY",
    "getgroups": "EINVAL",
    "getrandom": "EAGAIN EINTR EINVAL ENOSYS",
    "getsockname": "EINVAL ENOBUFS",
    "getsockopt": "EINVAL ENOPROTOOPT",
    "io_uring_enter": "EAGAIN EBUSY EINTR EINVAL ENXIO EOPNOTSUPP",
    "io_uring_register": "EACCES EBUSY EINVAL EMFILE ENOMEM ENXIO EOPNOTSUPP EPERM",
    "io_uring_setup": "EINVAL EMFILE ENFILE ENOMEM EPERM",
    "ioctl": "EINVAL ENOTTY",
    "kill": "EINVAL EPERM ESRCH",
    "landlock_add_rule": "EINVAL ENOMSG EOPNOTSUPP EPERM",
    "landlock_create_ruleset": "E2BIG EINVAL ENOMSG EOPNOTSUPP",
    "landlock_restrict_self": "E2BIG EINVAL EOPNOTSUPP EPERM",
    "listen": "EADDRINUSE EOPNOTSUPP",
    "lseek": "EINVAL ENXIO EOVERFLOW ESPIPE",
    "madvise": "EACCES EAGAIN EINVAL EIO ENOMEM EPERM",
    "memfd_create": "EINVAL EMFILE ENFILE ENOMEM EPERM",
    "mkdir": "EACCES EDQUOT EEXIST EINVAL ELOOP EMLINK ENAMETOOLONG ENOENT ENOMEM ENOSPC ENOTDIR EPERM EROFS",
    "mmap": "EACCES EAGAIN EEXIST EINVAL ENFILE ENODEV ENOMEM EOVERFLOW EPERM ETXTBSY",
    "mprotect": "EACCES EINVAL ENOMEM",
    "mremap": "EAGAIN EINVAL ENOMEM",
    "munmap": "EINVAL ENOMEM",
    "nanosleep": "EINTR EINVAL",
    "newfstatat": "EACCES EINVAL ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR EOVERFLOW",
    "openat": "EACCES EAGAIN EBUSY EDQUOT EEXIST EFBIG EINTR EINVAL EISDIR ELOOP EMFILE ENAMETOOLONG ENFILE ENODEV"
              " ENOENT ENOMEM ENOSPC ENOTDIR ENXIO EOPNOTSUPP EOVERFLOW EPERM EROFS ETXTBSY",
    "pipe2": "EINVAL EMFILE ENFILE ENOPKG",
    "poll": "EINTR EINVAL ENOMEM",
    "prctl": "EACCES EBUSY EINVAL ENODEV ENXIO EOPNOTSUPP EPERM",
    "pread64": "EAGAIN EINTR EINVAL EIO EISDIR ENXIO EOVERFLOW ESPIPE",
    "prlimit64": "EINVAL EPERM ESRCH",
    "pwrite64": "EAGAIN EDQUOT EFBIG EINTR EINVAL EIO ENOSPC ENXIO EOVERFLOW EPERM EPIPE ESPIPE",
    "read": "EAGAIN EINTR EINVAL EIO EISDIR",
    "recvfrom": "EAGAIN ECONNREFUSED ECONNRESET EINTR EINVAL ENOMEM ENOTCONN",
    "recvmsg": "EAGAIN ECONNREFUSED ECONNRESET EINTR EINVAL ENOMEM ENOTCONN",
    "rt_sigaction": "EINVAL",
    "rt_sigprocmask": "EINVAL",
    "sched_getaffinity": "EINVAL EPERM ESRCH",
    "seccomp": "EACCES ECANCELED EINVAL ENOMEM ENOSYS EOPNOTSUPP ESRCH",
    "sendto": "EACCES EAGAIN EALREADY ECONNREFUSED ECONNRESET EDESTADDRREQ EINTR EINVAL EISCONN EMSGSIZE ENOBUFS ENOMEM"
              " ENOTCONN EOPNOTSUPP EPIPE",
    "setgid": "EINVAL EPERM",
    "setgroups": "EINVAL ENOMEM EPERM",
    "setitimer": "EINVAL",
    "setpgid": "EACCES EINVAL EPERM ESRCH",
    "setresgid": "EAGAIN EINVAL EPERM",
    "setresuid": "EAGAIN EINVAL EPERM",
    "setsid": "EPERM",
    "setsockopt": "EDOM EINVAL EISCONN ENOMEM ENOPROTOOPT",
    "setuid": "EAGAIN EINVAL EPERM",
    "shutdown": "EINVAL ENOTCONN",
    "signalfd4": "EINVAL EMFILE ENFILE ENODEV ENOMEM",
    "socket": "EACCES EAFNOSUPPORT EINVAL EMFILE ENFILE ENOBUFS ENOMEM EPROTONOSUPPORT",
    "socketpair": "EAFNOSUPPORT EMFILE ENFILE ENOMEM EOPNOTSUPP EPROTONOSUPPORT",
    "tgkill": "EAGAIN EINVAL EPERM ESRCH",
    "unlinkat": "EACCES EBUSY EINVAL EIO EISDIR ELOOP ENAMETOOLONG ENOENT ENOMEM ENOTDIR EPERM EROFS",
    "wait4": "ECHILD EINTR EINVAL",
    "write": "EAGAIN EDESTADDRREQ EDQUOT EFBIG EINTR EINVAL EIO ENOSPC EPERM EPIPE",
}
ERRORS = {call: errors.split() for call, errors in ERRORS.items()}
WITHOUT = set("brk exit exit_group futex getegid geteuid getgid getpid getpgrp getppid getresgid getresuid gettid getuid"
              " restart_syscall rseq rt_sigreturn sched_yield set_robust_list set_tid_address setfsgid setfsuid"
              " umask".split())
