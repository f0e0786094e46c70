/*
 * servant.h - for --test: whom a configuration is to be served by, as far as that can be known, and what he meets.
 *
 * To root that is the user of the installed unit, where systemd runs the machine; else a daemon that root starts, as it
 * is when it has given up what a running one does not need.  Who an ordinary user asks for nobody knows.
 */
#ifndef APHORISMD_SERVANT_H
#define APHORISMD_SERVANT_H

#include <sys/types.h>

#include "aphorismd/doctor.h"
#include "aphorismd/unit.h"

enum { SERVANT_GROUPS = 64, SERVANT_WORDS = 192 };

struct servant {
	bool by_root;                     /* it is root who asks */
	bool by_unit;                     /* and a unit's user who serves */
	bool certain;                     /* what is wrong for him is an error of the next start, and no mere warning */
	bool reads;                       /* he reads the very file that is tested */
	struct unit unit;
	uid_t uid;                        /* of the unit's user */
	gid_t gid, groups[SERVANT_GROUPS];
	int group_count;
	char unsure[SERVANT_WORDS];       /* why it is not certain; "" where there is no unit */
};

/* Finds out who it is.  May block as any look at a file, or for a user, may. */
void servant_learn(struct servant *, const struct options *);

/*
 * In a child: becomes who reads at a reload, for good, and sees what he sees of /home and /tmp.  False with errno;
 * where only the latter is not possible *blind has that errno, else 0.
 */
bool servant_become(const struct servant *, int *blind);

/* Who that is, in words for a message, and why he sees what he sees. */
const char *servant_who(const struct servant *, char to[SERVANT_WORDS]);

/*
 * Inspects addresses, folders and files as who serves, in a child that writes nothing there, within a limit of time;
 * and reports what can't be known.  Blocks.
 */
void servant_inspect(const struct servant *, const struct config *, const struct doctor_ear *);

#endif
