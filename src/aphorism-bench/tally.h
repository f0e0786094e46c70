/*
 * tally.h - the rounds of one cell, until they become its figures.
 */
#ifndef BENCH_TALLY_H
#define BENCH_TALLY_H

#include "aphorism-bench/cell.h"
#include "aphorism-bench/load.h"

/* What the server's processes took for one round, the warm-up left out. */
struct cost {
	double cpu_us, system_share, switches;    /* NaN: not known */
	uint32_t processes, threads;
	uint64_t rss_bytes, pss_bytes;            /* 0: not known */
	uint64_t idle_pss_bytes;                  /* before the first connection */
};

struct tally;

/*
 * An empty one for a model under a scenario (names are copied) and the crowd whose figures count.  Returns NULL when
 * there is no memory; to be freed by tally_free().
 */
struct tally *tally_new(const char *model, const char *scenario, const struct crowd *);
void tally_free(struct tally *);

/* Adds a round: of its crowds the first one counts.  The cost is NULL where the server can't be watched. */
void tally_add(struct tally *, const struct load_result *, const struct cost *);

/* Rounds that were added. */
uint32_t tally_rounds(const struct tally *);

/* Makes the figures; the tally can go on. */
void tally_fill(const struct tally *, struct cell *);

/*
 * The median and its 95 % confidence interval.  From 6 values on that lies between two of them (the order statistics
 * of the binomial distribution): no distribution is assumed, and a few wild values don't move it.  Fewer can't tell so
 * much: then it is Student's, as wide as it has to be.  Leaves out values that are NaN; sorts the array.
 */
struct figure tally_figure(double *values, size_t count);

#endif
