/*
 * compat.c - what not every system has.
 */
#include "common/compat.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

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

void compat_close_from(int first)
{
#ifdef HAVE_CLOSEFROM
	closefrom(first);
#else
	for (int fd = first, end = (int)sysconf(_SC_OPEN_MAX); fd < end; fd++)
		close(fd);
#endif
}
