/*
 * sandbox.h - what a process gives up for good before it meets what others wrote.
 *
 * Two mechanisms of the kernel, neither of which needs rights.  Landlock takes away the file system, binding and
 * connecting in TCP, and signals to strangers.  A seccomp filter takes away system calls: a worker and a loader keep
 * only those of a list, a supervisor loses those of a list.  What is denied fails with EPERM and ends nothing, since
 * a libc that calls something new must not end the service; the kernel's audit log has a line about it.
 */
#ifndef SANDBOX_SANDBOX_H
#define SANDBOX_SANDBOX_H

#include <stdbool.h>

#include "config/config.h"

enum sandbox_role {
	SANDBOX_WORKER,                   /* no file, no new socket, no program, nobody else's process */
	SANDBOX_LOADER,                   /* may open files for reading, beyond that the same */
	SANDBOX_SUPERVISOR,               /* no program, nobody's memory, nothing that concerns the whole system */
};

/* What a worker makes beside answers.  Orders are those to a ring of io_uring, open by then and tied to its purpose. */
enum { SANDBOX_PROCESSES = 1, SANDBOX_THREADS = 2, SANDBOX_ORDERS = 4, SANDBOX_MAKES = 7 };

/*
 * A filter knows descriptors by their numbers alone.  So it keeps a worker from changing the options of those that it
 * shares with others, and from giving these other numbers: nothing but devnull (-1: not even that) takes a number.
 */
enum { SANDBOX_SHARED = 2 * CONFIG_LISTENERS + 4 };
struct sandbox_descriptors {
	int devnull, count, shared[SANDBOX_SHARED];
};

enum { SANDBOX_REASON = 256 };

/* Whether this build has both mechanisms. */
bool sandbox_is_built(void);

/* Makes in advance what entering needs, so that children share it instead of each making its own.  Does not block. */
void sandbox_prepare(enum sandbox_role, unsigned makes);

/*
 * Confines the calling process, which has one thread, and all that it will start; a worker with the descriptors that it
 * has (else NULL).  Returns true when both mechanisms
 * are in force (for a supervisor: when its filter is, and Landlock is there for the others); else false, with as much
 * in force as there is and the reason for the rest, which may be ENOMEM too.  Does not block.
 */
bool sandbox_enter(enum sandbox_role, unsigned makes, const struct sandbox_descriptors *, char *reason);

#endif
