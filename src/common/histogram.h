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
	HISTOGRAM_DOUBLINGS = 34,         /* buckets end at 2^42 - 1: in ns, 73 minutes; the last takes all beyond */
	HISTOGRAM_BUCKETS = (HISTOGRAM_DOUBLINGS + 1) << HISTOGRAM_BITS,
};

struct histogram {
	uint64_t count;
	uint64_t largest;                 /* exact, however large */
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

/*
 * Where a value belongs among 2^bits buckets to each doubling: small ones have a bucket each, then the leading bits
 * choose.
 */
static inline size_t histogram_bucket_of(uint64_t value, unsigned bits, unsigned doublings)
{
	unsigned shift;

	if (value >> (bits + doublings))
		return ((size_t)(doublings + 1) << bits) - 1;
	if (value >> bits == 0)
		return (size_t)value;
	shift = (unsigned)(63 - __builtin_clzll(value)) - bits;
	return ((size_t)shift << bits) + (size_t)(value >> shift);
}

/* The least value that belongs there. */
static inline uint64_t histogram_first(size_t bucket, unsigned bits)
{
	size_t shift = bucket >> bits;

	return shift == 0 ? bucket : (uint64_t)(bucket - ((shift - 1) << bits)) << (shift - 1);
}

static inline size_t histogram_bucket(uint64_t value)
{
	return histogram_bucket_of(value, HISTOGRAM_BITS, HISTOGRAM_DOUBLINGS);
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
