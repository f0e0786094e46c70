/*
 * progress.h - how far it is: a bar with the time left on a terminal, plain lines elsewhere; on standard error.
 */
#ifndef BENCH_PROGRESS_H
#define BENCH_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool wanted, terminal;
	uint64_t started_us, shown_us;
	char label[64];                   /* the one shown last */
};

/* Starts the clock; with wanted false nothing is ever shown. */
void progress_start(struct progress *, bool wanted);

/*
 * Shows that so much of all (0 to 1) is done, and what is being done.  May be called as often as one likes: a terminal
 * is written to ten times a second at most, anything else when the label changes.
 */
void progress_show(struct progress *, double share, const char *label);

/* Takes the bar away, so that other output finds an empty line; the next progress_show brings it back. */
void progress_clear(struct progress *);

#endif
