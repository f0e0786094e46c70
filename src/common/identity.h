/*
 * identity.h - who root is to the file system, for a moment.
 *
 * What root makes in the name of others it makes as they would: then it is theirs from its first moment on, and no more
 * can be met on the way there than they could have reached themselves.  It concerns the calls of this thread that name
 * files, and nobody gets a right over the process by it.
 */
#ifndef COMMON_IDENTITY_H
#define COMMON_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/capability.h"

/* What identity_leave() goes back to. */
struct identity {
	bool other;                       /* somebody else's was taken */
	int dumpable;
	struct capabilities capabilities;
};

/*
 * Becomes that user and group to the file system, up to identity_leave(), which is to follow soon.  False with EPERM,
 * and nothing is changed, where that can't be: only root can, or whoever is these already, for whom it does nothing.
 */
bool identity_take(struct identity *, uid_t, gid_t);

/* Leaves errno alone. */
void identity_leave(const struct identity *);

/*
 * Gives a file, by a descriptor which may be one of O_PATH, to a user and a group; (uid_t)-1 and (gid_t)-1 leave them.
 * Takes up CAP_CHOWN for that if the process may.  False with errno.
 */
bool identity_give(int file, uid_t, gid_t);

#endif
