/*
 * conversation.h - one connection's dialogue: bytes in, bytes out.
 *
 * The one place that knows framing, limits and deadlines.  No file descriptor, no clock (time is an
 * argument), no allocation but what a protocol needs while it is asked: a pump (blocking or event-driven) lends it
 * buffers, moves the bytes, and does what it asks for.
 */
#ifndef PROTOCOL_CONVERSATION_H
#define PROTOCOL_CONVERSATION_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/protocol.h"
#include "protocol/proxy.h"

/* What all conversations of one listener share; const while any of them lives. */
struct service {
	const struct protocol *protocol;
	const void *data;                 /* the protocol's: its table */
	uint32_t greatest;                /* bytes of the greatest request */
	uint32_t max_questions;           /* per conversation; 0: no limit; of any protocol */
	uint64_t question_us, idle_us;    /* the two deadlines */
	bool costly;                      /* each answer must be paid for first: see CONVERSATION_PAY */
	bool proxied;                     /* a PROXY header comes first, within question_us: see CONVERSATION_MEET */
};

enum {
	CONVERSATION_IN = 16384,          /* a pump's input buffer: at least this and the greatest request */
	CONVERSATION_OUT = 16384,         /* its output buffer: this and the longest answer: any fits; less at first */
};
_Static_assert((int)PROXY_MOST < (int)CONVERSATION_IN, "a header fits, with room to read on");

enum conversation_state {
	CONVERSATION_READ,                /* all requests are answered: send what is in out, then read more */
	CONVERSATION_FLUSH,               /* no room for an answer: send out or lend more, call again; do not read */
	CONVERSATION_PAY,                 /* send out, let a cost pass, say conversation_paid(), call again */
	CONVERSATION_MEET,                /* take the PROXY header with conversation_meet(), call again; or close */
	CONVERSATION_LINGER,              /* send out, end the output, drop input to its end (bounded) */
	CONVERSATION_CLOSE,               /* send out, close */
};

/* Zero but for the service is a fresh one; conversation_init() does that. */
struct conversation {
	const struct service *service;
	uint64_t since_us;                /* when the present wait began: for a question's end or for any */
	uint64_t at;                      /* how far its protocol is with the present answer; at PAY the price, in us */
	uint32_t questions;               /* answered so far, wrapping */
	uint16_t unknown;                 /* of these the protocol had no answer to so many, wrapping */
	bool asking : 1;                  /* a question has begun */
	bool paid : 1;                    /* the next answer's cost has passed */
	bool ended : 1;                   /* the client has ended its input */
	bool unmet : 1;                   /* the PROXY header is still to come */
	bool resumes : 1;                 /* the quick kind: what the input holds was looked at before */
	bool skips : 1;                   /* the request in front of it is whole but for what is skipped */
	bool greets : 1;                  /* the greeting is not all said */
	bool malformed : 1;               /* what came is no request: why it is over */
	uint8_t over;                     /* CONVERSATION_LINGER or _CLOSE once that was said, else 0 */
};

void conversation_init(struct conversation *, const struct service *, uint64_t now_us);

/*
 * Answers what is complete in `in` and removes it, appends the answers to `out`, and says what comes next.
 * The bytes that stay in `in` are an unfinished question, moved to the buffer's beginning; or, at FLUSH and PAY, also
 * complete ones, which lie where they are; at READ there is always room in `in` for more.  What stays at CLOSE is the
 * unfinished question that the client's end cut off, at LINGER the one that was too long, or malformed: good for a
 * line in the log.  Called again after that it drops `in` and repeats itself.  While `unmet`, nothing but the PROXY
 * header is looked at; what stays at CLOSE is then a part of one, or something else.  Never blocks.
 */
enum conversation_state conversation_answer(struct conversation *, struct bytes *in, struct bytes *out,
                                            uint64_t now_us);

/* The same for protocols that compute their answers; wall_us is the time of day, for those with a clock. */
enum conversation_state conversation_compute(struct conversation *, struct bytes *in, struct bytes *out,
                                             uint64_t now_us, uint64_t wall_us);

/* The client's input has ended: later calls still answer complete requests, but not an unfinished one. */
void conversation_end(struct conversation *);

/* An answer has begun, and is not over: a part of it was said, or it has a price. */
static inline bool conversation_is_amid(const struct conversation *c)
{
	return c->at > 0;
}

/* At PAY: what this question costs of itself, in us; what every answer costs is the caller's to know. */
uint64_t conversation_price_us(const struct conversation *);

/* The cost that PAY asked for has passed. */
void conversation_paid(struct conversation *);

/* After MEET: moves the header from the front of `in` to *header.  The wait for the first question begins. */
void conversation_meet(struct conversation *, struct bytes *in, struct proxy_header *, uint64_t now_us);

/*
 * Reading starts again after output (or a cost) held it up: the present wait begins now, since a deadline
 * runs only while the server reads.  To be called only when something was answered since the last READ: else
 * a client could renew its deadline.
 */
void conversation_resume(struct conversation *, uint64_t now_us);

/* When the present wait ends: an absolute time in us. */
uint64_t conversation_deadline_us(const struct conversation *);

/*
 * Judges the wait at READ, after the pump has read what was already received: READ while there is time left;
 * LINGER with the protocol's last word, if it has one, in out when a question took too long (FLUSH when it finds no
 * room there: send and judge again); CLOSE when the connection was idle for too long, or the PROXY header took too
 * long.
 */
enum conversation_state conversation_expire(struct conversation *, struct bytes *out, uint64_t now_us);

#endif
