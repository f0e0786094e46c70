/*
 * unit.h - what systemd's unit of an installed daemon says, as far as --test has a use for it.
 *
 * Read from its files, as systemctl(1) would have to be run, and knows no more of a service that does not run yet.
 */
#ifndef APHORISMD_UNIT_H
#define APHORISMD_UNIT_H

#include <stdbool.h>

enum { UNIT_VALUE = 512 };

/* Keys of its section [Service]. */
enum unit_key {
	UNIT_START, UNIT_USER, UNIT_GROUP, UNIT_GROUPS, UNIT_CAPABILITIES, UNIT_BOUNDING, UNIT_PRIVATE_USERS,
	UNIT_RUNTIME, UNIT_STATE, UNIT_CACHE, UNIT_LOGS, UNIT_HOME, UNIT_TMP, UNIT_SYSTEM, UNIT_WRITABLE, UNIT_KEYS,
};

struct unit {
	bool installed;                   /* and systemd runs this machine; else all else is empty */
	bool enabled;
	/* "" where nothing is said, or no; of lists all words, parted by blanks */
	char value[UNIT_KEYS][UNIT_VALUE];
	bool bounded;                     /* UNIT_BOUNDING is said: else it is all there are */
	char beyond[64];                  /* a key that changes what the service meets, and is not followed here */
};

/* The unit's name. */
extern const char unit_name[];

/* Reads aphorismd.service and its drop-ins, those of all services among them.  May block as any look at a file may. */
void unit_read(struct unit *);

/* Calls with each word of a list until it is told true; returns that. */
bool unit_any(const struct unit *, enum unit_key, bool (*)(void *arg, const char *word), void *arg);

/* Is that the configuration that the service reads? */
bool unit_reads(const struct unit *, const char *file);

/*
 * Is that a folder that the unit makes at each start, for the service to write to?  Missing or somebody else's until
 * then, it is right all the same.  By its name without links.
 */
bool unit_makes(const struct unit *, const char *folder);

#endif
