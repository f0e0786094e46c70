/*
 * regular.c - opened, and seen to be what it should be.
 */
#include "common/regular.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* What a shell puts in the place of <(command): a pipe, which nobody can come back to, and which we have closed. */
static bool names_descriptor(const char *path)
{
	return strncmp(path, "/dev/fd/", 8) == 0 || strncmp(path, "/proc/self/fd/", 14) == 0;
}

/* A socket, or a device that is not there, can't even be opened. */
static bool is_something_else(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? !S_ISREG(st.st_mode) : errno == ENOENT && names_descriptor(path);
}

static int fail(const char *path, const char **reason)
{
	int error = errno;

	*reason = is_something_else(path) ? "not a regular file" : strerror(error);
	errno = error;
	return -1;
}

int regular_open(const char *path, struct stat *st, const char **reason)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return fail(path, reason);
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		return fd;
	close(fd);
	errno = EINVAL;
	*reason = "not a regular file";
	return -1;
}
