/*
 * elder.h - the process whose place this one takes in an upgrade; upgrade_talk.h lists what is said to it.
 */
#ifndef APHORISMD_ELDER_H
#define APHORISMD_ELDER_H

#include <stdbool.h>
#include <sys/types.h>

/* It changes in elder_meet(), and in heir.c. */
extern struct elder {
	int fd;                           /* the socket to it; -1: there is none, or it has gone */
	pid_t pid;                        /* 0: there was none */
	bool owns;                        /* what it has is not ours yet, even if it has gone */
} elder;

/* At a start: finds out whether there is one.  Returns its control socket, which is the caller's, or -1. */
int elder_meet(void);

/* Whether it is there, until it has gone. */
bool elder_is_there(void);

#endif
