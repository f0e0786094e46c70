/*
 * capture.h - runs a program and reads what it says.
 */
#ifndef BENCH_CAPTURE_H
#define BENCH_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Runs argv[0], looked for on PATH if it has no slash, and keeps its standard output, as a string and cut if it is
 * longer; standard error is thrown away.  Blocks until the program ends; one that has not ended in time is killed.
 * Returns its exit status, or -1 when it could not be run or did not end by itself.
 */
int capture(const char *const argv[], char *to, size_t size, uint64_t timeout_us);

#endif
