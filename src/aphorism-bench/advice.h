/*
 * advice.h - which model for which workload, why, and what to write into the configuration.  Pure functions of a
 * record.
 */
#ifndef BENCH_ADVICE_H
#define BENCH_ADVICE_H

#include <stdio.h>

#include "aphorism-bench/cell.h"

/* Which model for a workload, by the first rule that tells a difference. */
struct advice {
	char workload[96];
	char model[CELL_NAME];            /* empty: none will do */
	char reason[256];                 /* the rule that decided, with its figures */
	char lines[128];                  /* of aphorismd.conf, each ended by a newline */
};

enum { ADVICE_MOST = 24 };                /* more are never given */

/*
 * Gives advice for each workload of the record, at most so many; nothing when it holds a single model.  Returns how
 * many.
 */
size_t advice_make(const struct record *, struct advice *, size_t most);

/* The same as text for a terminal. */
void advice_print(const struct record *, FILE *);

#endif
