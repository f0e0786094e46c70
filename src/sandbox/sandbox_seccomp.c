/*
 * sandbox_seccomp.c - system calls, taken away by a seccomp filter.
 *
 * Calls go by name, and one that libseccomp or the machine does not know is no loss: so the lists hold the names that
 * the C libraries use on any machine.  Hot calls stand there without conditions, since from Linux 5.11 on the kernel
 * then knows the answer without running the filter; sendto alone can't do without one.
 */
#include "common/signals.h"
#include "sandbox/sandbox_parts.h"

#ifdef HAVE_SECCOMP

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

const bool sandbox_has_seccomp = true;

/* Memory, signals, time, and the end; of tgkill the guard in front leaves a process at most its own threads. */
static const char *const common_calls[] = {
	"brk", "munmap", "mremap", "madvise", "futex", "futex_time64", "getrandom", "sched_getaffinity", "sched_yield",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "restart_syscall", "getpid", "gettid", "getppid",
	"clock_gettime", "clock_gettime64", "gettimeofday", "time", "close", "write", "writev", "exit", "exit_group",
	"tgkill", NULL,
};

static const char *const worker_calls[] = {
	"recvfrom", "recv", "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl", "epoll_create1",
	"accept4", "accept", "shutdown", "poll", "ppoll", "ppoll_time64", "read", "clock_nanosleep",
	"clock_nanosleep_time64", "nanosleep", "setitimer", "dup2", "dup3", "getpgrp", "getpgid", NULL,
};

static const char *const loader_calls[] = {
	"read", "readv", "pread64", "lseek", "_llseek", "stat", "stat64", "fstat", "fstat64", "newfstatat", "fstatat64",
	"statx", "ftruncate", "ftruncate64", "geteuid", "geteuid32", NULL,
};

static const char *const process_calls[] = { "fork", "wait4", "waitpid", "set_robust_list", "set_tid_address", NULL };
static const char *const thread_calls[] = { "set_robust_list", "rseq", "set_tid_address", NULL };
static const char *const order_calls[] = { "io_uring_enter", NULL };

/* Nothing that keeping workers needs, whatever a later version of the C library calls for that. */
static const char *const supervisor_denied[] = {
	"execve", "execveat", "uselib", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp",
	"pidfd_getfd", "userfaultfd", "perf_event_open", "bpf",
	"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff",
	"mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsconfig",
	"fsmount", "fspick", "mount_setattr",
	"unshare", "setns", "mknod", "mknodat", "open_by_handle_at", "name_to_handle_at",
	"add_key", "request_key", "keyctl", "settimeofday", "stime", "clock_settime", "clock_settime64", "adjtimex",
	"clock_adjtime", "clock_adjtime64", "sethostname", "setdomainname", "acct", "quotactl", "quotactl_fd", "syslog",
	"iopl", "ioperm", "modify_ldt", "personality", "vhangup", "fanotify_init", "lookup_dcookie", "nfsservctl", NULL,
};

/* Denied too where no worker can need them, in which the supervisor's filter is in force as well. */
static const char *const ring_calls[] = { "io_uring_setup", "io_uring_enter", "io_uring_register", NULL };

struct narrow {
	const char *call;
	unsigned count;
	struct scmp_arg_cmp arguments[2];
};

#define IS(argument, value) { argument, SCMP_CMP_MASKED_EQ, UINT32_MAX, value }
/* whether the C library adds O_LARGEFILE (musl), which changes nothing in an open file, or not */
#define IS_FLAGS(argument, value) { argument, SCMP_CMP_MASKED_EQ, UINT32_MAX & ~(unsigned)O_LARGEFILE, value }
#define LACKS(argument, bits) { argument, SCMP_CMP_MASKED_EQ, bits, 0 }

/*
 * Allowed with these arguments only, or with any where the call is multiplexed.  Where there is mmap2, which all use,
 * mmap is an older call that takes its arguments in memory; so it does on s390x, which has no other.
 */
static const struct narrow common_narrow[] = {
#ifdef __s390__
	{ .call = "mmap" },
#elif !defined SYS_mmap2
	{ "mmap", 1, { LACKS(2, PROT_EXEC) } },
#endif
	{ "mmap2", 1, { LACKS(2, PROT_EXEC) } },
	{ "mprotect", 1, { LACKS(2, PROT_EXEC) } },
	{ "fcntl", 1, { IS(1, F_GETFL) } },
	{ "fcntl64", 1, { IS(1, F_GETFL) } },
	{ .call = NULL },
};

