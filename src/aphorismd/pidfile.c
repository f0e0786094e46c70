/*
 * pidfile.c - locking.
 *
 * The lock has two parts, the first byte and the rest, and each process keeps one of them: so that the file is never
 * without a lock while it passes to the process that takes our place, which keeps the other.  A start needs both for a
 * moment.
 */
#include "aphorismd/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/folder.h"

enum { TRIES = 100 };

static struct {
	char path[PATH_MAX];              /* "": there is none */
	int fd;
} pidfile = { .fd = -1 };

const char *pidfile_path(void)
{
	return pidfile.path;
}

static bool is_at(const char *path, int fd)
{
	struct stat there, ours;
	struct folder folder;
	bool is_there;

	if (!folder_open(&folder, path))
		return false;
	is_there = fstatat(folder.fd, folder.name, &there, AT_SYMLINK_NOFOLLOW) == 0 && fstat(fd, &ours) == 0 &&
	           there.st_dev == ours.st_dev && there.st_ino == ours.st_ino;
	folder_close(&folder);
	return is_there;
}

bool pidfile_is_lost(void)
{
	return pidfile.fd >= 0 && !is_at(pidfile.path, pidfile.fd);
}

const char *pidfile_refuses(const struct stat *file)
{
	return !S_ISREG(file->st_mode) ? "not a regular file" :
	       file->st_nlink > 1 ? "it has another name as well, a hard link" :
	       file->st_uid != 0 && file->st_uid != geteuid() ? "it belongs to another user" :
	       file->st_mode & (S_IWGRP | S_IWOTH) ? "others may write to it" : NULL;
}

bool pidfile_write(void)
{
	char text[32];
	int len = snprintf(text, sizeof text, "%d\n", (int)getpid());

	/* in this order, so that whoever reads it meanwhile finds a number */
	return pidfile.fd < 0 || (pwrite(pidfile.fd, text, (size_t)len, 0) == len && ftruncate(pidfile.fd, len) == 0);
}

/* Asked of the kernel, since the number in the file may be anything: who else holds a part of it; 0 for nobody. */
static pid_t other_owner(int fd, off_t from, off_t len)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = from, .l_len = len };

	return fcntl(fd, F_GETLK, &lock) < 0 || lock.l_type == F_UNLCK ? 0 : lock.l_pid;
}

static bool set_lock(int fd, short type, off_t from, off_t len)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = from, .l_len = len };

	return fcntl(fd, F_SETLK, &lock) == 0;
}

/* The other part may be the predecessor's, and nobody else's. */
static bool lock_beside(int fd, pid_t predecessor)
{
	pid_t owner;

	if (set_lock(fd, F_WRLCK, 0, 1))
		owner = other_owner(fd, 1, 0);
	else if (set_lock(fd, F_WRLCK, 1, 0))
		owner = other_owner(fd, 0, 1);
	else
		return false;
	return owner == 0 || owner == predecessor;
}

static bool lock_alone(int fd)
{
	return set_lock(fd, F_WRLCK, 0, 0) && set_lock(fd, F_UNLCK, 1, 0);
}

/* The file that is there, or a new one. */
static int open_file(const char *path)
{
	struct folder folder;
	int fd;

	if (!folder_open(&folder, path))
		return -1;
	fd = openat(folder.fd, folder.name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		fd = openat(folder.fd, folder.name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	folder_close(&folder);
	return fd;
}

static bool fail(char *reason, const char *path, const char *why, int fd)
{
	snprintf(reason, PIDFILE_REASON, "pidfile %s: %s", path, why);
	if (fd >= 0)
		close(fd);
	return false;
}

static bool keep(const char *path, int fd, bool writes, char *reason)
{
	snprintf(pidfile.path, sizeof pidfile.path, "%s", path);
	pidfile.fd = fd;
	if (!writes || pidfile_write())
		return true;
	fail(reason, path, strerror(errno), -1);
	pidfile_leave();                  /* on a full disk: one that names nobody would only mislead */
	return false;
}

bool pidfile_lock(const char *path, pid_t predecessor, char *reason)
{
	const char *refused;
	struct stat st;

	for (int i = 0; i < TRIES; i++) {
		int fd = open_file(path);

		if (fd < 0 && errno == EEXIST)
			continue;         /* somebody else made it after we had looked */
		if (fd < 0 || fstat(fd, &st) < 0)
			return fail(reason, path, strerror(errno), fd);
		if ((refused = pidfile_refuses(&st)) != NULL)
			return fail(reason, path, refused, fd);
		if (predecessor ? !lock_beside(fd, predecessor) : !lock_alone(fd)) {
			char why[64] = "locked by another process";
			pid_t owner = other_owner(fd, 0, 0);

			if (owner > 0)
				snprintf(why, sizeof why, "aphorismd is already running, process %d", (int)owner);
			return fail(reason, path, why, fd);
		}
		if (is_at(path, fd))
			return keep(path, fd, !predecessor, reason);
		close(fd);        /* its owner removed it between our open and our lock: once more */
	}
	return fail(reason, path, "it keeps vanishing", -1);
}

void pidfile_leave(void)
{
	struct folder folder;
	struct stat ours;

	if (pidfile.fd < 0)
		return;
	if (other_owner(pidfile.fd, 0, 0) == 0 && fstat(pidfile.fd, &ours) == 0 &&
	    folder_open(&folder, pidfile.path)) {
		folder_remove(&folder, ours.st_dev, ours.st_ino);
		folder_close(&folder);
	}
	pidfile_forget();
	pidfile.path[0] = '\0';
	pidfile.fd = -1;
}

void pidfile_forget(void)
{
	if (pidfile.fd >= 0)
		close(pidfile.fd);
}
