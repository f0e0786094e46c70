/*
 * event_due.c - a binary heap of slots.
 */
#include "event/event_due.h"

#include "worker/worker.h"

void event_due_open(struct event_due *due, uint32_t slots)
{
	*due = (struct event_due){ .heap = worker_reserve(slots, sizeof *due->heap) };
}

void event_due_add(struct event_due *due, uint32_t slot, uint64_t us)
{
	uint32_t i = due->count++;

	for (; i > 0 && due->heap[(i - 1) / 2].us > us; i = (i - 1) / 2)
		due->heap[i] = due->heap[(i - 1) / 2];
	due->heap[i] = (struct event_due_at){ us, slot };
}

uint32_t event_due_take(struct event_due *due)
{
	uint32_t first = due->heap[0].slot, i = 0, below;
	struct event_due_at last = due->heap[--due->count];

	for (; (below = 2 * i + 1) < due->count; i = below) {
		if (below + 1 < due->count && due->heap[below + 1].us < due->heap[below].us)
			below++;
		if (due->heap[below].us >= last.us)
			break;
		due->heap[i] = due->heap[below];
	}
	due->heap[i] = last;
	return first;
}
