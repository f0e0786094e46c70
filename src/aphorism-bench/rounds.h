/*
 * rounds.h - the rounds of one cell, until they become its figures.
 */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

#include "aphorism-bench/cell.h"
#include "aphorism-bench/load.h"

/* What the server's processes took for one round, the warm-up left out. */
struct cost {
	double cpu_us, system_share, switches;    /* NaN: not known */
	uint32_t processes, threads;
	uint64_t rss_bytes, pss_bytes;            /* 0: not known */
	uint64_t idle_pss_bytes;                  /* before the first connection */
};

struct rounds;

/*
 * Room for the rounds of a model under a scenario (names are copied) and the crowd whose figures count.  Returns NULL
 * when there is no memory; to be freed by rounds_free().
 */
struct rounds *rounds_new(const char *model, const char *scenario, const struct crowd *);
void rounds_free(struct rounds *);

/* Adds a round: of its crowds the first one counts.  The cost is NULL where the server can't be watched. */
void rounds_add(struct rounds *, const struct load_result *, const struct cost *);

/* Rounds that were added. */
uint32_t rounds_count(const struct rounds *);

/* Makes the figures; more rounds can follow. */
void rounds_fill(const struct rounds *, struct cell *);

/*
 * The median and its 95 % confidence interval.  From 6 values on that lies between two of them (the order statistics
 * of the binomial distribution): no distribution is assumed, and a few wild values don't move it.  Fewer can't tell so
 * much: then it is Student's, as wide as it has to be.  Leaves out values that are NaN; sorts the array.
 */
struct figure rounds_figure(double *values, size_t count);

#endif
