/*
 * predecessor.h - the process whose place this one takes in an upgrade; upgrade_talk.h lists what is said to it.
 */
#ifndef APHORISMD_PREDECESSOR_H
#define APHORISMD_PREDECESSOR_H

#include <stdbool.h>
#include <sys/types.h>

/* Set by inherited_take(); it changes in successor.c. */
extern struct predecessor {
	int fd;                           /* the socket to it; -1: there is none, or it has gone */
	int control;                      /* its control socket, which setup.c takes over, or -1 */
	pid_t pid;                        /* 0: there was none */
	bool owns;                        /* what it has is not ours yet, even if it has gone */
} predecessor;

/* It is the process at the other end of that socket. */
void predecessor_meet(int fd);

/* Whether it is there, until it has gone. */
bool predecessor_is_there(void);

#endif
