/*
 * notices.c - workers' notices to the supervisor, and how much of its time that may take.
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
#include "aphorismd/notices.h"

#include <fcntl.h>
#include <unistd.h>

#include "aphorismd/generations.h"
#include "aphorismd/part.h"
#include "aphorismd/upgrade.h"
#include "aphorismd/wish.h"
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

static struct {
	int fd;                           /* the end of the pipe to read */
	bool bothered;                    /* by workers, since it was last reckoned what they cost: */
	int64_t credit_us;                /* CPU time that is left for that */
	uint64_t reckoned_us, cpu_us;     /* when, and the CPU time that all had cost by then */
	uint64_t rest_until_us;           /* deaf to them until then; 0: it hears them */
} notices = { .fd = -1 };

int notices_open(void)
{
	int ends[2];

	notices.credit_us = ALLOWANCE_US;
	if (pipe2(ends, O_NONBLOCK | O_CLOEXEC) < 0)
		return -1;
	notices.fd = ends[0];
	return ends[1];
}

/* Of CPU time, since it was asked for last. */
static uint64_t spent_us(void)
{
	uint64_t before_us = notices.cpu_us;

	notices.cpu_us = clock_read_us(CLOCK_PROCESS_CPUTIME_ID);
	return notices.cpu_us - before_us;
}

void notices_reckon(uint64_t now_us)
{
	uint64_t fresh = (now_us - notices.reckoned_us) / SHARE, cost_us = spent_us();
	bool forked = generation_has_forked();    /* not their fault: how many there can be is bounded elsewhere */

	notices.reckoned_us += fresh * SHARE;
	notices.credit_us += (int64_t)fresh;
	if (notices.credit_us > ALLOWANCE_US)
		notices.credit_us = ALLOWANCE_US;
	if (notices.bothered && !forked)
		notices.credit_us -= (int64_t)(cost_us < MOST_US ? cost_us : MOST_US);
	/* in a rest others are served all the same: signals wait for its end, and not for what that costs as well */
	if (notices.credit_us < -MOST_US)
		notices.credit_us = -MOST_US;
	notices.rest_until_us = notices.credit_us < 0 ? now_us + (uint64_t)-notices.credit_us * SHARE : 0;
	notices.bothered = notices.credit_us < 0;  /* to wake at the end of a rest is work that they cause as well */
}

bool notices_deaf(void)
{
	return notices.rest_until_us > 0;
}

void notices_blame(void)
{
	notices.bothered = true;
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

/* False: nothing. */
static bool take(uint64_t now_us)
{
	char text[PIECE];
	size_t heard = 0;
	ssize_t n;

	do {
		n = read(notices.fd, text, sizeof text);
		if (n > 0) {
			pass_on(text, (size_t)n);
			heard += (size_t)n;
		}
	} while (n == sizeof text && heard < ROUND);
	if (heard == 0)
		return false;
	notices.bothered = true;
	if (generations.old || upgrade_step == UPGRADE_DONE)
		wish_recheck(now_us);
	return true;
}

void notices_hear_rest(void)
{
	for (int round = 0; round < ROUNDS && take(clock_now_us()); round++)
		;
}

/* ---- as the loop asks ---- */

static uint64_t due_us(void)
{
	return notices_deaf() ? notices.rest_until_us : UINT64_MAX;
}

static void hear(uint64_t now_us)
{
	if (!notices_deaf())
		take(now_us);
}

const struct part part_notices = { .fd = &notices.fd, .by_workers = true, .due_us = due_us, .hear = hear };
