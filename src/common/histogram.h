/*
 * histogram.h - how often which value came: exact counts in buckets whose width grows with the value.
 *
 * 256 buckets to each doubling: what is read from it is within 0.2 % of what was added.  Plain memory without a
 * pointer, so it can be copied, merged, or live in shared memory (one writer); all zero is an empty one.  Nothing
 * here blocks.
 */
#ifndef COMMON_HISTOGRAM_H
#define COMMON_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
	HISTOGRAM_BITS = 8,
	HISTOGRAM_DOUBLINGS = 34,         /* buckets end at 2^42 - 1: in ns, 73 minutes; beyond it all falls into the last */
	HISTOGRAM_BUCKETS = (HISTOGRAM_DOUBLINGS + 1) << HISTOGRAM_BITS,
};

struct histogram {
	uint64_t count;
	uint64_t largest;                 /* exact, however large */
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

/* Where a value belongs: small ones have a bucket each, then the leading bits choose. */
static inline size_t histogram_bucket(uint64_t value)
{
	unsigned shift;

	if (value >> (HISTOGRAM_BITS + HISTOGRAM_DOUBLINGS))
		return HISTOGRAM_BUCKETS - 1;
	if (value < 1u << HISTOGRAM_BITS)
		return (size_t)value;
	shift = (unsigned)(63 - __builtin_clzll(value)) - HISTOGRAM_BITS;
	return ((size_t)shift << HISTOGRAM_BITS) + (size_t)(value >> shift);
}

static inline void histogram_add(struct histogram *h, uint64_t value, uint64_t times)
{
	h->buckets[histogram_bucket(value)] += times;
	h->count += times;
	if (value > h->largest)
		h->largest = value;
}

/* Adds all that the other one has seen. */
void histogram_merge(struct histogram *, const struct histogram *other);

/*
 * The value that so many percent of all values do not exceed: the middle of its bucket, and never more than the largest
 * value, which is what 100 gives, exactly.  NaN when nothing was added.
 */
double histogram_percentile(const struct histogram *, double percent);

#endif
