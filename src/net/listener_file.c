/*
 * listener_file.c - the files of UNIX sockets.
 *
 * They may lie in a folder that somebody else owns, who can put anything at their paths at any moment, while we may be
 * root.  So nothing is done to a path: its folder is found (folder.h), and the file is opened in there, compared with
 * the one that was noted, and changed through that descriptor.  Two calls know names only, bind and unlink, which
 * follow no link there: whoever owns the folder can have them meet another file of that folder, and of no other.
 *
 * Root binds a socket as whom it is to belong to (identity.h), so that it is his from its first moment on.  Into some
 * folders he may not write, such as /run: there it is bound as the folder's owner, with the right group, and given to
 * him by its descriptor.  Until listen(2), after that, nobody can connect, so neither way has a moment with wider
 * rights.
 * A root that could bind as anybody anywhere would need CAP_DAC_OVERRIDE for good; this needs CAP_CHOWN now and then.
 * On the other hand, what root may not do in a folder once it has given up the former, the folder's owner may.  Of what
 * he could put at the name before we look, all is left alone that is not of him as whom we bound.
 */
#include "net/listener_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/folder.h"
#include "common/identity.h"
#include "common/log.h"

static const char *path_of(const struct listener *listener)
{
	return listener->address + strlen("unix:");
}

static struct sockaddr_un address_of(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
	return to;
}

/* ---- as somebody else ---- */

/* After a call that was denied: may it be tried again as the folder's owner?  If not, errno stays. */
static bool become_owner(struct identity *before, const struct folder *folder)
{
	int error = errno;
	struct stat st;

	if ((error == EACCES || error == EPERM) && fstat(folder->fd, &st) == 0 &&
	    identity_take(before, st.st_uid, getegid()))
		return true;
	errno = error;
	return false;
}

static int find(const struct folder *folder, struct stat *st)
{
	struct identity before;
	int fd = folder_open_file(folder, st);

	if (fd < 0 && become_owner(&before, folder)) {
		fd = folder_open_file(folder, st);
		identity_leave(&before);
	}
	return fd;
}

static bool remove_in(const struct folder *folder, dev_t device, ino_t inode)
{
	bool done = folder_remove(folder, device, inode);
	struct identity before;

	if (!done && become_owner(&before, folder)) {
		done = folder_remove(folder, device, inode);
		identity_leave(&before);
	}
	return done;
}

static bool go_into(const struct folder *folder)
{
	bool done = fchdir(folder->fd) == 0;
	struct identity before;

	if (!done && become_owner(&before, folder)) {
		done = fchdir(folder->fd) == 0;
		identity_leave(&before);
	}
	return done;
}

/* ---- binding ---- */

/* By the file, as a link that had come to the name would be followed.  Without /proc it is the name. */
static int connect_to(int fd, int file, const struct sockaddr_un *at)
{
	struct sockaddr_un there = { .sun_family = AF_UNIX };
	int rc;

	snprintf(there.sun_path, sizeof there.sun_path, "/proc/self/fd/%d", file);
	rc = connect(fd, (const struct sockaddr *)&there, sizeof there);
	return rc < 0 && errno == ENOENT ? connect(fd, (const struct sockaddr *)at, sizeof *at) : rc;
}

static bool refuses_connections(int file, const struct stat *st, const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), rc;
	struct identity before;
	bool refused;

	if (fd < 0)
		return false;
	rc = connect_to(fd, file, at);
	if (rc < 0 && errno == EACCES && identity_take(&before, st->st_uid, st->st_gid)) {
		rc = connect_to(fd, file, at);
		identity_leave(&before);
	}
	refused = rc < 0 && errno == ECONNREFUSED;
	close(fd);
	return refused;
}

/* A socket file that refuses connections was left by a crash; one that answers, or is no socket, is in use. */
static bool remove_stale(const struct folder *folder, const struct sockaddr_un *at)
{
	struct stat st;
	int file = find(folder, &st);
	bool stale;

	if (file < 0)
		return errno == ENOENT;
	if (!S_ISSOCK(st.st_mode)) {
		close(file);
		errno = ENOTSOCK;
		return false;
	}
	stale = refuses_connections(file, &st, at);
	close(file);
	if (stale && (remove_in(folder, st.st_dev, st.st_ino) || errno == ENOENT))
		return true;
	if (!stale || errno == EEXIST)
		errno = EADDRINUSE;
	return false;
}

static bool bind_as(int fd, const struct sockaddr_un *at, mode_t mode, const struct listener_owner *who)
{
	struct identity before;
	mode_t mask;
	int rc;

	if (!identity_take(&before, who->uid, who->gid))
		return false;
	mask = umask(~mode & 0777);   /* the kernel gives a socket 0777 without it */
	rc = bind(fd, (const struct sockaddr *)at, sizeof *at);
	umask(mask);
	identity_leave(&before);
	return rc == 0;
}

