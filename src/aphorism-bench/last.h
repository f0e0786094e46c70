/*
 * last.h - where the figures of the last comparison are kept, for `explain`.
 */
#ifndef BENCH_LAST_H
#define BENCH_LAST_H

#include <limits.h>
#include <stdbool.h>

#include "aphorism-bench/cell.h"

/*
 * $XDG_STATE_HOME/aphorism-bench/last.json, by default ~/.local/state/...; makes the folders if asked to.  Returns
 * false when there is no such place.
 */
bool last_path(char path[PATH_MAX], bool make);

/* Keeps a record there, whole or not at all.  Where that can't be done it says so in one line: a comparison goes on. */
void last_keep(const struct record *);

#endif
