/*
 * starter.h - the process that can start a program, which the supervisor can't.
 *
 * What a process has given up to the sandbox its children lack as well, and so do the programs that they start, for
 * ever.  So this one is made before; nothing confines it, and it knows to do one thing: to start the daemon's own
 * program once more, as that was started, with sockets that the supervisor hands it.
 */
#ifndef APHORISMD_STARTER_H
#define APHORISMD_STARTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "aphorismd/options.h"

enum {
	STARTER_FDS = CONFIG_LISTENERS + 2,
	STARTER_NAMES = STARTER_FDS * (CONFIG_ADDRESS + 36),      /* of each its name, and its file in two numbers */
};

/* It changes in starter.c, and where it was reaped. */
extern struct starter {
	pid_t pid;                        /* 0: there is none */
	int fd;
	uint32_t orders;                  /* so many were given: what comes for an earlier one is nobody's any more */
} starter;

/*
 * Forks it, from a supervisor that adopts orphans.  It ends when the supervisor has closed its end, or has ended.
 * NULL, or the call that failed, with errno; under inetd nothing is done.
 */
const char *starter_open(const struct options *);

/*
 * Has the program started with these descriptors from 3 on, as LISTEN_FDS of these LISTEN_FDNAMES.  The last one is
 * a socket: there the new process tells why it can't execute the program; it is standard error, too, unless this
 * daemon is in the foreground.  Never blocks.  False with errno.
 */
bool starter_order(const int *fds, size_t count, const char *names);

/*
 * What has become of the last order.  Returns the new process, which is or soon will be a child of the supervisor; 0
 * when nothing is known yet; -1 with errno when there is none.  It is told before the process can end.  Never blocks.
 */
pid_t starter_answer(void);

/* Lets go of it, in another child of the supervisor. */
void starter_forget(void);

/* Ends and reaps it. */
void starter_close(void);

#endif
