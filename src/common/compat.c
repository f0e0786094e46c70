/*
 * compat.c - what not every system has.
 */
#include "common/compat.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

/* Headers are often older than kernels.  From Linux 5.1 on, new calls have the same distance on all machines. */
#ifndef SYS_fchmodat2
#ifdef SYS_io_uring_setup
enum { SYS_fchmodat2 = SYS_io_uring_setup + 27 };
#else
enum { SYS_fchmodat2 = -1 };
#endif
#endif

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
	int n = epoll_pwait2(set, events, most, &left, NULL);

	if (n >= 0 || errno != ENOSYS)
		return n;
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

	if (syscall(SYS_fchmodat2, fd, "", mode, AT_EMPTY_PATH) == 0)
		return 0;
	if (errno != ENOSYS && errno != EPERM)    /* a filter of system calls that is older than this one denies it */
		return -1;
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return chmod(path, mode);
}

void compat_close_from(int first)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, (unsigned)first, ~0U, 0) == 0)
		return;
#endif
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
