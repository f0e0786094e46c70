/*
 * supervisor_told.c - what workers tell the supervisor, and how much of its time that may take.
 *
 * They share a pipe.  Its two ends are two open files, so that whatever a worker does to its own, the supervisor's
 * stays non-blocking; and a pipe, unlike a socket, can't be shut down for those who share it.  An empty line has the
 * supervisor look at the scoreboard; others are messages of workers that have no log of their own (log_part() tells
 * when).
 *
 * A worker that was taken over may write without end, have processes die by the thousand, or change the scoreboard
 * while it is read.  So the CPU time that is spent at their instance is reckoned up, whatever it was spent on: it may
 * be a fiftieth of a CPU in the long run.  Beyond that the supervisor is deaf to them for a while; what they say is
 * kept in the pipe, and a full one says as much as one byte.
 */
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "aphorismd/supervisor_parts.h"
#include "common/clock.h"
#include "common/log.h"

enum {
	SHARE = 50,
	ALLOWANCE_US = 20 * CLOCK_MS,     /* at once, after a time of silence: hundreds of words */
	MOST_US = 10 * CLOCK_MS,          /* for one turn, and in all: half a second of rest at most */
	PIECE = 512,                      /* little, for whoever is forked next pays for each page of this stack */
	ROUND = 16384,                    /* bytes that are heard between two waits, in a line each at worst */
	ROUNDS = 4,                       /* and so often a full pipe is empty */
	LINE = 2048,
};

bool supervisor_open_told(struct supervisor *s)
{
	s->credit_us = ALLOWANCE_US;
	return pipe2(s->told, O_NONBLOCK | O_CLOEXEC) == 0;
}

/* Workers that had to be made are not their fault: how many there can be is bounded elsewhere. */
static bool has_forked(const struct supervisor *s)
{
	struct generation *generations[] = { s->next, s->current, s->old };
	bool forked = false;

	for (size_t i = 0; i < 3; i++) {
		if (!generations[i])
			continue;
		forked |= generations[i]->forked;
		generations[i]->forked = false;
	}
	return forked;
}

/* Of CPU time, since it was asked for last. */
static uint64_t spent_us(struct supervisor *s)
{
	struct timespec now;
	uint64_t before_us = s->cpu_us;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0)
		s->cpu_us = (uint64_t)now.tv_sec * CLOCK_S + (uint64_t)now.tv_nsec / 1000;
	return s->cpu_us - before_us;
}

bool supervisor_reckon(struct supervisor *s, uint64_t now_us)
{
	uint64_t fresh = (now_us - s->reckoned_us) / SHARE, cost_us = spent_us(s);
	bool forked = has_forked(s);

	s->reckoned_us += fresh * SHARE;
	s->credit_us += (int64_t)fresh;
	if (s->credit_us > ALLOWANCE_US)
		s->credit_us = ALLOWANCE_US;
	if (s->bothered && !forked)
		s->credit_us -= (int64_t)(cost_us < MOST_US ? cost_us : MOST_US);
	/* in a rest others are served all the same: signals wait for its end, and not for what that costs as well */
	if (s->credit_us < -MOST_US)
		s->credit_us = -MOST_US;
	if (s->credit_us < 0)
		s->rest_until_us = now_us + (uint64_t)-s->credit_us * SHARE;
	s->bothered = s->credit_us < 0;   /* to wake at the end of a rest is work that they cause as well */
	return !s->bothered;
}

/* Passes on what is whole, and keeps the rest for the next time.  A line that is too long is none of ours: cut. */
static void pass_on(const char *text, size_t len)
{
	static char line[LINE];
	static size_t line_len;

	for (size_t i = 0; i < len; i++) {
		if (text[i] != '\n')
			line[line_len++] = text[i];
		if (line_len == 0 || (text[i] != '\n' && line_len < LINE))
			continue;
		log_pass(line, line_len);
		line_len = 0;
	}
}

bool supervisor_hear_workers(struct supervisor *s)
{
	char text[PIECE];
	size_t heard = 0;
	ssize_t n;

	do {
		n = read(s->told[0], text, sizeof text);
		if (n > 0) {
			pass_on(text, (size_t)n);
			heard += (size_t)n;
		}
	} while (n == sizeof text && heard < ROUND);
	if (heard == 0)
		return false;
	s->bothered = true;
	s->look |= s->old != NULL || s->upgrade.step == UPGRADE_DONE;
	return true;
}

void supervisor_hear_last_words(struct supervisor *s)
{
	for (int round = 0; round < ROUNDS && supervisor_hear_workers(s); round++)
		;
}