/* As whom it is to belong to, else as whoever may write there and comes nearest; *who tells. */
static bool bind_for(int fd, const struct sockaddr_un *at, mode_t mode, const struct folder *folder,
                     struct listener_owner *who)
{
	struct stat st;
	uid_t uid = geteuid() == 0 && fstat(folder->fd, &st) == 0 ? st.st_uid : geteuid();
	const struct listener_owner tries[] = { *who, { uid, who->gid }, { uid, getegid() } };

	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		*who = tries[i];
		if (bind_as(fd, at, mode, who))
			return true;
		if (errno != EACCES && errno != EPERM)
			break;
	}
	return false;
}

static bool bind_in(struct listener *listener, const struct folder *folder, const char *path,
                    const struct config_listen *listen_at, const struct listener_owner *ours)
{
	const struct sockaddr_un at = address_of(path);
	struct listener_owner who = listener_wanted_owner(listen_at, ours);
	struct stat st;
	bool given;
	int file;

	if (!remove_stale(folder, &at) || !bind_for(listener->fd, &at, (mode_t)listen_at->mode, folder, &who) ||
	    (file = find(folder, &st)) < 0)
		return false;
	errno = EADDRINUSE;
	given = S_ISSOCK(st.st_mode);
	if (given && st.st_uid == who.uid) {
		listener->device = st.st_dev;
		listener->inode = st.st_ino;
	}
	given = given && listener_give(file, folder, &st, listen_at, ours, who.uid);
	close(file);
	return given;
}

static bool bind_inside(struct listener *listener, const struct folder *folder, const struct config_listen *at,
                        const struct listener_owner *ours)
{
	bool done = go_into(folder) && bind_in(listener, folder, folder->name, at, ours);
	int error = errno;

	listener->inside = true;
	if (chdir("/") < 0 && done)
		return false;
	errno = error;
	return done;
}

/*
 * Everybody sees the path that a socket is bound to.  Where somebody else could lead that elsewhere it is the name, and
 * where it is closed to those as whom we bind.
 */
bool listener_bind_file(struct listener *listener, const struct address *address, const struct config_listen *at,
                        const struct listener_owner *ours)
{
	const char *path;
	struct folder folder;
	bool done;

	address_format(listener->address, sizeof listener->address, (const struct sockaddr *)&address->sockaddr);
	path = path_of(listener);
	if (!folder_open(&folder, path))
		return false;
	done = folder.fixed && bind_in(listener, &folder, path, at, ours);
	if (!folder.fixed || (!done && errno == EACCES))
		done = bind_inside(listener, &folder, at, ours);
	folder_close(&folder);
	return done;
}

/* ---- afterwards ---- */

static bool is_file(const struct listener *listener, const struct stat *st)
{
	return st->st_dev == listener->device && st->st_ino == listener->inode;
}

static bool stat_file(const struct folder *folder, struct stat *st)
{
	int file = find(folder, st);

	if (file >= 0)
		close(file);
	return file >= 0;
}

bool listener_has_file(const struct listener *listener)
{
	struct folder folder;
	struct stat st;
	bool is_there;

	errno = EADDRINUSE;
	if (listener->family != AF_UNIX || !folder_open(&folder, path_of(listener)))
		return false;
	is_there = stat_file(&folder, &st);
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
	is_there = stat_file(&folder, &st) && is_file(listener, &st);
	folder_close(&folder);
	return is_there;
}

bool listener_is_lost(const struct listener *listener)
{
	return listener->family == AF_UNIX && !listener->borrowed && !listener_has_file(listener) && errno == ENOENT;
}

/*
 * Opens the listener's file.  A second name could be one that somebody has given to a file of ours which he may not
 * change: no socket of ours has two.  Returns a descriptor, or -1 with errno.
 */
static int open_file(const struct listener *listener, const struct folder *folder, struct stat *st)
{
	int fd = find(folder, st);

	if (fd < 0 || (is_file(listener, st) && S_ISSOCK(st->st_mode) && st->st_nlink == 1))
		return fd;
	close(fd);
	errno = is_file(listener, st) ? EMLINK : EADDRINUSE;
	return -1;
}

void listener_set_file(const struct listener *listener, const struct config_listen *at,
                       const struct listener_owner *ours)
{
	const char *failed = "mode";
	struct folder folder;
	struct stat st;
	int file = -1;

	if (folder_open(&folder, path_of(listener))) {
		if ((file = open_file(listener, &folder, &st)) >= 0)
			failed = listener_change_file(file, &folder, &st, at, ours);
		folder_close(&folder);
	}
	if (failed)
		log_warning("can't change the %s of %s: %s", failed, listener->address, strerror(errno));
	if (file >= 0)
		close(file);
}

void listener_remove_file(const struct listener *listener)
{
	struct folder folder;

	if (listener->family != AF_UNIX || listener->inode == 0 || !folder_open(&folder, path_of(listener)))
		return;
	remove_in(&folder, listener->device, listener->inode);
	folder_close(&folder);
}
