/*
 * run.h - the subcommand `run`: loads a server that is up.
 */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include "aphorism-bench/options.h"

/*
 * Returns an exit status: 0; 1 wrong or missing answers; 68 no such host; 69 no server, or no resolver that tells where
 * it is; 71; 73; 75 interrupted.
 */
int run_main(const struct options *);

#endif
