/*
 * compat.c - what not every system has.
 */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

/* ---- calls that are younger than some systems ---- */

/* Headers are often older than kernels.  From Linux 5.1 on, new calls have the same distance on all machines. */
#ifdef SYS_io_uring_setup
#define NUMBER(n) (SYS_io_uring_setup + (n) - 425)
#else
#define NUMBER(n) (-1)
#endif

enum call { CLONE3, CLOSE_RANGE, EPOLL_PWAIT2, FCHMODAT2, CALLS };

static const struct {
	const char *name;
	int number;
	const char *since;                /* the version of Linux that knows it */
	const char *instead;              /* what is done without it */
	const char *bare;                 /* what is done where /proc is missing too, if that makes a difference */
	bool as_good;                     /* what is done instead, with /proc, is no loss */
} calls[CALLS] = {
	[CLONE3] = { "clone3", NUMBER(435), "5.3", "threads are started by clone", NULL, true },
	[CLOSE_RANGE] = { "close_range", NUMBER(436), "5.9", "descriptors are closed by way of /proc",
	                  "a start and a reload close each possible descriptor, one by one", false },
	[EPOLL_PWAIT2] = { "epoll_pwait2", NUMBER(441), "5.11", "the event model's time-outs are late by up to 1 ms",
	                   NULL, false },
	[FCHMODAT2] = { "fchmodat2", NUMBER(452), "6.6", "a socket's file gets its mode by way of /proc",
	                "a socket's file can't be given its mode", true },
};

static atomic_bool missing[CALLS];

static bool is_missing(enum call call)
{
	return atomic_load_explicit(&missing[call], memory_order_relaxed);
}

/*
 * Nothing but junk, which the kernel answers by EINVAL or EFAULT, as it never comes to asking for rights: so EPERM is
 * the word of a filter, as ENOSYS is of a kernel, or of a filter, that is older than the call.
 */
static int probe(enum call call)
{
	int error = errno, found = syscall(calls[call].number, -1L, "", 0L, 0L, 0L, 0L) < 0 ? errno : 0;

	errno = error;
	return found == ENOSYS || found == EPERM ? found : 0;
}

/* Whether a call has failed for want of the call itself; it is not tried again then. */
static bool lacks(enum call call, int error)
{
	if (error != ENOSYS && (error != EPERM || probe(call) == 0))
		return false;
	atomic_store_explicit(&missing[call], true, memory_order_relaxed);
	return true;
}

void compat_each_lacking(compat_report *report, void *arg)
{
	bool has_proc = access("/proc/self/fd", X_OK) == 0;
	char what[160], mend[96];

	for (enum call call = 0; call < CALLS; call++) {
		int error = probe(call);
		bool bare = !has_proc && calls[call].bare;

		if (error == 0 || (error == ENOSYS && calls[call].as_good && !bare))
			continue;
		snprintf(what, sizeof what, "%s: %s", error == EPERM ? "a filter of system calls forbids it"
		                                                     : "this system does not know it",
		         bare ? calls[call].bare : calls[call].instead);
		if (error == EPERM)
			snprintf(mend, sizeof mend, "a filter (of a container: its seccomp profile) that allows %s",
			         calls[call].name);
		else
			snprintf(mend, sizeof mend, "Linux %s or later", calls[call].since);
		report(arg, calls[call].name, what, mend);
	}
}

/* ---- with something older behind them ---- */

static int wait_ms(int set, struct epoll_event *events, int most, uint64_t left_us)
{
	uint64_t left_ms = (left_us + CLOCK_MS - 1) / CLOCK_MS;

	return epoll_wait(set, events, most, left_ms < 60 * CLOCK_MS ? (int)left_ms : 60 * CLOCK_MS);
}

int compat_epoll_wait(int set, struct epoll_event *events, int most, uint64_t until_us)
{
	uint64_t now_us = clock_now_us();
	uint64_t left_us = now_us < until_us ? until_us - now_us : 0;
#ifdef HAVE_EPOLL_PWAIT2
	struct timespec left = { (time_t)(left_us / CLOCK_S), (long)(left_us % CLOCK_S) * 1000 };

	if (!is_missing(EPOLL_PWAIT2)) {
		int n = epoll_pwait2(set, events, most, &left, NULL);

		if (n >= 0 || !lacks(EPOLL_PWAIT2, errno))
			return n;
	}
#endif
	return wait_ms(set, events, most, left_us);
}

int compat_sem_wait(sem_t *semaphore, uint64_t until_us)
{
#ifdef HAVE_SEM_CLOCKWAIT
	struct timespec until = { (time_t)(until_us / CLOCK_S), (long)(until_us % CLOCK_S) * 1000 };

	return sem_clockwait(semaphore, CLOCK_MONOTONIC, &until);
#else
	uint64_t now_us = clock_now_us(), left_us = now_us < until_us ? until_us - now_us : 0;
	uint64_t wall_us = clock_read_us(CLOCK_REALTIME) + left_us;
	struct timespec until = { (time_t)(wall_us / CLOCK_S), (long)(wall_us % CLOCK_S) * 1000 };

	return sem_timedwait(semaphore, &until);
#endif
}

int compat_signal_thread(pid_t process, pid_t thread, int signal)
{
	return (int)syscall(SYS_tgkill, process, thread, signal);
}

int compat_chmod(int fd, mode_t mode)
{
	char path[32];

	if (!is_missing(FCHMODAT2)) {
		if (syscall(calls[FCHMODAT2].number, fd, "", mode, AT_EMPTY_PATH) == 0)
			return 0;
		if (!lacks(FCHMODAT2, errno))
			return -1;
	}
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return chmod(path, mode);
}

void compat_close_from(int first)
{
	if (!is_missing(CLOSE_RANGE) && syscall(calls[CLOSE_RANGE].number, (unsigned)first, ~0U, 0) == 0)
		return;
	lacks(CLOSE_RANGE, errno);
#ifdef HAVE_CLOSEFROM
	/* the C library's own ends the process that has neither this call nor /proc */
	if (access("/proc/self/fd", X_OK) == 0) {
		closefrom(first);
		return;
	}
#endif
	for (int fd = first, end = (int)sysconf(_SC_OPEN_MAX); fd < end; fd++)
		close(fd);
}

/*
 * By a filter of our own, which is asked first, this call fails as on an older kernel.  It is in force for the calling
 * thread and all that it starts from now on; they get no new rights by executing a file, which the kernel asks for.
 */
static bool hide(enum call call)
{
	struct sock_filter steps[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[call].number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof steps / sizeof *steps, steps };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

int compat_start_thread(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *given)
{
	int rc = pthread_create(thread, attributes, run, given);

	/* the C library has something older behind clone3, but goes by ENOSYS alone */
	if (rc == EPERM && probe(CLONE3) == EPERM && hide(CLONE3))
		rc = pthread_create(thread, attributes, run, given);
	return rc;
}
