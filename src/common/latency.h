/*
 * latency.h - how long something took how often: a histogram small enough for one to each thread of a daemon.
 *
 * 8 buckets to each doubling, from 512 ns on: what is read from it is within 7 % of what was added.  Plain memory, all
 * zero is an empty one; the figures of many are added up.  Nothing here trusts them: whoever wrote them may have been
 * taken over.
 */
#ifndef COMMON_LATENCY_H
#define COMMON_LATENCY_H

#include "common/histogram.h"

enum {
	LATENCY_UNIT = 6,                 /* the least difference that is told, as a power of 2, in ns */
	LATENCY_BITS = 3,
	LATENCY_DOUBLINGS = 28,           /* to 2^37 ns: two minutes; all beyond that falls into the last bucket */
	LATENCY_BUCKETS = (LATENCY_DOUBLINGS + 1) << LATENCY_BITS,
};

struct latency {
	uint64_t sum_ns, largest_ns;
	uint64_t buckets[LATENCY_BUCKETS];
};

static inline size_t latency_bucket(uint64_t ns)
{
	return histogram_bucket_of(ns >> LATENCY_UNIT, LATENCY_BITS, LATENCY_DOUBLINGS);
}

/* The least latency that falls into a bucket, in ns; for LATENCY_BUCKETS the first that is beyond all of them. */
static inline uint64_t latency_first_ns(size_t bucket)
{
	return histogram_first(bucket, LATENCY_BITS) << LATENCY_UNIT;
}

/* How many were added. */
uint64_t latency_count(const struct latency *);

/*
 * The latency that so many percent do not exceed, in ns: the middle of its bucket, and never more than the largest; 0
 * when nothing was added.
 */
uint64_t latency_percentile_ns(const struct latency *, unsigned percent);

#endif
