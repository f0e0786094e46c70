/*
 * folder.c - a path, taken one name at a time.
 */
#include "common/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MOST_LINKS = 40 };                 /* as in the kernel */

struct walk {
	int fd;
	struct stat folder;               /* what that is */
	bool fixed;
	bool led;                         /* by links of somebody else's: */
	uid_t leader;                     /* his */
	int links;
	char rest[PATH_MAX];              /* the names that are still to be taken */
};

static bool is_ours(uid_t owner)
{
	return owner == 0 || owner == geteuid();
}

/* Can nobody else move or replace what that owner has in the folder?  The bits of the group tell of an ACL, too. */
static bool keeps(const struct stat *folder, uid_t owner)
{
	if (!is_ours(folder->st_uid))
		return false;
	return !(folder->st_mode & (S_IWGRP | S_IWOTH)) || (folder->st_mode & S_ISVTX && is_ours(owner));
}

static int fail(int error)
{
	errno = error;
	return -1;
}

static void close_quietly(int fd)
{
	int error = errno;

	close(fd);
	errno = error;
}

/* Takes the descriptor in any case. */
static int enter(struct walk *walk, int fd)
{
	struct stat folder;

	if (fd < 0)
		return -1;
	if (fstat(fd, &folder) < 0) {
		close_quietly(fd);
		return -1;
	}
	if (walk->fd >= 0) {
		walk->fixed &= keeps(&walk->folder, folder.st_uid);
		close(walk->fd);
	}
	walk->fd = fd;
	walk->folder = folder;
	return 0;
}

static int begin(struct walk *walk, const char *path)
{
	return enter(walk, open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

/* Whoever leads us somewhere is to lead us to what is his; who that is, and where to, is read of the same link. */
static int follow(struct walk *walk, const char *name)
{
	int fd = openat(walk->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char to[PATH_MAX], rest[2 * PATH_MAX];
	struct stat link;
	ssize_t len;

	if (fd < 0)
		return -1;
	len = fstat(fd, &link) < 0 ? -1 : S_ISLNK(link.st_mode) ? readlinkat(fd, "", to, sizeof to - 1)
	                                                        : fail(ENOTDIR);
	close_quietly(fd);
	if (len < 0)
		return -1;
	to[len] = '\0';
	if (len == 0 || ++walk->links > MOST_LINKS)
		return fail(len == 0 ? ENOENT : ELOOP);
	if (!is_ours(link.st_uid)) {
		if (walk->led && walk->leader != link.st_uid)
			return fail(EACCES);
		walk->led = true;
		walk->leader = link.st_uid;
	}
	walk->fixed &= is_ours(link.st_uid) && keeps(&walk->folder, link.st_uid);
	if (snprintf(rest, sizeof rest, "%s/%s", to, walk->rest) >= (int)sizeof walk->rest)
		return fail(ENAMETOOLONG);
	strcpy(walk->rest, rest);
	return *to == '/' ? begin(walk, to) : 0;
}

/* O_DIRECTORY, as without that a file system that is mounted when it is needed would not be. */
static int take(struct walk *walk, const char *name)
{
	int fd = openat(walk->fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 && (errno == ENOTDIR || errno == ELOOP) ? follow(walk, name) : enter(walk, fd);
}

static int take_all(struct walk *walk)
{
	char name[NAME_MAX + 1];

	for (;;) {
		size_t before = strspn(walk->rest, "/"), len = strcspn(walk->rest + before, "/");

		if (len == 0)
			break;
		if (len >= sizeof name)
			return fail(ENAMETOOLONG);
		memcpy(name, walk->rest + before, len);
		name[len] = '\0';
		memmove(walk->rest, walk->rest + before + len, strlen(walk->rest + before + len) + 1);
		if (strcmp(name, ".") != 0 && take(walk, name) < 0)
			return -1;
	}
	return walk->led && walk->folder.st_uid != walk->leader ? fail(EACCES) : 0;
}

bool folder_open(struct folder *folder, const char *path)
{
	struct walk walk = { .fd = -1, .fixed = true };
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	if (*name == '\0' || (size_t)(name - path) >= sizeof walk.rest) {
		errno = *path == '\0' ? ENOENT : *name == '\0' ? EISDIR : ENAMETOOLONG;
		return false;
	}
	memcpy(walk.rest, path, (size_t)(name - path));
	if (begin(&walk, path) < 0 || take_all(&walk) < 0) {
		if (walk.fd >= 0)
			close_quietly(walk.fd);
		return false;
	}
	*folder = (struct folder){ walk.fd, name, walk.fixed, keeps(&walk.folder, geteuid()) };
	return true;
}

void folder_close(struct folder *folder)
{
	close_quietly(folder->fd);
}

int folder_open_file(const struct folder *folder, struct stat *file)
{
	int fd = openat(folder->fd, folder->name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && fstat(fd, file) < 0) {
		close_quietly(fd);
		return -1;
	}
	return fd;
}

/* Between the two whoever owns the folder may put another file there: one that he might have removed himself. */
bool folder_remove(const struct folder *folder, dev_t device, ino_t inode)
{
	struct stat file;

	if (fstatat(folder->fd, folder->name, &file, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (file.st_dev != device || file.st_ino != inode) {
		errno = EEXIST;
		return false;
	}
	return unlinkat(folder->fd, folder->name, 0) == 0;
}
