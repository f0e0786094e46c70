/*
 * part.h - what the supervisor's loop asks its parts for.
 *
 * A part is a file with a state of its own; its row stands at the end of it.  supervisor.c has them in order, and tells
 * why it matters.
 */
#ifndef APHORISMD_PART_H
#define APHORISMD_PART_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A part may lack any of these.  None blocks. */
struct part {
	bool serves;                      /* and nothing else: it is asked for nothing more when the daemon leaves */
	const int *fd;                    /* what to poll for, to be read, and to close in a worker; -1: none */
	bool by_workers;                  /* they can wake us by that: not while notices_deaf() */
	int (*list)(struct pollfd *);     /* what to poll for else, and may look at until it has heard; how many */
	uint64_t (*due_us)(void);         /* when to wake at the latest; UINT64_MAX for never */
	void (*hear)(uint64_t now_us);    /* takes what others have told it */
	bool (*reaped)(pid_t, int wait_status, uint64_t now_us);          /* true: it was a child of its own */
	void (*tend)(uint64_t now_us);    /* does what can be done now */
	void (*forget)(void);             /* in a worker: closes and unmaps what is not its */
};

extern const struct part part_generations, part_idle, part_metrics_file, part_notices, part_reload, part_successor,
	part_upgrade, part_watch;

#endif
