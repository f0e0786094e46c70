/*
 * load_timers.c - who is to be woken next: a binary heap.
 */
#include "aphorism-bench/load_timers.h"

#include <stdlib.h>

int load_timers_init(struct load_timers *timers, uint32_t most)
{
	timers->count = 0;
	timers->heap = calloc((size_t)most + 1, sizeof *timers->heap);
	return timers->heap ? 0 : -1;
}

void load_timers_free(struct load_timers *timers)
{
	free(timers->heap);
	timers->heap = NULL;
}

static void put(struct load_timers *timers, struct load_timer *timer, uint32_t position)
{
	timers->heap[position] = timer;
	timer->position = position;
}

static void rise(struct load_timers *timers, struct load_timer *timer)
{
	uint32_t position = timer->position;

	while (position > 1 && timers->heap[position / 2]->due_ns > timer->due_ns) {
		put(timers, timers->heap[position / 2], position);
		position /= 2;
	}
	put(timers, timer, position);
}

static void sink(struct load_timers *timers, struct load_timer *timer)
{
	uint32_t position = timer->position, child;

	while ((child = 2 * position) <= timers->count) {
		if (child < timers->count && timers->heap[child + 1]->due_ns < timers->heap[child]->due_ns)
			child++;
		if (timers->heap[child]->due_ns >= timer->due_ns)
			break;
		put(timers, timers->heap[child], position);
		position = child;
	}
	put(timers, timer, position);
}

void load_timers_set(struct load_timers *timers, struct load_timer *timer, uint64_t due_ns)
{
	timer->due_ns = due_ns;
	if (timer->position == 0)
		put(timers, timer, ++timers->count);
	rise(timers, timer);
	sink(timers, timer);
}

struct load_timer *load_timers_take(struct load_timers *timers, uint64_t now_ns)
{
	struct load_timer *first, *last;

	if (load_timers_next_ns(timers) > now_ns)
		return NULL;
	first = timers->heap[1];
	last = timers->heap[timers->count--];
	if (last != first) {
		last->position = 1;
		sink(timers, last);
	}
	first->position = 0;
	return first;
}
