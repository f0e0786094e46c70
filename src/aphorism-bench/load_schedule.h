/*
 * load_schedule.h - when the questions of an open loop arrive, and to whom: fixed beforehand by rate and seed,
 * whatever the server does.  Every thread runs through the whole schedule and takes the arrivals of its own clients.
 */
#ifndef BENCH_LOAD_SCHEDULE_H
#define BENCH_LOAD_SCHEDULE_H

#include <stdint.h>

#include "aphorism-bench/load.h"

struct load_schedule {
	uint64_t next_ns;                 /* of the next arrival of this thread; UINT64_MAX: a closed loop has none */
	uint32_t client;                  /* whose it is: its number within the crowd */

	const struct crowd *crowd;
	uint32_t thread, threads;         /* client % threads == thread is one of ours */
	uint32_t burst_left;              /* arrivals still to come at the same time */
	double gap_ns, at_ns;             /* at_ns: since start_ns, a double so that rounding does not add up */
	uint64_t start_ns, random;
};

/* Starts at the first arrival of this thread. */
void load_schedule_start(struct load_schedule *, const struct crowd *, uint32_t thread, uint32_t threads,
                         uint64_t seed, uint64_t start_ns);

/* Goes on to the next one. */
void load_schedule_advance(struct load_schedule *);

#endif
