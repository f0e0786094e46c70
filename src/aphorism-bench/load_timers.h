/*
 * load_timers.h - who is to be woken next: a binary heap of entries that live in what they wake.
 */
#ifndef BENCH_LOAD_TIMERS_H
#define BENCH_LOAD_TIMERS_H

#include <stdint.h>

struct load_timer {
	uint64_t due_ns;
	uint32_t position;                /* in the heap, from 1 on; 0: not set */
};

struct load_timers {
	struct load_timer **heap;         /* heap[0] is unused */
	uint32_t count;
};

/* Room for so many timers, all of which may be set at once.  Returns 0, or -1 without memory. */
int load_timers_init(struct load_timers *, uint32_t most);
void load_timers_free(struct load_timers *);

/* Sets a timer, or moves one that is set. */
void load_timers_set(struct load_timers *, struct load_timer *, uint64_t due_ns);

/* Takes the earliest one out if it is due by now; else NULL. */
struct load_timer *load_timers_take(struct load_timers *, uint64_t now_ns);

/* When the earliest one is due; UINT64_MAX when none is set. */
static inline uint64_t load_timers_next_ns(const struct load_timers *timers)
{
	return timers->count > 0 ? timers->heap[1]->due_ns : UINT64_MAX;
}

#endif
