/*
 * histogram.c - how often which value came: exact counts in buckets.
 */
#include "common/histogram.h"

#include <math.h>

void histogram_merge(struct histogram *h, const struct histogram *other)
{
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		h->buckets[i] += other->buckets[i];
	h->count += other->count;
	if (other->largest > h->largest)
		h->largest = other->largest;
}

static double bucket_middle(size_t bucket)
{
	uint64_t first = histogram_first(bucket, HISTOGRAM_BITS);

	return (double)first + (double)(histogram_first(bucket + 1, HISTOGRAM_BITS) - first - 1) / 2;
}

double histogram_percentile(const struct histogram *h, double percent)
{
	double wanted = (double)h->count * percent / 100;
	uint64_t rank = (uint64_t)wanted, seen = 0;
	size_t bucket = 0;

	if (h->count == 0)
		return NAN;
	if ((double)rank < wanted || rank == 0)
		rank++;
	if (rank >= h->count)
		return (double)h->largest;
	while ((seen += h->buckets[bucket]) < rank)
		bucket++;
	return bucket_middle(bucket) < (double)h->largest ? bucket_middle(bucket) : (double)h->largest;
}
