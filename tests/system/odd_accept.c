/*
 * odd_accept.c - loaded into the daemon by tests: accept4 as it can be elsewhere.
 *
 * FORBIDDEN names the address of listeners at which nothing may be accepted, or all that are "unix", as a security
 * module would have it: what is queued there stays.  PAUSE_US is how long each call takes.
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int is_forbidden(int fd)
{
	const char *forbidden = getenv("FORBIDDEN");
	struct sockaddr_in at = { .sin_family = AF_UNSPEC };
	socklen_t len = sizeof at;

	if (!forbidden || getsockname(fd, (struct sockaddr *)&at, &len) < 0)
		return 0;
	return at.sin_family == AF_UNIX ? strcmp(forbidden, "unix") == 0
	                                : at.sin_addr.s_addr == inet_addr(forbidden);
}

int accept4(int fd, struct sockaddr *peer, socklen_t *len, int flags)
{
	static int (*real)(int, struct sockaddr *, socklen_t *, int);
	const char *pause_us = getenv("PAUSE_US");

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "accept4");
	if (pause_us)
		usleep((useconds_t)atoi(pause_us));
	if (!is_forbidden(fd))
		return real(fd, peer, len, flags);
	errno = EPERM;
	return -1;
}
