/*
 * listener_file.c - the files of UNIX sockets.
 *
 * They may lie in a folder that somebody else owns, who can put anything at their paths at any moment, while we may be
 * root.  So nothing is done to a path: its folder is found (folder.h), and the file is opened in there, compared with
 * the one that was noted, and changed through that descriptor.  Two calls know names only, bind and unlink, which
 * follow no link there: whoever owns the folder can have them meet another file of that folder, and of no other.
 */
#include "server/listener_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/compat.h"
#include "common/folder.h"

static const char *path_of(const struct listener *listener)
{
	return listener->address + strlen("unix:");
}

/* Everybody sees the path that a socket is bound to.  Where somebody else could lead that elsewhere it is the name. */
static struct sockaddr_un name_in(const struct folder *folder, const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	snprintf(to.sun_path, sizeof to.sun_path, "%s", folder->fixed ? path : folder->name);
	return to;
}

/* By the file, as a link that had come to the name would be followed.  Without /proc it is the name. */
static bool refuses_connections(int file, const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), rc;
	struct sockaddr_un there = { .sun_family = AF_UNIX };
	bool refused;

	if (fd < 0)
		return false;
	snprintf(there.sun_path, sizeof there.sun_path, "/proc/self/fd/%d", file);
	rc = connect(fd, (const struct sockaddr *)&there, sizeof there);
	if (rc < 0 && errno == ENOENT)
		rc = connect(fd, (const struct sockaddr *)at, sizeof *at);
	refused = rc < 0 && errno == ECONNREFUSED;
	close(fd);
	return refused;
}

/* A socket file that refuses connections was left by a crash; one that answers, or is no socket, is in use. */
static bool remove_stale(const struct folder *folder, const struct sockaddr_un *at)
{
	struct stat st;
	int file = folder_open_file(folder, &st);
	bool stale;

	if (file < 0)
		return errno == ENOENT;
	if (!S_ISSOCK(st.st_mode)) {
		close(file);
		errno = ENOTSOCK;
		return false;
	}
	stale = refuses_connections(file, at);
	close(file);
	if (stale && (folder_remove(folder, st.st_dev, st.st_ino) || errno == ENOENT))
		return true;
	if (!stale || errno == EEXIST)
		errno = EADDRINUSE;
	return false;
}

static bool bind_in(struct listener *listener, const struct folder *folder, const char *path, mode_t mode)
{
	const struct sockaddr_un at = name_in(folder, path);
	struct stat st;
	mode_t mask;
	int rc;

	if (!remove_stale(folder, &at))
		return false;
	mask = umask(~mode & 0777);   /* the kernel gives a socket 0777 without it */
	rc = bind(listener->fd, (const struct sockaddr *)&at, sizeof at);
	umask(mask);
	if (rc < 0 || fstatat(folder->fd, folder->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	if (!S_ISSOCK(st.st_mode)) {
		errno = EADDRINUSE;
		return false;
	}
	listener->device = st.st_dev;
	listener->inode = st.st_ino;
	return true;
}

bool listener_bind_file(struct listener *listener, const struct address *address, mode_t mode)
{
	const char *path;
	struct folder folder;
	int error = 0;

	address_format(listener->address, sizeof listener->address, (const struct sockaddr *)&address->sockaddr);
	path = path_of(listener);
	if (!folder_open(&folder, path))
		return false;
	listener->inside = !folder.fixed;
	if ((listener->inside && fchdir(folder.fd) < 0) || !bind_in(listener, &folder, path, mode))
		error = errno;
	if (listener->inside && chdir("/") < 0 && error == 0)
		error = errno;
	folder_close(&folder);
	errno = error;
	return error == 0;
}

static bool is_file(const struct listener *listener, const struct stat *st)
{
	return st->st_dev == listener->device && st->st_ino == listener->inode;
}

bool listener_has_file(const struct listener *listener)
{
	struct folder folder;
	struct stat st;
	bool is_there;

	errno = EADDRINUSE;
	if (listener->family != AF_UNIX || !folder_open(&folder, path_of(listener)))
		return false;
	is_there = fstatat(folder.fd, folder.name, &st, AT_SYMLINK_NOFOLLOW) == 0;
	folder_close(&folder);
	if (!is_there || is_file(listener, &st))
		return is_there;
	errno = EADDRINUSE;
	return false;
}

bool listener_is_at(const struct listener *listener, const char *address)
{
	struct address at;
	struct folder folder;
	struct stat st;
	bool is_there;

	if (listener->family != AF_UNIX || address_parse(&at, address) != NULL || at.sockaddr.ss_family != AF_UNIX ||
	    !folder_open(&folder, address + strlen("unix:")))
		return false;
	is_there = fstatat(folder.fd, folder.name, &st, AT_SYMLINK_NOFOLLOW) == 0 && is_file(listener, &st);
	folder_close(&folder);
	return is_there;
}

bool listener_is_lost(const struct listener *listener)
{
	return listener->family == AF_UNIX && !listener->lent && !listener_has_file(listener) && errno == ENOENT;
}

/*
 * Opens the listener's file.  A second name could be one that somebody has given to a file of ours which he may not
 * change: no socket of ours has two.  Returns a descriptor, or -1 with errno.
 */
static int open_file(const struct listener *listener, const struct folder *folder, struct stat *st)
{
	int fd = folder_open_file(folder, st);

	if (fd < 0 || (is_file(listener, st) && S_ISSOCK(st->st_mode) && st->st_nlink == 1))
		return fd;
	close(fd);
	errno = is_file(listener, st) ? EMLINK : EADDRINUSE;
	return -1;
}

bool listener_set_mode(const struct listener *listener, mode_t mode)
{
	struct folder folder;
	struct stat st;
	bool done;
	int fd;

	if (!folder_open(&folder, path_of(listener)))
		return false;
	fd = open_file(listener, &folder, &st);
	done = fd >= 0 && ((st.st_mode & 07777) == mode || compat_chmod(fd, mode) == 0);
	/* an old kernel without /proc can't: then by its name, where nobody else can give that to another file */
	if (fd >= 0 && !done && errno == ENOENT && folder.kept && st.st_uid == geteuid())
		done = fchmodat(folder.fd, folder.name, mode, 0) == 0;
	if (fd >= 0)
		close(fd);
	folder_close(&folder);
	return done;
}

bool listener_set_group(const struct listener *listener, gid_t group)
{
	struct folder folder;
	struct stat st;
	bool done;
	int fd;

	if (!folder_open(&folder, path_of(listener)))
		return false;
	fd = open_file(listener, &folder, &st);
	done = fd >= 0 && (st.st_gid == group || fchownat(fd, "", (uid_t)-1, group, AT_EMPTY_PATH) == 0);
	if (fd >= 0)
		close(fd);
	folder_close(&folder);
	return done;
}

void listener_remove_file(const struct listener *listener)
{
	struct folder folder;

	if (listener->family != AF_UNIX || listener->inode == 0 || !folder_open(&folder, path_of(listener)))
		return;
	folder_remove(&folder, listener->device, listener->inode);
	folder_close(&folder);
}
