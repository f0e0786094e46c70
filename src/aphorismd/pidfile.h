/*
 * pidfile.h - one daemon per pidfile: the lock says who runs, the number in the file is for people and scripts.
 */
#ifndef APHORISMD_PIDFILE_H
#define APHORISMD_PIDFILE_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

enum { PIDFILE_REASON = 256 };

/*
 * Creates and locks the pidfile, and unless we take somebody's place writes it; to be called after the last fork, since
 * the lock belongs to the process.  predecessor: 0, or the process whose place we take: then the file may be its, which
 * keeps its lock.  It is kept until pidfile_leave().  False with the reason; then what is there is as it was.
 */
bool pidfile_lock(const char *path, pid_t predecessor, char *reason);

/* Where the one is that we keep; "" where there is none. */
const char *pidfile_path(void);

/* Writes our number, where we keep one.  False with errno. */
bool pidfile_write(void);

/* Whether what lies at its path is another file than the one that we keep. */
bool pidfile_is_lost(void);

/*
 * Why a file must not be taken for the pidfile, as it may be somebody else's, or his in part; NULL when it may be.
 */
const char *pidfile_refuses(const struct stat *);

/* Removes it if it is still ours, and nobody else's as well, and lets go of the lock. */
void pidfile_leave(void);

/* Closes it, in a child. */
void pidfile_forget(void);

#endif
