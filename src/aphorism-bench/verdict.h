/*
 * verdict.h - who is better.  Pure functions of a record.
 */
#ifndef BENCH_VERDICT_H
#define BENCH_VERDICT_H

#include <stdbool.h>

#include "aphorism-bench/cell.h"

/*
 * What a cell is among those of the same scenario and number of connections.  Compared are the intervals of the figure
 * that the scenario is about (answers a second, or the 99th percentile): only ones that do not overlap tell a
 * difference.
 */
enum standing {
	VERDICT_ALONE,                    /* nothing to compare it with */
	VERDICT_VOID,                     /* the generator was the bottleneck: it is at least as good as it looks */
	VERDICT_STARVES,                  /* a client was never served: nothing else counts */
	VERDICT_FAILS,                    /* wrong answers, or more errors than the scenario excuses */
	VERDICT_BEHIND,                   /* another one is better */
	VERDICT_TIE,                      /* none is better, but some may be as good */
	VERDICT_BEST,                     /* better than every other one that serves all */
};
enum standing verdict_standing(const struct cell *);

/* Errors of all kinds. */
uint64_t verdict_errors(const struct cell *);

/* Whether clients waited in vain; no other figure of such a cell says anything. */
bool verdict_starves(const struct cell *);

/* Whether the model did what it is for: every client served, no more errors than the scenario excuses. */
bool verdict_serves(const struct cell *);

#endif
