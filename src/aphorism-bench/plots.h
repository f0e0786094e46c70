/*
 * plots.h - the pictures of a report.
 *
 * Each writes one to the page, with the models in the order and the colours that they have everywhere; nothing when
 * there is too little to be drawn.  They return EX_OK, or what picture_end() returns.
 */
#ifndef BENCH_PLOTS_H
#define BENCH_PLOTS_H

#include "aphorism-bench/picture.h"
#include "aphorism-bench/cell.h"

struct plots {
	const struct record *record;
	FILE *page;
	struct picture picture;           /* the one being drawn */
	double least, most;               /* of its points */
};

/* Answers a second over the numbers of connections of the block's scenario: nothing when there is only one. */
int plots_throughput(struct plots *, const struct cell *block);

/* Response time over percentiles. */
int plots_latency(struct plots *, const struct cell *block);

/* Bars: the server's CPU time for an answer; its memory for a connection. */
int plots_cpu(struct plots *, const struct cell *block);
int plots_memory(struct plots *, const struct cell *block);

/* Jain's index in all scenarios, each at its largest number of connections. */
int plots_fairness(struct plots *);

#endif
