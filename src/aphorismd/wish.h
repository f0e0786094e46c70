/*
 * wish.h - what a part of the supervisor wants of the whole.
 *
 * A part knows those that it is built upon, and nobody above it.  So it leaves a wish, and the loop, which knows all,
 * carries it out as soon as that part has returned.
 */
#ifndef APHORISMD_WISH_H
#define APHORISMD_WISH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"

enum { WISH_AT_ONCE = 2, WISH_LATE_US = CLOCK_S };

extern struct wish {
	bool stop;                        /* one that has not been carried out yet */
	int stopping;                     /* how urgently, from the first one on: 0 (not at all), 1, WISH_AT_ONCE */
	bool reload;                      /* kept until none is under way: those that are wished meanwhile are one */
	uint64_t recheck_until_us;        /* have workers recheck on each turn, and once after that; 0: need not */
} wish;

/* The daemon is to stop: gracefully (1), or at once (WISH_AT_ONCE, or when that is wished a second time). */
void wish_stop(int urgency);

/*
 * Workers are to recheck their listeners up to that time, and once after it, as somebody may be queued of whom another
 * one was told: see worker_listens_no_more().  Later than now by WISH_LATE_US where it is not known when the kernel
 * tells the next one.
 */
void wish_recheck(uint64_t until_us);

#endif
