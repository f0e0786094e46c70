/*
 * table.h - a record for a reader at a terminal.
 */
#ifndef BENCH_TABLE_H
#define BENCH_TABLE_H

#include <stdio.h>

#include "aphorism-bench/cell.h"

/*
 * Prints a block for each scenario and number of connections with a row for each model, in the order in which the
 * record names them, and a line for each kind of error that occurred; as wide as the terminal that is written to.
 */
void table_print(const struct record *, FILE *);

#endif
