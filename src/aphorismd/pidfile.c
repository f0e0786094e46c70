/*
 * pidfile.c - locking.
 */
#include "aphorismd/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 100 };

bool pidfile_is_ours(const char *path, int fd)
{
	struct stat there, ours;

	return lstat(path, &there) == 0 && fstat(fd, &ours) == 0 && there.st_dev == ours.st_dev &&
	       there.st_ino == ours.st_ino;
}

static int fail(char *reason, const char *path, const char *why, int fd)
{
	snprintf(reason, PIDFILE_REASON, "pidfile %s: %s", path, why);
	if (fd >= 0)
		close(fd);
	return -1;
}

static int write_pid(int fd, const char *path, char *reason)
{
	char text[32];
	int len = snprintf(text, sizeof text, "%d\n", (int)getpid());

	if (ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)len, 0) == len)
		return fd;
	fail(reason, path, strerror(errno), -1);
	pidfile_remove(path, fd);         /* on a full disk: one that names nobody would only mislead */
	return -1;
}

int pidfile_lock(const char *path, char *reason)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET }, owner = lock;
	struct stat st;

	for (int i = 0; i < TRIES; i++) {
		int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);

		if (fd < 0)
			return fail(reason, path, strerror(errno), fd);
		if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
			return fail(reason, path, "not a regular file", fd);
		if (fcntl(fd, F_SETLK, &lock) < 0) {
			char why[64] = "locked by another process";

			/* asked of the kernel: the number in the file may be anything */
			if (fcntl(fd, F_GETLK, &owner) == 0 && owner.l_type != F_UNLCK)
				snprintf(why, sizeof why, "aphorismd is already running, process %d", (int)owner.l_pid);
			return fail(reason, path, why, fd);
		}
		if (pidfile_is_ours(path, fd))
			return write_pid(fd, path, reason);
		close(fd);        /* its owner removed it between our open and our lock: once more */
	}
	return fail(reason, path, "it keeps vanishing", -1);
}

void pidfile_remove(const char *path, int fd)
{
	if (fd < 0)
		return;
	if (pidfile_is_ours(path, fd))
		unlink(path);
	close(fd);
}
