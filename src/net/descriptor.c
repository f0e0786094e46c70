/*
 * descriptor.c - asking the kernel what a descriptor is.
 */
#include "net/descriptor.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof value;

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -1 : value;
}

static const char *describe_file(int fd, mode_t mode)
{
	return isatty(fd) ? "a terminal" : S_ISREG(mode) ? "a file" : S_ISDIR(mode) ? "a folder" :
	       S_ISFIFO(mode) ? "a pipe" : S_ISCHR(mode) || S_ISBLK(mode) ? "a device" : "no socket";
}

enum descriptor_kind descriptor_kind(int fd, const char **what)
{
	struct stat st;
	int family, type;

	if (fstat(fd, &st) < 0) {
		*what = "not open";
		return DESCRIPTOR_OTHER;
	}
	if (!S_ISSOCK(st.st_mode)) {
		*what = describe_file(fd, st.st_mode);
		return DESCRIPTOR_OTHER;
	}
	family = option(fd, SO_DOMAIN);
	type = option(fd, SO_TYPE);
	if (type != SOCK_STREAM || (family != AF_INET && family != AF_INET6 && family != AF_UNIX)) {
		*what = type == SOCK_DGRAM ? "a datagram socket" : "a socket that is neither TCP nor a UNIX stream";
		return DESCRIPTOR_OTHER;
	}
	*what = option(fd, SO_ACCEPTCONN) == 1 ? "a listening socket" : "a stream socket that does not listen";
	return option(fd, SO_ACCEPTCONN) == 1 ? DESCRIPTOR_LISTENER : DESCRIPTOR_CONNECTION;
}
