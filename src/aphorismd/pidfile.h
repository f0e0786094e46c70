/*
 * pidfile.h - one daemon per pidfile: the lock says who runs, the number in the file is for people and scripts.
 */
#ifndef APHORISMD_PIDFILE_H
#define APHORISMD_PIDFILE_H

#include <stdbool.h>

enum { PIDFILE_REASON = 256 };

/*
 * Creates, locks and writes the pidfile; to be called after the last fork, since the lock belongs to the
 * process.  Returns a descriptor to keep open for life, or -1 with the reason.
 */
int pidfile_lock(const char *path, char *reason);

/* Is what lies at that path the file that is locked? */
bool pidfile_is_ours(const char *path, int fd);

/* Removes it if it is still ours, and lets go of the lock. */
void pidfile_remove(const char *path, int fd);

#endif
