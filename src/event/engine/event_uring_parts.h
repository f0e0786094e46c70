/*
 * event_uring_parts.h - what the files of the engine io_uring share among themselves.
 *
 *   event_uring.c         what is watched, what is sent, events, opening
 *   event_uring_input.c   what is received, and kept until it is wanted
 */
#ifndef ENGINE_EVENT_URING_PARTS_H
#define ENGINE_EVENT_URING_PARTS_H

#include "event/event_pump.h"

#ifdef HAVE_LIBURING

#include "event/engine/event_ring.h"

/* What an order is about: in its user_data, above the slot and below its turn. */
enum order { ORDER_NONE, ORDER_RECEIVE, ORDER_AGAIN, ORDER_POLL, ORDER_WATCH, ORDER_SEND, ORDER_SEND_TOO };

/* The ring's side of a connection. */
struct side {
	struct early *early;              /* what came while it was not wanted */
	char *output;                     /* of a send on its way */
	uint32_t output_len;
	int sent;                         /* all, unless we hear otherwise */
	uint32_t turn;                    /* counts its connections: what is late concerns another one */
	int end;                          /* after what came early: -errno, 1 for the client's end, or 0 */
	uint8_t wants;                    /* enum event_want */
	bool receiving, stopping;
};

struct event_uring {
	struct event_pump *pump;
	struct event_ring ring;
	struct side *side;                /* by slot */
	struct span came;                 /* with the event at hand, in a buffer that is provided again after it */
	uint32_t came_for, came_in;
};

extern struct event_uring event_uring_own;

static inline bool event_uring_has_kept(const struct side *side)
{
	return side->early || side->end;
}

/* The user_data of an order, with the turn that it belongs to. */
static inline uint64_t event_uring_name_of(enum order kind, uint32_t what, uint32_t turn)
{
	return (uint64_t)(turn & 0xffffff) << 40 | (uint64_t)kind << 32 | what;
}

/* That of an order about a connection. */
static inline uint64_t event_uring_name(enum order kind, uint32_t slot)
{
	return event_uring_name_of(kind, slot, event_uring_own.side[slot].turn);
}

/* Takes an order back. */
static inline void event_uring_withdraw(uint64_t name)
{
	struct io_uring_sqe *sqe = event_ring_order(&event_uring_own.ring);

	io_uring_prep_cancel64(sqe, name, 0);
	event_ring_say_nothing(sqe);
}

/* A connection wants input from now on. */
void event_uring_want_input(uint32_t slot);

/* Withdraws its order to receive, if there is one. */
void event_uring_stop_receiving(uint32_t slot);

/* The order to receive has this result; what came is at hand.  Returns whether that is an event. */
bool event_uring_has_received(uint32_t slot, int result, bool goes_on);

/* As an engine's receive(): what is at hand, or was kept. */
ssize_t event_uring_receive(uint32_t slot);

#endif

#endif
