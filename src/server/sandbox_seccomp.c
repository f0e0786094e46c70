/*
 * sandbox_seccomp.c - system calls, taken away by a seccomp filter.
 *
 * Calls go by name, and one that libseccomp or the machine does not know is no loss: so the lists hold the names that
 * the C libraries use on any machine.  Hot calls stand there without conditions, since from Linux 5.11 on the kernel
 * then knows the answer without running the filter.
 */
#include "server/sandbox_parts.h"

#ifdef HAVE_SECCOMP

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

const bool sandbox_has_seccomp = true;

/* Memory, signals, time, and the end; seccomp is for the filter behind this one, which denies it. */
static const char *const common_calls[] = {
	"brk", "munmap", "mremap", "madvise", "futex", "futex_time64", "getrandom", "sched_getaffinity", "sched_yield",
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sigreturn", "restart_syscall", "getpid", "gettid", "getppid",
	"clock_gettime", "clock_gettime64", "gettimeofday", "time", "close", "write", "writev", "exit", "exit_group",
	"seccomp", NULL,
};

static const char *const worker_calls[] = {
	"recvfrom", "recv", "sendto", "send", "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl", "epoll_create1",
	"accept4", "shutdown", "poll", "ppoll", "ppoll_time64", "read", "clock_nanosleep", "clock_nanosleep_time64",
	"nanosleep", "setitimer", "dup2", "dup3", "getpgrp", "getpgid", NULL,
};

static const char *const loader_calls[] = {
	"read", "readv", "pread64", "lseek", "_llseek", "fstat", "fstat64", "newfstatat", "fstatat64", "statx",
	"ftruncate", "ftruncate64", NULL,
};

static const char *const process_calls[] = { "fork", "wait4", "waitpid", "set_robust_list", "set_tid_address", NULL };
static const char *const thread_calls[] = { "set_robust_list", "rseq", "set_tid_address", NULL };

/* Nothing that keeping workers needs, whatever a later version of the C library calls for that. */
static const char *const supervisor_denied[] = {
	"execve", "execveat", "uselib", "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp",
	"pidfd_getfd", "userfaultfd", "perf_event_open", "bpf", "io_uring_setup", "io_uring_enter", "io_uring_register",
	"init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "swapon", "swapoff",
	"mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount",
	"fspick", "mount_setattr", "unshare", "setns", "mknod", "mknodat", "open_by_handle_at", "name_to_handle_at",
	"add_key", "request_key", "keyctl", "settimeofday", "stime", "clock_settime", "clock_settime64", "adjtimex",
	"clock_adjtime", "clock_adjtime64", "sethostname", "setdomainname", "acct", "quotactl", "quotactl_fd", "syslog",
	"iopl", "ioperm", "modify_ldt", "personality", "vhangup", "fanotify_init", "lookup_dcookie", "nfsservctl", NULL,
};

struct narrow {
	const char *call;
	unsigned count;
	struct scmp_arg_cmp arguments[2];
};

#define IS(argument, value) { argument, SCMP_CMP_MASKED_EQ, UINT32_MAX, value }
#define LACKS(argument, bits) { argument, SCMP_CMP_MASKED_EQ, bits, 0 }

/* Allowed with these arguments only. */
static const struct narrow common_narrow[] = {
	{ "mmap", 1, { LACKS(2, PROT_EXEC) } },
	{ "mmap2", 1, { LACKS(2, PROT_EXEC) } },
	{ "mprotect", 1, { LACKS(2, PROT_EXEC) } },
	{ "fcntl", 1, { IS(1, F_GETFL) } },
	{ "fcntl", 1, { IS(1, F_SETFL) } },
	{ "fcntl64", 1, { IS(1, F_GETFL) } },
	{ "fcntl64", 1, { IS(1, F_SETFL) } },
	{ .call = NULL },
};

static const struct narrow worker_narrow[] = {
	{ "kill", 1, { IS(0, 0) } },                      /* its own process group */
	{ "prctl", 1, { IS(0, PR_SET_PDEATHSIG) } },
	{ "ioctl", 1, { IS(1, SIOCOUTQ) } },
	{ "setsockopt", 2, { IS(1, SOL_SOCKET), IS(2, SO_RCVTIMEO) } },
	{ "setsockopt", 2, { IS(1, SOL_SOCKET), IS(2, SO_SNDTIMEO) } },
	{ .call = NULL },
};

