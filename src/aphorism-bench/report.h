/*
 * report.h - a record as one HTML file that needs nothing else: pictures by gnuplot, tables, and the verdict.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

#include "aphorism-bench/cell.h"
#include "aphorism-bench/options.h"

/*
 * Writes the report to a file ("-" is standard output), which appears as a whole or not at all.  Runs gnuplot and
 * waits for it.  Returns EX_OK, or after one line of reason EX_UNAVAILABLE (no gnuplot, or it fails), EX_CANTCREAT or
 * EX_IOERR.
 */
int report_write(const struct record *, const char *file);

/* Whether that would be possible: as out_try(), and there must be a gnuplot. */
int report_try(const char *file);

/*
 * The subcommand: reads the JSON file, shows the table, and writes the files that the options name, or when they name
 * none the report beside it, with .html in place of .json.  Returns an exit status.
 */
int report_main(const struct options *);

#endif
