/*
 * identity.c - setfsuid, setfsgid, and the way back.
 */
#include "common/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Neither call tells whether it was done; asked for nobody, each tells who one is. */
static bool is(uid_t uid, gid_t gid)
{
	return (uid_t)setfsuid((uid_t)-1) == uid && (gid_t)setfsgid((gid_t)-1) == gid;
}

bool identity_take(struct identity *before, uid_t uid, gid_t gid)
{
	before->other = uid != geteuid() || gid != getegid();
	if (!before->other)
		return true;
	errno = EPERM;
	if (geteuid() != 0 || !capability_get(&before->capabilities))
		return false;
	before->dumpable = prctl(PR_GET_DUMPABLE);
	setfsgid(gid);
	setfsuid(uid);
	if (is(uid, gid))
		return true;
	identity_leave(before);
	errno = EPERM;
	return false;
}

/*
 * The kernel marks a process that has been somebody else as one that nobody may look into, and with root's number it
 * puts those capabilities in effect again that concern files.
 */
void identity_leave(const struct identity *before)
{
	int error = errno;

	if (!before->other)
		return;
	setfsuid(geteuid());
	setfsgid(getegid());
	capability_set(&before->capabilities);
	prctl(PR_SET_DUMPABLE, before->dumpable);
	errno = error;
}

bool identity_give(int file, uid_t uid, gid_t gid)
{
	struct capabilities own, more;
	bool raises = capability_get(&own), done;
	int error;

	more = own;
	more.words[0].effective |= more.words[0].permitted & 1u << CAP_CHOWN;
	raises = raises && more.words[0].effective != own.words[0].effective && capability_set(&more);
	done = fchownat(file, "", uid, gid, AT_EMPTY_PATH) == 0;
	error = errno == EINVAL ? EPERM : errno;     /* whom this user namespace does not know */
	if (raises)
		capability_set(&own);
	errno = error;
	return done;
}
