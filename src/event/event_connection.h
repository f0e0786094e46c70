/*
 * event_connection.h - one connection of the event pump: a conversation, and what two events leave between them.
 *
 * A connection is named by its slot.  Nothing here blocks; each call may end with the connection closed.
 *
 *   READS     input, or the deadline -----+             +-- all is answered -----------------------> READS
 *   SENDS     the engine has sent it all -+             +-- the engine puts a send off ------------> SENDS
 *   WRITES    it is all taken ------------+-> goes on --+-- not all is taken, or its turn is over -> WRITES
 *   PAYS      the answer is due ----------+             +-- an answer has a price -----------------> PAYS
 *   PAYS_UNWATCHED   the same ------------+             +-- LINGER --------------------------------> LINGERS
 *                                                       +-- CLOSE, in a drain with bytes unsent ---> LEAVES
 *                                                       +-- CLOSE; a client is turned away --------> NONE
 *
 * SENDS becomes WRITES when not all was taken, and PAYS PAYS_UNWATCHED when the client has gone.  LINGERS ends (NONE)
 * at the client's end, after 64 KiB or a second; LEAVES when the last byte has arrived.  WRITES and LEAVES end when no
 * byte was taken for timeouts.write; all but PAYS and LEAVES when the connection turns out to be lost.
 */
#ifndef EVENT_EVENT_CONNECTION_H
#define EVENT_EVENT_CONNECTION_H

#include "event/event_pump.h"

enum event_state {
	EVENT_NONE,
	EVENT_READS,
	EVENT_SENDS,                      /* the engine has the output, and will say how much of it was taken */
	EVENT_WRITES,                     /* it goes on when there is room to send; nothing is read meanwhile */
	EVENT_PAYS,                       /* an answer waits until it is due */
	EVENT_PAYS_UNWATCHED,             /* the same, and the client has gone meanwhile: the send will find out */
	EVENT_LINGERS,                    /* dropping input until the client's end */
	EVENT_LEAVES,                     /* drained: closes when the last byte has arrived */
};

struct event_connection {
	struct conversation conversation;
	struct event_parked *parked;      /* what is left of input and output; NULL for nothing */
	uint64_t until_us;                /* PAYS: since; LINGERS: end; WRITES, LEAVES: cut unless a byte is taken */
	int unsent;                       /* WRITES, LEAVES: what the client had not taken; LINGERS: bytes dropped */
	uint8_t state, family;
};
_Static_assert(sizeof(struct event_connection) <= 56, "an idle connection and its slot are to cost 128 bytes");

/* A conversation begins; to watch the connection is the caller's. */
void event_connection_begin(struct event_pump *, const struct connection *);

/* Its first words, unasked; unless a PROXY header is still to come. */
void event_connection_greet(struct event_pump *, uint32_t slot);

/* Does what an event allows. */
void event_connection_handle(struct event_pump *, const struct event *);

/* PAYS: the answer is due. */
void event_connection_paid(struct event_pump *, uint32_t slot);

/* READS: the deadline is over.  What was received by now still counts, then the conversation is judged. */
void event_connection_expire(struct event_pump *, uint32_t slot);

/* Closes it, without a word; the second also counts and logs that the client takes no answer. */
void event_connection_close(struct event_pump *, uint32_t slot);
void event_connection_time_out(struct event_pump *, uint32_t slot);

#endif