static const struct narrow worker_narrow[] = {
	{ "sendto", 1, { LACKS(3, MSG_FASTOPEN) } },      /* which connects, and Landlock does not see it */
	{ "send", 1, { LACKS(3, MSG_FASTOPEN) } },
	{ "kill", 2, { IS(0, 0), IS(1, SIGNAL_ORPHAN) } },        /* its group, which takes that from its leader */
	{ "prctl", 1, { IS(0, PR_SET_PDEATHSIG) } },
	{ "ioctl", 1, { IS(1, SIOCOUTQ) } },
	/* a listener at a stop; flags are those of all who share the open file, whom a cleared one would have sleep */
	{ "fcntl", 2, { IS(1, F_SETFL), IS_FLAGS(2, O_RDWR | O_NONBLOCK) } },
	{ "fcntl64", 2, { IS(1, F_SETFL), IS_FLAGS(2, O_RDWR | O_NONBLOCK) } },
	/* of connections: the guard in front leaves out what is shared */
	{ "setsockopt", 2, { IS(1, SOL_SOCKET), IS(2, SO_RCVTIMEO) } },
	{ "setsockopt", 2, { IS(1, SOL_SOCKET), IS(2, SO_SNDTIMEO) } },
	{ .call = NULL },
};

static const struct narrow loader_narrow[] = {
	/* whether standard output is a terminal, before a dump is written there: glibc's question, and musl's */
	{ "ioctl", 1, { IS(1, TCGETS) } },
	{ "ioctl", 1, { IS(1, TIOCGWINSZ) } },
	{ "open", 1, { LACKS(1, O_ACCMODE | O_CREAT | O_TRUNC) } },
	{ "openat", 1, { LACKS(2, O_ACCMODE | O_CREAT | O_TRUNC) } },
	{ "fcntl", 1, { IS(1, F_SETFD) } },
	{ "fcntl", 1, { IS(1, F_ADD_SEALS) } },
	{ "fcntl64", 1, { IS(1, F_SETFD) } },
	{ "fcntl64", 1, { IS(1, F_ADD_SEALS) } },
	{ "sched_setscheduler", 2, { IS(0, 0), IS(1, SCHED_IDLE) } },
	{ "ioprio_set", 2, { IS(0, 1), IS(1, 0) } },      /* of a process, its own */
	{ .call = NULL },
};

enum {
#ifdef __s390__
	CLONE_FLAGS = 1,
#else
	CLONE_FLAGS = 0,
#endif
	NAMESPACES = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
	             CLONE_NEWNET,
	NO_CHILD = CLONE_THREAD | CLONE_VM | CLONE_PARENT | CLONE_PTRACE,
	END_SIGNAL = 0xff,                /* what a child's end sends to its parent */
};

/*
 * Calls that may go through socketcall or ipc on this machine: libseccomp gives these numbers to them.  Both take the
 * arguments in memory, where no filter can look.
 */
static bool is_multiplexed(int call)
{
	return call <= -100 && call > -300;
}

/* Exactly this rule or none, since one that libseccomp bends may compare something else on another machine. */
static int rule(scmp_filter_ctx filter, uint32_t action, const char *name, unsigned count,
                const struct scmp_arg_cmp *arguments)
{
	int call = seccomp_syscall_resolve_name(name);
	int rc = call == __NR_SCMP_ERROR ? -EDOM : 0;

	if (rc == 0)
		rc = seccomp_rule_add_exact_array(filter, action, call, is_multiplexed(call) ? 0 : count, arguments);
	return rc == -EDOM ? 0 : rc;      /* there is no such call here */
}

static int add(scmp_filter_ctx filter, uint32_t action, const char *const *calls)
{
	int rc = 0;

	for (; *calls && rc == 0; calls++)
		rc = rule(filter, action, *calls, 0, NULL);
	return rc;
}

static int add_narrow(scmp_filter_ctx filter, const struct narrow *narrow)
{
	int rc = 0;

	for (; narrow->call && rc == 0; narrow++)
		rc = rule(filter, SCMP_ACT_ALLOW, narrow->call, narrow->count, narrow->arguments);
	return rc;
}

