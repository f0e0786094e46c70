/*
 * driver.c - what a conversation asks for, where no question pays for it.
 */
#include "worker/driver.h"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "common/clock.h"
#include "common/log.h"

int driver_unsent(int fd)
{
	struct pollfd gone = { .fd = fd };
	int unsent = 0;

	/* the count of a connection that was reset stays; our side is open, so HUP can only mean a reset */
	if (poll(&gone, 1, 0) > 0)
		return 0;
	return ioctl(fd, SIOCOUTQ, &unsent) < 0 ? 0 : unsent;
}

uint64_t driver_work(const struct driver *driver)
{
	const struct config *config = driver->worker->config;
	uint64_t end_us = clock_read_us(CLOCK_THREAD_CPUTIME_ID) + (uint64_t)config->cpu_us;

	if (config->cpu_us > 0)
		while (clock_read_us(CLOCK_THREAD_CPUTIME_ID) < end_us)
			;
	return (uint64_t)config->delay_us + conversation_price_us(driver->conversation);
}

enum conversation_state driver_compute(struct conversation *c, struct bytes *in, struct bytes *out, uint64_t now_us)
{
	uint64_t wall_us = c->service->protocol->clock ? clock_read_us(CLOCK_REALTIME) : 0;

	return conversation_compute(c, in, out, now_us, wall_us);
}

bool driver_meet(const struct driver *driver, struct bytes *in, uint64_t now_us)
{
	struct proxy_header header;

	conversation_meet(driver->conversation, in, &header, now_us);
	return worker_meet(driver->worker, driver->slot, driver->conversation->service, &header);
}

/* ---- notes ---- */

static void note(const struct driver *driver, enum scoreboard_count kind, const char *what, const struct bytes *in)
{
	recorder_count(driver->recorder, kind, 1);
	worker_note(driver->worker, driver->slot, what, in);
}

void driver_note_timeout(const struct driver *driver, enum scoreboard_count kind, const char *what)
{
	note(driver, kind, what, NULL);
}

/* That is a fault of the set-up, which no client can see, so the operator is told. */
static void note_bad_header(const struct driver *driver, const struct bytes *in)
{
	const struct worker *worker = driver->worker;
	char peer[CONFIG_ADDRESS], said[LOG_ESCAPED];
	bool ended = driver->conversation->ended;
	struct proxy_header header;
	const char *reason = proxy_read(&header, in->at, in->len);

	if (!reason && ended && worker_phase(worker) >= PHASE_DRAINS)
		return;           /* it was ourselves who ended it */
	if (!reason && !ended)
		recorder_count(driver->recorder, COUNT_TIMEOUT_HEADER, 1);
	if (!reason)
		reason = ended ? "the end came first" : "time-out";
	recorder_count(driver->recorder, COUNT_BAD_HEADERS, 1);
	log_limited(&worker->board->shared->limits[LIMIT_HEADER], LOG_WARNING,
	            "%s: closed for a bad PROXY header: %s: %s",
	            scoreboard_peer(&worker->board->slot[driver->slot], peer, sizeof peer), reason,
	            log_escape(said, sizeof said, in->at, in->len));
}

static void note_last_word(const struct driver *driver, const struct bytes *in, bool too_slow)
{
	const struct conversation *c = driver->conversation;
	uint32_t most = c->service->max_questions;

	if (c->malformed)
		note(driver, COUNT_MALFORMED, "malformed request", in);
	else if (too_slow)
		note(driver, COUNT_TIMEOUT_QUESTION, "question too slow", in);
	else if (most == 0 || c->questions < most)
		note(driver, COUNT_TOO_LONG, "question too long", in);
}

void driver_note_end(const struct driver *driver, enum conversation_state state, const struct bytes *in, bool too_slow)
{
	if (state == CONVERSATION_LINGER)
		note_last_word(driver, in, too_slow);
	else if (driver->conversation->unmet)
		note_bad_header(driver, in);
	else if (!driver->conversation->ended)
		driver_note_timeout(driver, COUNT_TIMEOUT_IDLE, "idle: time-out");
	else if (in->len > 0)
		note(driver, COUNT_UNFINISHED, "unfinished question dropped", in);
}

enum conversation_state driver_expire(const struct driver *driver, const struct bytes *in, struct bytes *out,
                                      uint64_t now_us)
{
	enum conversation_state state = conversation_expire(driver->conversation, out, now_us);

	if (state >= CONVERSATION_LINGER)
		driver_note_end(driver, state, in, true);
	return state;
}
