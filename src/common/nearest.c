/*
 * nearest.c - "did you mean": the nearest of some known names.
 */
#include "common/nearest.h"

#include <string.h>

enum { LONGEST = 63 };

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Optimal string alignment: insert, delete, replace and swap of neighbours cost 1 each.  Both at most LONGEST
 * bytes.
 */
static size_t distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t rows[3][LONGEST + 1];
	size_t *before = rows[0], *above = rows[1], *row = rows[2];

	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t *oldest = before;

		before = above;
		above = row;
		row = oldest;
		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			row[j] = min(min(above[j], row[j - 1]) + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = min(row[j], before[j - 2] + 1);
		}
	}
	return row[b_len];
}

void nearest_offer(struct nearest *nearest, const char *known)
{
	size_t name_len = strlen(nearest->name), known_len = strlen(known), limit, found;

	if (name_len > LONGEST || known_len > LONGEST)
		return;
	limit = name_len / 3 > 2 ? name_len / 3 : 2;
	found = distance(nearest->name, name_len, known, known_len);
	if (found > limit || (nearest->best && found >= nearest->distance))
		return;
	nearest->best = known;
	nearest->distance = found;
}
