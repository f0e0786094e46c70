/*
 * dial.c - a client's side of a stream socket, with a time limit on each wait.
 */
#include "common/dial.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"

static uint64_t left_us(uint64_t deadline_us)
{
	uint64_t now_us = clock_now_us();

	return now_us < deadline_us ? deadline_us - now_us : 0;
}

static bool is_cancelled(int cancel)
{
	struct pollfd polled = { .fd = cancel, .events = POLLIN };

	return poll(&polled, 1, 0) > 0;
}

/*
 * A blocking connect under SO_SNDTIMEO, not a non-blocking one and poll: a UNIX socket whose backlog is
 * full answers the latter with EAGAIN, and there is nothing to poll for.
 */
static int connect_until(int fd, const struct sockaddr *address, socklen_t len, uint64_t deadline_us, int cancel)
{
	for (;;) {
		uint64_t us = left_us(deadline_us);
		struct timeval limit = { (time_t)(us / CLOCK_S), (suseconds_t)(us % CLOCK_S) };

		if (us == 0)
			break;
		if (is_cancelled(cancel)) {
			errno = ECANCELED;
			return -1;
		}
		if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0)
			return -1;
		/* interrupted (a stop and a continue do it without any handler) it goes on, and may be done */
		if (connect(fd, address, len) == 0 || errno == EISCONN)
			return fcntl(fd, F_SETFL, O_NONBLOCK);
		if (errno == EAGAIN || errno == EINPROGRESS)
			break;
		if (errno != EINTR && errno != EALREADY)
			return -1;
	}
	errno = ETIMEDOUT;
	return -1;
}

static int dial_address(const struct sockaddr *address, socklen_t len, uint64_t deadline_us, int cancel)
{
	int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect_until(fd, address, len, deadline_us, cancel) < 0) {
		int reason = errno;

		close(fd);
		errno = reason;
		return -1;
	}
	return fd;
}

int dial_unix(const char *path, uint64_t deadline_us, int cancel)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof address.sun_path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(address.sun_path, path);
	return dial_address((const struct sockaddr *)&address, sizeof address, deadline_us, cancel);
}

/* Does this machine have no way to such an address?  What became of another one says more. */
static bool is_no_way(int error)
{
	return error == EAFNOSUPPORT || error == EADDRNOTAVAIL || error == ENETUNREACH;
}

int dial_first(const struct addrinfo *list, uint64_t deadline_us, int cancel)
{
	uint64_t count = 0;
	int fd = -1, reason = 0;

	for (const struct addrinfo *a = list; a; a = a->ai_next)
		count++;
	for (const struct addrinfo *a = list; a && fd < 0; a = a->ai_next, count--) {
		uint64_t share_us = left_us(deadline_us) / count;

		fd = dial_address(a->ai_addr, a->ai_addrlen, clock_now_us() + share_us, cancel);
		if (fd < 0 && (reason == 0 || !is_no_way(errno)))
			reason = errno;
	}
	errno = reason;
	return fd;
}

int dial_wait(struct pollfd *polls, nfds_t count, uint64_t deadline_us)
{
	for (;;) {
		/* rounded up: a poll that ends early would only turn in circles */
		uint64_t ms = (left_us(deadline_us) + CLOCK_MS - 1) / CLOCK_MS;
		int ready = poll(polls, count, deadline_us == 0 ? -1 : ms < INT_MAX ? (int)ms : INT_MAX);

		if (ready > 0 || (ready < 0 && errno != EINTR))
			return ready;
		if (ready == 0 && left_us(deadline_us) == 0)
			return 0;
	}
}
