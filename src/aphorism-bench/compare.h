/*
 * compare.h - the subcommand `compare`: all models of aphorismd, in turns, under all scenarios.
 */
#ifndef BENCH_COMPARE_H
#define BENCH_COMPARE_H

#include "aphorism-bench/options.h"

/*
 * Returns an exit status: 0; 1 wrong or missing answers; 64; 69 no aphorismd, or it does not start; 71; 73; 75
 * interrupted. Whatever it is, what was measured by then is printed, and nothing that was started still runs.
 */
int compare_main(const struct options *);

#endif
