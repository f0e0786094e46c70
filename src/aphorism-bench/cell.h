/*
 * cell.h - what was measured of one model under one scenario at one number of connections; and a whole record of cells,
 * which is what a JSON file holds and what table, verdict and report are made from.
 */
#ifndef BENCH_CELL_H
#define BENCH_CELL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aphorism-bench/load.h"

enum {
	CELL_SCHEMA = 1, CELL_NAME = 32, CELL_CURVE = 24,
	CELL_MOST = 4096, CELL_NAMES = 32,        /* cells of a record; models, and scenarios, in it */
};

/* A figure over several rounds: its median and the 95 % confidence interval of that, NaN after a single round. */
struct figure {
	double value, low, high;
};

struct cell {
	char model[CELL_NAME], scenario[CELL_NAME];
	uint32_t connections, pipeline, rounds;
	double seconds;                   /* measured, over all rounds */
	uint64_t answers;                 /* over all rounds */
	double rate;                      /* asked of an open loop, 0 in a closed one */
	struct figure answers_per_second;
	double p50_us, p90_us, p99_us, p999_us, max_us;                       /* response time, rounds merged */
	struct figure tail_us;            /* the 99th percentile, round by round */
	double service_p50_us, service_p99_us;
	double curve_us[CELL_CURVE];      /* response time at cell_percentiles */
	uint32_t never_served;            /* the median round's: a machine's hiccup starves nobody */
	uint64_t longest_wait_us;
	double fairness;                  /* the worst round's */
	uint64_t errors[LOAD_ERRORS];
	uint64_t unasked;                 /* questions of an open loop that the generator did not come to */
	bool saturated;                   /* the generator was, or was held up: figures void */

	bool has_cost;                    /* the server's processes could be watched */
	struct figure cpu_us_per_answer;  /* of the whole process tree, reaped children counted */
	double system_share;              /* of that CPU time, in the kernel: 0..1 */
	double context_switches_per_answer;
	uint32_t processes, threads;      /* at most, while it served */
	uint64_t rss_bytes, pss_bytes;    /* of the whole tree, at most */
	double bytes_per_connection;      /* PSS above the idle server's, by connections */

	/* its place in the record, by view_arrange(): the first of the same; the next one, NULL when there is none */
	struct cell *model_first, *block_first, *next_in_block;
	struct cell *next_model, *next_scenario, *next_block;             /* of first ones: the next first one */
};

extern const double cell_percentiles[CELL_CURVE];         /* 0, 10, ... 99.99, 100: for the latency curves */

/* All of one run, and the conditions. */
struct record {
	char version[CELL_NAME];          /* aphorism-bench's */
	char server[64];                  /* "aphorismd 0.1.0", or the address for `run` */
	char machine[128];                /* CPU's name */
	char kernel[128];
	unsigned cpus;
	uint64_t memory_bytes, seed;
	char date[CELL_NAME];             /* ISO 8601, UTC */
	char command[512];
	bool complete;                    /* false: interrupted, or the server has gone */
	struct cell *cells;
	size_t cell_count;
};

#endif
