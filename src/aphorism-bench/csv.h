/*
 * csv.h - the cells of a record as comma-separated values, quoted as RFC 4180 has it: a line of names, then a line
 * per cell.
 */
#ifndef BENCH_CSV_H
#define BENCH_CSV_H

#include "aphorism-bench/cell.h"

/*
 * Writes them to a file ("-" is standard output), which appears as a whole or not at all; a figure that could not be
 * read is an empty field.  Returns EX_OK, or EX_CANTCREAT after one line that says file and reason.
 */
int csv_write(const struct record *, const char *file);

#endif
