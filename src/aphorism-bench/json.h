/*
 * json.h - a record as a JSON file, which aphorism-bench(1) describes.
 *
 * A figure that could not be read is null: in memory a double is then NaN, and a number of processes, threads or
 * bytes 0.
 */
#ifndef BENCH_JSON_H
#define BENCH_JSON_H

#include "aphorism-bench/cell.h"

/*
 * Writes the record to a file ("-" is standard output), which appears as a whole or not at all.  Returns EX_OK, or
 * EX_CANTCREAT after one line that says file and reason.
 */
int json_write(const struct record *, const char *file);

/*
 * Reads and checks one ("-" is standard input); the record is then to be freed by record_free().  Returns EX_OK, or
 * after one line that says file and reason EX_NOINPUT (it cannot be read) or EX_DATAERR (it is no record, or not of
 * this schema).
 */
int json_read(struct record *, const char *file);

/* Frees the cells and empties the record. */
void record_free(struct record *);

#endif
