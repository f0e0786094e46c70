/*
 * publish.h - what every record gets: the conditions it was made under, and the ways out that the options name.
 */
#ifndef BENCH_PUBLISH_H
#define BENCH_PUBLISH_H

#include "aphorism-bench/cell.h"
#include "aphorism-bench/options.h"

/*
 * Whether the files asked for can be written, to be known before a long measurement.  Returns EX_OK, or an exit
 * status after one line of reason.
 */
int publish_try(const struct options *);

/* Fills in version, machine, kernel, cpus, memory, date, seed and command; the rest is the caller's. */
void publish_conditions(struct record *, const struct options *);

/*
 * Prints table and verdict on standard output (on standard error when a file is to go there) and writes the files
 * asked for.  Returns EX_OK, or the first failure's exit status, told on standard error; the other files are written
 * all the same.
 */
int publish_record(const struct record *, const struct options *);

#endif
