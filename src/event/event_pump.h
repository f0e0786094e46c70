/*
 * event_pump.h - the pump for many connections in one thread: non-blocking sockets, one engine (event_engine.h).
 *
 * The model's loop owns the listeners; this is what becomes of a connection between two events.  An idle connection
 * holds 56 bytes here and 64 in the scoreboard, and no buffer: all share one pair, and only what is left over (half a
 * question, answers that the client does not take) is parked on the heap.
 */
#ifndef EVENT_EVENT_PUMP_H
#define EVENT_EVENT_PUMP_H

#include "event/engine/event_engine.h"
#include "event/event_due.h"
#include "worker/worker.h"

struct event_connection;

struct event_pump {
	struct worker *worker;
	struct event_connection *at;      /* by slot */
	const struct event_engine *engine;
	uint64_t busy_poll_us;            /* looks for events so long before it sleeps */
	uint32_t open;                    /* connections */
	uint32_t lowest, highest;         /* slots that were ever used */
	struct event_due due;             /* those that pay for an answer */
	uint32_t leaving;                 /* connections whose last bytes are on their way during a drain */
	uint64_t now_us;                  /* when the last wait ended */
	uint64_t woken_ns;                /* the same, to be measured by */
	uint64_t mark_ns;                 /* the end of what was done last, if nothing else was done since; else 0 */
	uint64_t came_ns, begun_ns;       /* of what the input buffer holds; the work on it */
	struct recorder recorder;
	uint64_t sweep_us, tick_us;       /* when time-outs are swept next; how often at most */
	struct bytes in, out;
};

/* The next sweep for time-outs is no later than this. */
static inline void event_pump_sweep_by(struct event_pump *pump, uint64_t us)
{
	if (us < pump->sweep_us)
		pump->sweep_us = us;
}

/* Makes ready, the engine too.  Returns NULL; or the reason why not, with errno. */
const char *event_pump_open(struct event_pump *, struct worker *, const struct event_engine *);

/* Waits for events until until_us (0: as long as nothing is due), at most as long as the pump's own time-outs allow. */
void event_pump_wait(struct event_pump *, uint64_t until_us);

/* Takes over a connection that worker_accept_now() gave. */
void event_pump_add(struct event_pump *, const struct connection *);

/* Does what is due by now: delayed answers, time-outs, the ends of drained connections. */
void event_pump_tick(struct event_pump *);

/* What the engine does for the loop: see event_engine.h. */
static inline bool event_pump_watch(struct event_pump *pump, int fd, uint32_t number, bool shared)
{
	return pump->engine->watch(fd, number, shared);
}

static inline void event_pump_unwatch(struct event_pump *pump, int fd, uint32_t number)
{
	pump->engine->unwatch(fd, number);
}

static inline bool event_pump_next(struct event_pump *pump, struct event *event)
{
	return pump->engine->next(event);
}

static inline void event_pump_close(struct event_pump *pump)
{
	pump->engine->close();
}

#endif
