/*
 * load_receive.c - every byte that comes is held against the one that must come.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "aphorism-bench/load_parts.h"
#include "common/clock.h"

enum { ENDLESS = 64 * 1024 };             /* an "answer" longer than that will have no end */

static void answered(struct load_thread *t, struct load_client *c)
{
	const struct load_question *q = load_question(c, c->first++);

	c->answered_here++;
	c->served++;
	if (!t->measuring)
		return;
	histogram_add(&t->seen[c->crowd].response, t->now_ns - q->wanted_ns, 1);
	histogram_add(&t->seen[c->crowd].service, t->now_ns - q->sent_ns, 1);
	c->answers++;
}

/* So many bytes were as expected. */
static void matched(struct load_thread *t, struct load_client *c, size_t len)
{
	const uint32_t *answer_at = t->shared->tape.answer_at + load_tape_index(c->first);
	uint32_t begin = *answer_at, end = begin + c->part + (uint32_t)len;
	uint64_t before = c->first;

	for (; c->first < c->sent && answer_at[1] <= end; answer_at++)
		answered(t, c);
	c->part = end - *answer_at;
	t->open -= c->first - before;
	t->seen[c->crowd].answers += t->measuring ? c->first - before : 0;
}

/* The answers that must come next, as far as they lie side by side. */
static const char *expected(const struct load_thread *t, const struct load_client *c, size_t *len)
{
	const struct load_tape *tape = &t->shared->tape;
	const uint32_t *answer_at = tape->answer_at + load_tape_index(c->first);
	uint64_t count = c->sent - c->first < LOAD_TAPE ? c->sent - c->first : LOAD_TAPE;

	*len = answer_at[count] - answer_at[0] - c->part;
	return tape->answers + answer_at[0] + c->part;
}

/* Something else has come to its full stop. */
static bool judge(struct load_thread *t, struct load_client *c)
{
	static const char error[] = "Error: ", unknown[] = "Error: unknown aphorism.";
	size_t len = c->odd_len < LOAD_ODD ? c->odd_len : LOAD_ODD;

	c->odd_len = 0;
	if (len >= sizeof error - 1 && memcmp(c->odd, error, sizeof error - 1) == 0 &&
	    (len != sizeof unknown - 1 || memcmp(c->odd, unknown, len) != 0)) {
		load_client_end(t, c, LOAD_TURNED_AWAY);
		return false;
	}
	c->part = 0;
	c->answered_here++;
	if (c->first < c->sent)
		load_client_drop(t, c, 1, LOAD_WRONG);
	else if (t->measuring)
		t->seen[c->crowd].errors[LOAD_WRONG]++;
	return true;
}

/* Takes bytes of something else, up to its full stop.  Returns how many, or 0 when the connection is gone. */
static size_t take_odd(struct load_thread *t, struct load_client *c, const char *at, size_t len)
{
	const char *stop = memchr(at, '.', len);
	size_t taken = stop ? (size_t)(stop - at) + 1 : len, room;

	if (c->odd_len == 0 && c->part > 0) {
		/* it began like the right one */
		c->odd_len = c->part;
		memcpy(c->odd, t->shared->tape.answers + t->shared->tape.answer_at[load_tape_index(c->first)], c->part);
	}
	room = c->odd_len < LOAD_ODD ? LOAD_ODD - c->odd_len : 0;
	memcpy(c->odd + LOAD_ODD - room, at, taken < room ? taken : room);
	c->odd_len += (uint32_t)taken;
	if (!stop && c->odd_len > ENDLESS) {
		load_client_end(t, c, LOAD_WRONG);
		return 0;
	}
	return !stop || judge(t, c) ? taken : 0;
}

static bool check(struct load_thread *t, struct load_client *c, const char *at, size_t len)
{
	while (len > 0) {
		size_t taken = 0, due;
		const char *answers = expected(t, c, &due);

		if (c->odd_len == 0) {
			taken = due < len ? due : len;
			if (memcmp(at, answers, taken) != 0)
				for (taken = 0; at[taken] == answers[taken]; taken++)
					;
			matched(t, c, taken);
		}
		if (taken == 0)
			taken = take_odd(t, c, at, len);
		if (taken == 0)
			return false;
		at += taken;
		len -= taken;
	}
	return true;
}

/* After some answers: for how long has the client waited for them, and for the next one? */
static void count_wait(struct load_thread *t, struct load_client *c)
{
	struct load_seen *seen = &t->seen[c->crowd];
	uint64_t wait_ns = c->waiting_ns > 0 ? t->now_ns - c->waiting_ns : 0;

	if (t->measuring && wait_ns > seen->longest_wait_ns)
		seen->longest_wait_ns = wait_ns;
	c->waiting_ns = c->first < c->whole ? load_question(c, c->first)->wanted_ns : 0;
}

bool load_receive(struct load_thread *t, struct load_client *c)
{
	ssize_t got = recv(c->fd, t->buffer, sizeof t->buffer, 0);
	uint64_t before = c->served;
	bool goes_on;

	c->unread = got == (ssize_t)sizeof t->buffer;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (got <= 0) {
		load_client_end(t, c, got < 0 || c->reset ? LOAD_RESET : LOAD_LOST);
		return false;
	}
	t->now_ns = clock_now_ns();
	goes_on = check(t, c, t->buffer, (size_t)got);
	if (c->served > before)
		count_wait(t, c);
	return goes_on;
}