static const struct narrow loader_narrow[] = {
	{ "open", 1, { LACKS(1, O_ACCMODE | O_CREAT | O_TRUNC) } },
	{ "openat", 1, { LACKS(2, O_ACCMODE | O_CREAT | O_TRUNC) } },
	{ "fcntl", 1, { IS(1, F_SETFD) } },
	{ "fcntl", 1, { IS(1, F_ADD_SEALS) } },
	{ "fcntl64", 1, { IS(1, F_SETFD) } },
	{ "fcntl64", 1, { IS(1, F_ADD_SEALS) } },
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
};

static int add(scmp_filter_ctx filter, uint32_t action, const char *const *calls)
{
	int rc = 0;

	for (; *calls && rc == 0; calls++) {
		int call = seccomp_syscall_resolve_name(*calls);

		if (call != __NR_SCMP_ERROR)
			rc = seccomp_rule_add_array(filter, action, call, 0, NULL);
	}
	return rc;
}

static int add_narrow(scmp_filter_ctx filter, const struct narrow *narrow)
{
	int rc = 0;

	for (; narrow->call && rc == 0; narrow++)
		rc = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(narrow->call),
		                            narrow->count, narrow->arguments);
	return rc;
}

/* Threads and child processes come from the same call. */
static int add_makes(scmp_filter_ctx filter, unsigned makes)
{
	const struct narrow processes[] = {
		{ "clone", 1, { LACKS(CLONE_FLAGS, NAMESPACES | NO_CHILD) } }, { .call = NULL },
	};
	const struct narrow threads[] = {
		{ "clone", 1, { { CLONE_FLAGS, SCMP_CMP_MASKED_EQ, NAMESPACES | CLONE_THREAD, CLONE_THREAD } } },
		{ .call = NULL },
	};
	int rc = 0;

	if (makes & SANDBOX_PROCESSES && (rc = add(filter, SCMP_ACT_ALLOW, process_calls)) == 0)
		rc = add_narrow(filter, processes);
	if (rc == 0 && makes & SANDBOX_THREADS && (rc = add(filter, SCMP_ACT_ALLOW, thread_calls)) == 0)
		rc = add_narrow(filter, threads);
	return rc;
}

static int fill(scmp_filter_ctx filter, enum sandbox_role role, unsigned makes)
{
	const struct narrow own[] = { { "tgkill", 1, { IS(0, (uint32_t)getpid()) } }, { .call = NULL } };
	bool serves = role == SANDBOX_WORKER;
	int rc;

	if (role == SANDBOX_SUPERVISOR)
		return add(filter, SCMP_ACT_ERRNO(EPERM), supervisor_denied);
	rc = add(filter, SCMP_ACT_ALLOW, serves ? worker_calls : loader_calls);
	if (rc == 0)
		rc = add(filter, SCMP_ACT_ALLOW, common_calls);
	if (rc == 0)
		rc = add_narrow(filter, serves ? worker_narrow : loader_narrow);
	if (rc == 0)
		rc = add_narrow(filter, common_narrow);
	if (rc == 0)
		rc = add_narrow(filter, own);
	return rc == 0 ? add_makes(filter, makes) : rc;
}

/*
 * Calls that a C library tries first and does without on an older kernel must fail as on one: with ENOSYS, and without
 * a line in the audit log for each thread.  clone3 hides its flags from filters; the others are younger than the
 * lists above.
 */
static int deny_newer(void)
{
#ifdef SYS_epoll_pwait2
	enum { NEWER = SYS_epoll_pwait2 + 1 };
#else
	enum { NEWER = SYS_clone3 + 1 };
#endif
	static struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, NEWER, 2, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
	};
	const struct sock_fprog newer = { sizeof program / sizeof *program, program };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &newer);
}

const char *sandbox_enter_seccomp(enum sandbox_role role, unsigned makes)
{
	bool lists_denied = role == SANDBOX_SUPERVISOR;
	scmp_filter_ctx filter = seccomp_init(lists_denied ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM));
	bool done;

	if (!filter)
		return "libseccomp can't make a filter";
	seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(EPERM));
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);         /* else old kernels slow down every load */
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);    /* a tree, not a list, where the filter is run */
	done = fill(filter, role, makes) == 0 && seccomp_load(filter) == 0 && (lists_denied || deny_newer() == 0);
	seccomp_release(filter);
	return done ? NULL : "the kernel refuses a seccomp filter";
}

#else

const bool sandbox_has_seccomp = false;

const char *sandbox_enter_seccomp(enum sandbox_role role, unsigned makes)
{
	(void)role;
	(void)makes;
	return "this build has no seccomp filters";
}

#endif
