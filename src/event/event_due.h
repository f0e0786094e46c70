/*
 * event_due.h - whose answers are due when: a queue of slots by time.
 *
 * Nothing here blocks or allocates once it is open.
 */
#ifndef EVENT_EVENT_DUE_H
#define EVENT_EVENT_DUE_H

#include <stdint.h>

/* A binary heap (Knuth, The Art of Computer Programming, 5.2.3), the earliest on top. */
struct event_due {
	struct event_due_at {
		uint64_t us;
		uint32_t slot;
	} *heap;
	uint32_t count;
};

/* Room for so many, of which only what is used costs anything.  Ends the process when there is none. */
void event_due_open(struct event_due *, uint32_t slots);

/* When the first is due; UINT64_MAX for none. */
static inline uint64_t event_due_us(const struct event_due *due)
{
	return due->count > 0 ? due->heap[0].us : UINT64_MAX;
}

/* Puts a slot in, which must not be there; takes the first out, which there must be. */
void event_due_add(struct event_due *, uint32_t slot, uint64_t us);
uint32_t event_due_take(struct event_due *);

#endif
