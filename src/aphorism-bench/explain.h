/*
 * explain.h - the subcommand `explain`: what the manual says of a model, and what was measured of it.
 */
#ifndef BENCH_EXPLAIN_H
#define BENCH_EXPLAIN_H

#include "aphorism-bench/options.h"

/* Returns an exit status: 0; 64 no such model; 66, 65 the file with the figures. */
int explain_main(const struct options *);

#endif
