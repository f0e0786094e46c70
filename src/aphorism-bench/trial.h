/*
 * trial.h - one model, one scenario, one number of connections, once: a fresh daemon, the load, and what it cost.
 *
 * Each trial has a daemon of its own: what one load leaves behind (grown pools, memory at its high-water mark,
 * connections that are being ended) is nothing that the next one's figures should be made of.
 */
#ifndef BENCH_TRIAL_H
#define BENCH_TRIAL_H

#include <signal.h>

#include "aphorism-bench/contestant.h"
#include "aphorism-bench/load.h"
#include "aphorism-bench/rounds.h"
#include "aphorism-bench/scenario.h"

struct trial {
	const struct program *program;
	const char *model;
	const struct scenario *scenario;
	uint32_t connections;
	uint32_t threads;                 /* of the generator */
	uint64_t warmup_us, duration_us, timeout_us, seed;
	const volatile sig_atomic_t *interrupted;
	void (*progress)(void *arg, double share);        /* about ten times a second */
	void *arg;
};

/* The load's crowds, the first of which is the one whose figures count. */
void trial_crowds(const struct scenario *, uint32_t connections, struct crowd crowds[LOAD_CROWDS]);

/*
 * Blocks for about warmup_us + duration_us and the time that the daemon takes to start and stop; nothing runs
 * afterwards. Returns EX_OK, or an exit status with the reason in one line; EX_SOFTWARE when there are figures, but
 * the daemon ended badly.
 */
int trial_run(const struct trial *, struct load_result *, struct cost *, char reason[CONTESTANT_REASON]);

#endif
