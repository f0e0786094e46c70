/*
 * clock.h - the monotonic clock in microseconds.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

enum { CLOCK_MS = 1000, CLOCK_S = 1000000 };

static inline uint64_t clock_read_us(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * CLOCK_S + (uint64_t)t.tv_nsec / 1000;
}

/* Of two times, of which either may be UINT64_MAX for never. */
static inline uint64_t clock_earlier(uint64_t us, uint64_t other_us)
{
	return us < other_us ? us : other_us;
}

/* Exact to the microsecond. */
static inline uint64_t clock_now_us(void)
{
	return clock_read_us(CLOCK_MONOTONIC);
}

/* The same clock for what is measured rather than waited for. */
static inline uint64_t clock_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Exact to a tick of the kernel (1 to 10 ms), for a fraction of the price: good enough for time-outs. */
static inline uint64_t clock_coarse_us(void)
{
	return clock_read_us(CLOCK_MONOTONIC_COARSE);
}

#endif
