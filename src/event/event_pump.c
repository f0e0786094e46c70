/*
 * event_pump.c - many connections in one thread: who they are, and time.
 *
 * Level-triggered, no timer call per question: deadlines are compared on a coarse tick.
 */
#include "event/event_pump.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/log.h"
#include "event/event_connection.h"
#include "event/event_parked.h"
#include "worker/driver.h"

enum { LEAVE_CHECK_US = 2 * CLOCK_MS };

/* ---- connections ---- */

void event_pump_add(struct event_pump *pump, const struct connection *connection)
{
	static struct log_limit limit;

	pump->open++;
	pump->mark_ns = 0;
	if (connection->slot < pump->lowest)
		pump->lowest = connection->slot;
	if (connection->slot > pump->highest)
		pump->highest = connection->slot;
	event_connection_begin(pump, connection);
	if (!pump->engine->want(connection->slot, EVENT_ABSENT, EVENT_INPUT)) {
		log_limited(&limit, LOG_WARNING, "can't watch a connection: %s; it is closed", strerror(errno));
		event_connection_close(pump, connection->slot);
	} else if (pump->at[connection->slot].conversation.greets) {
		event_connection_greet(pump, connection->slot);
	}
}

/* ---- time ---- */

static void pay_what_is_due(struct event_pump *pump)
{
	uint64_t now_us = clock_now_us();

	while (event_due_us(&pump->due) <= now_us)
		event_connection_paid(pump, event_due_take(&pump->due));
}

/*
 * No byte was taken since the last sweep: time is up; else it begins anew.  Who has taken all that there was waits for
 * us, and it may be long before its turn comes again.
 */
static bool is_stuck(struct event_pump *pump, uint32_t slot)
{
	struct event_connection *c = &pump->at[slot];
	int unsent = driver_unsent(pump->worker->fds[slot]);
	bool owed = unsent > 0 || (c->parked && event_parked_output(c->parked).len > 0);
	bool stuck = owed && unsent >= c->unsent;

	c->unsent = unsent;
	c->until_us = pump->now_us + (uint64_t)pump->worker->config->write_us;
	return stuck;
}

/* Sees to one connection's time-out; returns when that has to be done again. */
static uint64_t sweep_one(struct event_pump *pump, uint32_t slot)
{
	struct event_connection *c = &pump->at[slot];

	switch (c->state) {
	case EVENT_READS:
		if (conversation_deadline_us(&c->conversation) <= pump->now_us)
			event_connection_expire(pump, slot);
		return c->state == EVENT_READS ? conversation_deadline_us(&c->conversation) : pump->sweep_us;
	case EVENT_WRITES:
		if (c->until_us <= pump->now_us && is_stuck(pump, slot)) {
			event_connection_time_out(pump, slot);
			return UINT64_MAX;
		}
		return c->until_us;
	case EVENT_LINGERS:
		if (c->until_us <= pump->now_us) {
			event_connection_close(pump, slot);
			return UINT64_MAX;
		}
		return c->until_us;
	default:
		return 0;         /* may be READS again before long */
	}
}

static void sweep_all(struct event_pump *pump)
{
	pump->sweep_us = UINT64_MAX;
	for (uint32_t slot = pump->lowest; slot <= pump->highest && pump->open > 0; slot++)
		if (pump->at[slot].state != EVENT_NONE)
			event_pump_sweep_by(pump, sweep_one(pump, slot));
	if (pump->sweep_us < pump->now_us + pump->tick_us)
		pump->sweep_us = pump->now_us + pump->tick_us;
}

static void let_go(struct event_pump *pump)
{
	for (uint32_t slot = pump->lowest; slot <= pump->highest; slot++) {
		struct event_connection *c = &pump->at[slot];

		if (c->state != EVENT_LEAVES)
			continue;
		if (driver_unsent(pump->worker->fds[slot]) == 0) {
			shutdown(pump->worker->fds[slot], SHUT_WR);
			event_connection_close(pump, slot);
		} else if (c->until_us <= pump->now_us && is_stuck(pump, slot)) {
			event_connection_close(pump, slot);
		}
	}
}

void event_pump_tick(struct event_pump *pump)
{
	if (pump->due.count > 0)
		pay_what_is_due(pump);
	if (pump->sweep_us <= pump->now_us)
		sweep_all(pump);
	if (pump->leaving > 0)
		let_go(pump);
}

/* Does an event come soon?  One that is signalled does, as it makes a descriptor readable. */
static bool comes_soon(struct event_pump *pump, uint64_t until_us)
{
	uint64_t end_us = clock_now_us() + pump->busy_poll_us;

	if (until_us < end_us)
		end_us = until_us;
	do
		if (pump->engine->wait(0))
			return true;
	while (clock_now_us() < end_us);
	return false;
}

void event_pump_wait(struct event_pump *pump, uint64_t until_us)
{
	uint64_t until = until_us ? until_us : UINT64_MAX;

	if (pump->sweep_us < until)
		until = pump->sweep_us;
	if (pump->leaving > 0 && pump->now_us + LEAVE_CHECK_US < until)
		until = pump->now_us + LEAVE_CHECK_US;
	if (event_due_us(&pump->due) < until)
		until = event_due_us(&pump->due);
	if (pump->busy_poll_us == 0 || !comes_soon(pump, until))
		pump->engine->wait(until);
	/* not the coarse clock: what is due would seem to be early by a tick, and the next wait would be none */
	pump->mark_ns = pump->woken_ns = clock_now_ns();
	pump->now_us = pump->woken_ns / 1000;
}

/* ---- opening ---- */

const char *event_pump_open(struct event_pump *pump, struct worker *worker, const struct event_engine *engine)
{
	const struct config *config = worker->config;
	int64_t shortest_us = config->idle_us < config->question_us ? config->idle_us : config->question_us;

	if (config->write_us < shortest_us)
		shortest_us = config->write_us;
	*pump = (struct event_pump){
		.worker = worker,
		.at = worker_reserve(worker->board->slots, sizeof *pump->at),
		.engine = engine,
		.lowest = worker->board->slots,
		.now_us = clock_coarse_us(),
		.recorder = recorder_of(worker->board, worker->number, 0, false),
		.sweep_us = UINT64_MAX,
		.tick_us = (uint64_t)(shortest_us < 8 * CLOCK_S ? shortest_us / 8 : CLOCK_S),
		.in = { .at = worker->buffers, .size = worker->in_size },
		.out = { .at = worker->buffers + worker->in_size, .size = worker->out_size },
	};
	event_due_open(&pump->due, worker->board->slots);
	return engine->open(pump);
}
