/*
 * listener_owner.c - whom the files of UNIX sockets belong to, and what they let others do.
 */
#include "net/listener_parts.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/compat.h"
#include "common/identity.h"
#include "common/log.h"

enum { GROUPS = 1024 };

struct listener_owner listener_wanted_owner(const struct config_listen *at, const struct listener_owner *ours)
{
	return (struct listener_owner){
		at->user.name[0] ? (uid_t)at->user.id : ours->uid, at->group.name[0] ? (gid_t)at->group.id : ours->gid,
	};
}

/* -1 is for what may stay. */
static struct listener_owner lacks(const struct folder *folder, const struct stat *st, const struct config_listen *at,
                                   const struct listener_owner *ours)
{
	struct listener_owner to = listener_wanted_owner(at, ours);
	struct stat in;

	if (to.uid == st->st_uid)
		to.uid = (uid_t)-1;
	if (!at->group.name[0] && fstat(folder->fd, &in) == 0 && in.st_mode & S_ISGID)
		to.gid = in.st_gid;
	if (to.gid == st->st_gid)
		to.gid = (gid_t)-1;
	return to;
}

static bool is_nobody(const struct listener_owner *who)
{
	return who->uid == (uid_t)-1 && who->gid == (gid_t)-1;
}

bool listener_give(int file, const struct folder *folder, const struct stat *st, const struct config_listen *at,
                   const struct listener_owner *ours, uid_t from)
{
	struct listener_owner to = lacks(folder, st, at, ours);

	errno = EPERM;
	if (st->st_uid == from && (is_nobody(&to) || (st->st_nlink == 1 && identity_give(file, to.uid, to.gid))))
		return true;
	/* of what nobody has asked for it is enough that it stays ours */
	if ((to.uid != (uid_t)-1 && (at->user.name[0] || from != geteuid())) ||
	    (to.gid != (gid_t)-1 && at->group.name[0]))
		return false;
	log_warning("can't give %s to the daemon's user and group: %s", at->address, strerror(errno));
	return true;
}

/* As its owner, whom root need not have a capability to be; what he could put at the name is his, too. */
static bool set_mode(int file, const struct folder *folder, uid_t owner, mode_t mode)
{
	struct identity before;
	bool other = identity_take(&before, owner, getegid());
	bool done = compat_chmod(file, mode) == 0;

	/* an old kernel without /proc can't: then by its name, where nobody else can give that to another file */
	if (!done && other && errno == ENOENT && folder->kept)
		done = fchmodat(folder->fd, folder->name, mode, 0) == 0;
	if (other)
		identity_leave(&before);
	return done;
}

/* Nobody has, on the way, a right that he has neither before nor after. */
const char *listener_change_file(int file, const struct folder *folder, const struct stat *st,
                                 const struct config_listen *at, const struct listener_owner *ours)
{
	struct listener_owner to = lacks(folder, st, at, ours);
	mode_t now = st->st_mode & 07777, mode = (mode_t)at->mode;
	uid_t owner = to.uid == (uid_t)-1 ? st->st_uid : to.uid;

	if (!is_nobody(&to)) {
		if ((now & mode) != now && !set_mode(file, folder, st->st_uid, now & mode))
			return "mode";
		now &= mode;
		if (!identity_give(file, to.uid, to.gid))
			return "owner";
	}
	return now == mode || set_mode(file, folder, owner, mode) ? NULL : "mode";
}

static bool is_member(gid_t gid)
{
	gid_t groups[GROUPS];
	int count = getgroups(GROUPS, groups);

	for (int i = 0; i < count; i++)
		if (groups[i] == gid)
			return true;
	return count < 0 || gid == getegid();     /* in more than these: it may be one of them */
}

const char *listener_cant_give(const struct config_listen *at)
{
	if (geteuid() == 0)
		return NULL;
	if (at->user.name[0] && (uid_t)at->user.id != geteuid())
		return "user: only root can give a socket to another user";
	if (at->group.name[0] && !is_member((gid_t)at->group.id))
		return "group: only root can give a socket to a group that the daemon is no member of";
	return NULL;
}
