/*
 * pump.h - between a socket and a conversation: the blocking pump, and what both pumps share.
 */
#ifndef SERVER_PUMP_H
#define SERVER_PUMP_H

#include "server/worker.h"

enum {
	PUMP_LINGER_US = 1000000,         /* how long, and for how many bytes, the end waits for the client's own end */
	PUMP_LINGER_BYTES = 65536,
	PUMP_LATE_READS = 4,              /* what came by a deadline still counts, but not white space for ever */
};

/*
 * Serves a connection to its end with the worker's n-th pair of buffers; to close it is the caller's.  Blocks; bounded
 * by the time-outs of the configuration and, once a stop has begun, by the end of the drain.
 */
void pump_converse(struct worker *, struct connection *, uint32_t n);

/* Lets the simulated computation of one answer (work.cpu) pass: burns that much of this thread's CPU time. */
void pump_compute(const struct config *);

/* Bytes that the client's side has not taken yet; 0 when it never will. */
int pump_unsent(int fd);

/* Notes why the conversation said LINGER: for the log, and for the count of time-outs. */
void pump_note_end(const struct worker *, const struct connection *, const struct conversation *,
                   const struct bytes *in, bool too_slow);

/*
 * The same for CLOSE: the client was idle for too long, or ended its input, perhaps inside a question; or there was no
 * PROXY header where one was due.
 */
void pump_note_close(const struct worker *, const struct connection *, const struct conversation *,
                     const struct bytes *in);

/*
 * What the conversation's MEET asks for: takes the PROXY header and lets its client in.  Returns false when that one is
 * turned away, and the connection is to be closed.
 */
bool pump_meet(struct worker *, const struct connection *, struct conversation *, struct bytes *in, uint64_t now_us);

/* Counts a time-out of that kind, and says so in the log. */
void pump_note_timeout(const struct worker *, const struct connection *, enum scoreboard_count, const char *what);

#endif
