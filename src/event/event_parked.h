/*
 * event_parked.h - what an event leaves undone of a connection's input and output, on the heap until the next one.
 *
 * The next one goes on in there: what is long is copied once, not once for each event, and the room for more input is
 * doubled.  There is input or output or both, and no more input comes before the output has been taken.
 */
#ifndef EVENT_EVENT_PARKED_H
#define EVENT_EVENT_PARKED_H

#include "protocol/conversation.h"

struct event_parked {
	uint64_t came_ns;                 /* the input */
	uint64_t begun_ns;                /* the work on it: the pump's to set */
	struct bytes in;
	uint32_t out_at, out_len;         /* the output, in the block */
	uint32_t size;                    /* of the block */
	char block[];
};

/* Each of these may move *parked, which is NULL at first.  Those that return bool are false without memory. */

/* Takes over a buffer's input. */
bool event_parked_put_input(struct event_parked **, const struct bytes *in, uint64_t came_ns);

/* Moves input of a few bytes, with no output, back to the beginning of a buffer: to go on here pays for long ones. */
void event_parked_return_few(struct event_parked **, struct bytes *in);

/* Behind the input comes more, of which there will never be more than `most` bytes. */
bool event_parked_add_input(struct event_parked **, struct span more, uint32_t most, uint64_t came_ns);

/* Output that is still to be sent; there was none. */
bool event_parked_put_output(struct event_parked **, struct span out);

/* The output: empty for none. */
struct span event_parked_output(const struct event_parked *);

/* So much of it was sent. */
void event_parked_sent(struct event_parked *, uint32_t len);

/* Gives memory back that is not used, or all. */
void event_parked_trim(struct event_parked **);
void event_parked_drop(struct event_parked **);

#endif
