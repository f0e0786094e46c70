/*
 * driver.h - what a conversation asks for, interpreted in one place.
 *
 * Pumps differ in how they wait and how bytes move.  Whatever else a conversation needs of its environment is the same
 * for all of them and stands here: counts, the client that a PROXY header names, what the log hears of an end.
 */
#ifndef WORKER_DRIVER_H
#define WORKER_DRIVER_H

#include "worker/worker.h"

enum {
	DRIVER_LINGER_US = 1000000,       /* how long, and for how many bytes, the end waits for the client's own end */
	DRIVER_LINGER_BYTES = 65536,
	DRIVER_LATE_READS = 4,            /* what came by a deadline still counts, but not white space for ever */
};

/* A conversation in its environment. */
struct driver {
	struct worker *worker;
	struct conversation *conversation;
	struct recorder recorder;
	uint32_t slot;
};

/* For driver_answer(): takes the PROXY header and lets its client in; false when that one is turned away. */
bool driver_meet(const struct driver *, struct bytes *in, uint64_t now_us);

/*
 * Counts and logs why the conversation has said LINGER or CLOSE; `in` holds what is left of the input.  Too slow is who
 * was judged by driver_expire().
 */
void driver_note_end(const struct driver *, enum conversation_state, const struct bytes *in, bool too_slow);

/* As conversation_compute(), which see. */
enum conversation_state driver_compute(struct conversation *, struct bytes *in, struct bytes *out, uint64_t now_us);

/*
 * As conversation_answer(), with all that follows from it but waits and bytes; *answered is how many questions were.
 * MEET is left only for who is turned away: to be closed without a word.  Not to be called when the conversation is
 * over.  Does not block.
 */
static inline enum conversation_state driver_answer(const struct driver *driver, struct bytes *in, struct bytes *out,
                                                    uint64_t now_us, uint32_t *answered)
{
	struct conversation *c = driver->conversation;
	struct slot *slot = &driver->worker->board->slot[driver->slot];
	enum conversation_state state;

	do {
		uint32_t questions = c->questions;
		uint16_t unknown = c->unknown;

		state = c->service->protocol->compute ? driver_compute(c, in, out, now_us)
		                                      : conversation_answer(c, in, out, now_us);
		*answered = c->questions - questions;
		if (*answered > 0)
			recorder_questions(driver->recorder, slot, *answered, (uint16_t)(c->unknown - unknown), now_us);
		if (state >= CONVERSATION_LINGER)
			driver_note_end(driver, state, in, false);
	} while (state == CONVERSATION_MEET && driver_meet(driver, in, now_us));
	return state;
}

/* As conversation_expire(), and the same. */
enum conversation_state driver_expire(const struct driver *, const struct bytes *in, struct bytes *out,
                                      uint64_t now_us);

/*
 * For PAY: lets the simulated computation of one answer (work.cpu) pass, which burns that much of this thread's CPU
 * time; returns how long to wait before the answer besides, in us (work.delay, and the question's own price).
 */
uint64_t driver_work(const struct driver *);

/* Bytes that the client's side has not taken yet; 0 when it never will. */
int driver_unsent(int fd);

/* Counts a time-out of that kind, and says so in the log. */
void driver_note_timeout(const struct driver *, enum scoreboard_count, const char *what);

#endif