/* Threads and child processes come from the same call. */
static int add_makes(scmp_filter_ctx filter, unsigned makes)
{
	const struct narrow processes[] = {
		{ "clone", 1, { { CLONE_FLAGS, SCMP_CMP_MASKED_EQ, NAMESPACES | NO_CHILD | END_SIGNAL, SIGCHLD } } },
		{ .call = NULL },
	};
	const struct narrow threads[] = {
		{ "clone", 1, { { CLONE_FLAGS, SCMP_CMP_MASKED_EQ, NAMESPACES | CLONE_THREAD, CLONE_THREAD } } },
		/* what musl announces before the first thread, for later use */
		{ "membarrier", 1, { IS(0, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) } },
		{ .call = NULL },
	};
	int rc = 0;

	if (makes & SANDBOX_PROCESSES && (rc = add(filter, SCMP_ACT_ALLOW, process_calls)) == 0)
		rc = add_narrow(filter, processes);
	if (rc == 0 && makes & SANDBOX_THREADS && (rc = add(filter, SCMP_ACT_ALLOW, thread_calls)) == 0)
		rc = add_narrow(filter, threads);
	if (rc == 0 && makes & SANDBOX_ORDERS)
		rc = add(filter, SCMP_ACT_ALLOW, order_calls);
	return rc;
}

static int fill(scmp_filter_ctx filter, enum sandbox_role role, unsigned makes)
{
	bool serves = role == SANDBOX_WORKER;
	int rc;

	if (role == SANDBOX_SUPERVISOR) {
		rc = add(filter, SCMP_ACT_ERRNO(EPERM), supervisor_denied);
		return rc == 0 && !(makes & SANDBOX_ORDERS) ? add(filter, SCMP_ACT_ERRNO(EPERM), ring_calls) : rc;
	}
	rc = add(filter, SCMP_ACT_ALLOW, serves ? worker_calls : loader_calls);
	if (rc == 0)
		rc = add(filter, SCMP_ACT_ALLOW, common_calls);
	if (rc == 0)
		rc = add_narrow(filter, serves ? worker_narrow : loader_narrow);
	if (rc == 0)
		rc = add_narrow(filter, common_narrow);
	return rc == 0 ? add_makes(filter, makes) : rc;
}

#ifdef SYS_epoll_pwait2
enum { NEWER = SYS_epoll_pwait2 + 1 };
#else
enum { NEWER = SYS_clone3 + 1 };
#endif

/* What the guard denies is left to it: of two filters that deny, the later one would have its say. */
static const struct sock_filter left_to_guard[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 1, 0),
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, NEWER, 0, 1),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};

/* In memory that children share; the library's own structures, many times its size, have gone afterwards. */
static bool keep(scmp_filter_ctx filter, enum sandbox_role role, struct sock_fprog *program)
{
	size_t before = role == SANDBOX_SUPERVISOR ? 0 : sizeof left_to_guard;
	int fd = memfd_create("filter", MFD_CLOEXEC);
	off_t size = fd >= 0 && seccomp_export_bpf(filter, fd) == 0 ? lseek(fd, 0, SEEK_END) : 0;
	char *steps = size > 0 ? malloc(before + (size_t)size) : NULL;
	bool done = steps && pread(fd, steps + before, (size_t)size, 0) == size;

	if (fd >= 0)
		close(fd);
	if (!done) {
		free(steps);
		return false;
	}
	memcpy(steps, left_to_guard, before);
	*program = (struct sock_fprog){ (unsigned short)((before + (size_t)size) / sizeof(struct sock_filter)),
		                        (struct sock_filter *)(void *)steps };
	return true;
}

/* Made when it is first asked for.  Its len is 0 when it can't be. */
static const struct sock_fprog *filter_of(enum sandbox_role role, unsigned makes)
{
	static struct sock_fprog made[SANDBOX_SUPERVISOR + 1][SANDBOX_MAKES + 1];
	struct sock_fprog *program = &made[role][makes];
	scmp_filter_ctx filter;

	if (program->len > 0)
		return program;
	filter = seccomp_init(role == SANDBOX_SUPERVISOR ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
	if (!filter)
		return program;
	seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM));
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);    /* a tree, not a list, where the filter is run */
	if (fill(filter, role, makes) == 0)
		keep(filter, role, program);
	seccomp_release(filter);
	return program;
}

void sandbox_prepare(enum sandbox_role role, unsigned makes)
{
	filter_of(role, makes);
}

/* What is denied gets a line in the audit log; without SPEC_ALLOW old kernels would slow down every load. */
static bool install(const struct sock_fprog *program, bool logs)
{
	unsigned flags = SECCOMP_FILTER_FLAG_SPEC_ALLOW | (logs ? SECCOMP_FILTER_FLAG_LOG : 0);

	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, program) == 0;
}

