/*
 * column.h - the figures that table and report show of a cell.
 */
#ifndef BENCH_COLUMN_H
#define BENCH_COLUMN_H

#include "aphorism-bench/show.h"

struct column {
	const char *name, *meaning;
	int width;
	int rank;                         /* what a narrow terminal shows first: 1 before 2 */
	char *(*show)(char *to, const struct cell *);     /* as in show.h */
};

/* In the order in which they stand.  Ends with a row without a name. */
extern const struct column columns[];

#endif
