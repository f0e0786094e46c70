/*
 * latency.c - how long something took how often: a small histogram.
 */
#include "common/latency.h"

uint64_t latency_count(const struct latency *latency)
{
	uint64_t count = 0;

	for (size_t i = 0; i < LATENCY_BUCKETS; i++)
		count += latency->buckets[i];
	return count;
}

uint64_t latency_percentile_ns(const struct latency *latency, unsigned percent)
{
	uint64_t count = latency_count(latency), seen = 0, middle_ns;
	/* not count * percent, which could wrap */
	uint64_t rank = count / 100 * percent + (count % 100 * percent + 99) / 100;
	size_t bucket = 0;

	if (count == 0)
		return 0;
	if (percent >= 100)
		return latency->largest_ns;
	while (bucket < LATENCY_BUCKETS - 1 && (seen += latency->buckets[bucket]) < rank)
		bucket++;
	middle_ns = (latency_first_ns(bucket) + latency_first_ns(bucket + 1)) / 2;
	return middle_ns < latency->largest_ns ? middle_ns : latency->largest_ns;
}