#ifdef SYS_dup2
enum { DUP2 = SYS_dup2 };
#else
enum { DUP2 = SYS_dup3 };
#endif
#ifdef SYS_fcntl64
enum { FCNTL = SYS_fcntl64 };
#else
enum { FCNTL = SYS_fcntl };
#endif

enum { FIRST_ARGUMENT = offsetof(struct seccomp_data, args[0]) + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0) };
#define LOAD(what)           BPF_STMT(BPF_LD | BPF_W | BPF_ABS, what)
#define IF(value, yes, no)   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), yes, no)
#define RETURN(what)         BPF_STMT(BPF_RET | BPF_K, what)

/* Options are set of what nobody else has. */
static int keep_options(struct sock_filter *step, const struct sandbox_descriptors *descriptors)
{
	int n = 0;

	step[n++] = (struct sock_filter)LOAD(FIRST_ARGUMENT);
	for (int i = 0; descriptors && i < descriptors->count; i++) {
		step[n++] = (struct sock_filter)IF(descriptors->shared[i], 0, 1);
		step[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ERRNO | EPERM);
	}
	step[n++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
	return n;
}

/*
 * A filter of its own, without lines in the audit log: what depends on this process, and calls that a C library tries
 * first, for each thread, and does without on an older kernel.  They must fail as on one: with ENOSYS.  clone3 hides
 * its flags from filters; the others are younger than the lists above.  A process that makes others is not even left
 * its own threads, of which it has no second, for the number is inherited with the filter: it would be the parent.
 * Flags of a worker's standard error stay as they are: without O_APPEND it could write over what a file holds already.
 */
static bool install_guard(unsigned makes, const struct sandbox_descriptors *descriptors)
{
	int signalled = makes & SANDBOX_PROCESSES ? 0 : getpid(), moved = descriptors ? descriptors->devnull : -1;
	int appended = descriptors ? STDERR_FILENO : -1;
	const struct sock_filter first[] = {
		LOAD(offsetof(struct seccomp_data, nr)),
		IF(SYS_tgkill, 8, 0),
		IF(SYS_clone3, 15, 0),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, NEWER, 14, 0),
		IF(DUP2, 7, 0),
		IF(SYS_dup3, 6, 0),
		IF(SYS_setsockopt, 12, 0),
		IF(SYS_fcntl, 6, 0),
		IF(FCNTL, 5, 0),
		RETURN(SECCOMP_RET_ALLOW),
		LOAD(FIRST_ARGUMENT),
		IF(signalled, 4, 5),
		LOAD(FIRST_ARGUMENT),
		IF(moved, 2, 3),
		LOAD(FIRST_ARGUMENT),
		IF(appended, 1, 0),
		RETURN(SECCOMP_RET_ALLOW),
		RETURN(SECCOMP_RET_ERRNO | EPERM),
		RETURN(SECCOMP_RET_ERRNO | ENOSYS),
	};
	struct sock_filter steps[sizeof first / sizeof *first + 2 * SANDBOX_SHARED + 2];
	int options;

	memcpy(steps, first, sizeof first);
	options = keep_options(steps + sizeof first / sizeof *first, descriptors);
	return install(&(struct sock_fprog){ (unsigned short)(sizeof first / sizeof *first + (size_t)options), steps },
	               false);
}

const char *sandbox_enter_seccomp(enum sandbox_role role, unsigned makes,
                                  const struct sandbox_descriptors *descriptors)
{
	const struct sock_fprog *filter = filter_of(role, makes);

	if (filter->len == 0)
		return "libseccomp can't make a filter";
	/* the guard alone is harmless, the filter alone would keep threads from starting */
	if ((role != SANDBOX_SUPERVISOR && !install_guard(makes, descriptors)) || !install(filter, true))
		return "the kernel refuses a seccomp filter";
	return NULL;
}

#else

const bool sandbox_has_seccomp = false;

void sandbox_prepare(enum sandbox_role role, unsigned makes)
{
	(void)role;
	(void)makes;
}

const char *sandbox_enter_seccomp(enum sandbox_role role, unsigned makes,
                                  const struct sandbox_descriptors *descriptors)
{
	(void)role;
	(void)makes;
	(void)descriptors;
	return "this build has no seccomp filters";
}

#endif
