/*
 * show.h - what is drawn rather than listed.
 */
#ifndef APHORISMCTL_SHOW_H
#define APHORISMCTL_SHOW_H

#include <stddef.h>

#include "aphorismctl/control.h"

/* Draws the lines of buckets, from the first on, as bars.  Returns how many lines these are. */
size_t show_histogram(const struct line *, size_t count);

/* Prints a finding, and below it the line that mends it.  Returns 1: it is one line of the answer. */
size_t show_finding(const struct line *);

#endif
