/*
 * nearest.h - "did you mean": the nearest of some known names.
 */
#ifndef COMMON_NEAREST_H
#define COMMON_NEAREST_H

#include <stddef.h>

/*
 * Compares names one by one.  Start with { .name = what was typed }, offer each known name (kept, not copied), then
 * read best: NULL when none is near (distance at most a third of the length, at least 2).  The distance is
 * Damerau-Levenshtein's (optimal string alignment), names longer than 63 bytes are never near.
 */
struct nearest {
	const char *name;
	const char *best;
	size_t distance;
};
void nearest_offer(struct nearest *, const char *known);

#endif
