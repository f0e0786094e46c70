/*
 * event.c - an event loop over non-blocking sockets, one per CPU (UNP, chapter 6; epoll(7), io_uring(7)).
 *
 * One thread holds thousands of connections, and none of them may ever make it wait.  The workers share the listeners:
 * the kernel tells one of them, always the one at the head of its queue, so a worker that has taken a few connections
 * goes to its end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/clock.h"
#include "common/cpus.h"
#include "common/log.h"
#include "event/event_connection.h"
#include "models/model.h"

enum {
	BURST = 64,                       /* connections taken or turned away between two waits */
	TURN = 16,                        /* and before it is another worker's turn */
	TURN_US = 2 * CLOCK_MS,           /* and how long that is, for who is ahead by so many */
	TURNS_US = 20 * CLOCK_MS,         /* at most: others may be stuck */
	RETRY_US = 100 * CLOCK_MS,        /* after a shortage */
	LISTENERS_AT = EVENT_WATCHED_AT,  /* the numbers of what is watched */
	WAKE = EVENT_WATCHED_AT + CONFIG_LISTENERS, RECHECK,
};

struct event_keys {
	int64_t workers, engine, busy_poll_us;
};

static const struct key keys[] = {
	{ .name = "event.workers", .type = KEY_NUMBER, .offset = offsetof(struct event_keys, workers), .value = "0",
	  .least = 0, .most = 1024, .help = "Processes, each with an event loop; 0 is one per usable CPU." },
	{ .name = "event.engine", .type = KEY_CHOICE, .offset = offsetof(struct event_keys, engine), .value = "auto",
	  .choices = EVENT_ENGINE_CHOICES, .help = "What tells of events and moves bytes; auto is epoll." },
	{ .name = "event.busy_poll", .type = KEY_DURATION, .offset = offsetof(struct event_keys, busy_poll_us),
	  .value = "0us", .least = 0, .most = CLOCK_S,
	  .help = "Ask for events this long before sleeping; burns a CPU." },
	{ .name = NULL },
};

static const char *check(const void *section, const char **key)
{
	const struct event_keys *own = section;

	*key = "event.engine";
	return event_engines[own->engine]->absent;
}

static const struct section section = { "event", keys, sizeof(struct event_keys), check };

static const struct event_engine *engine(const struct config *config)
{
	const struct event_keys *own = model_keys(config, &section);

	return event_engines[own->engine];
}

static const char *lacks(const struct config *config, const char **key)
{
	*key = "event.engine";
	return engine(config)->lacks ? engine(config)->lacks() : NULL;
}

static struct plan plan(const struct config *config)
{
	const struct event_keys *own = model_keys(config, &section);
	uint32_t workers = own->workers > 0 ? (uint32_t)own->workers : cpus_usable();

	return (struct plan){ .workers = workers, .most_workers = workers, .conversations = 1, .acceptors = 1,
		              .counter_sets = 1, .capacity = (uint32_t)config->max_connections,
		              .makes = engine(config)->makes };
}

struct loop {
	struct worker *worker;
	struct event_pump *pump;
	bool listening;
	uint64_t retry_us;                /* 0, or when to take connections again: after a shortage, after others */
	uint32_t taken;
	uint8_t left[CONFIG_LISTENERS];   /* of each one's share of the burst, until the next wait */
};

static bool watch(struct loop *loop, int fd, uint32_t number, bool shared)
{
	static struct log_limit limit;

	if (event_pump_watch(loop->pump, fd, number, shared))
		return true;
	log_limited(&limit, LOG_WARNING, "can't watch a descriptor: %s", strerror(errno));
	return false;
}

static bool listen_to(struct loop *loop, int number)
{
	return watch(loop, loop->worker->listeners[number].watched, LISTENERS_AT + (uint32_t)number, true);
}

static void unwatch_all(struct loop *loop)
{
	for (int i = 0; i < loop->worker->listener_count && loop->listening; i++)
		event_pump_unwatch(loop->pump, loop->worker->listeners[i].watched, LISTENERS_AT + (uint32_t)i);
	loop->listening = false;
}

static void pause_listening(struct loop *loop, uint64_t pause_us)
{
	unwatch_all(loop);
	loop->retry_us = loop->pump->now_us + pause_us;
}

/* Nothing can be taken there for now, whatever may be queued elsewhere. */
static void pause_listening_to(struct loop *loop, int number)
{
	event_pump_unwatch(loop->pump, loop->worker->listeners[number].watched, LISTENERS_AT + (uint32_t)number);
	if (loop->retry_us == 0)
		loop->retry_us = loop->pump->now_us + RETRY_US;
}

static void listen_to_all(struct loop *loop)
{
	bool all = true;

	for (int i = 0; i < loop->worker->listener_count; i++)
		all &= listen_to(loop, i);
	loop->listening = true;
	loop->retry_us = 0;
	if (!all)
		pause_listening(loop, RETRY_US);
}

/*
 * While connections come one by one it is enough to go to the end of the queue.  When they come in masses all workers
 * are awake, and who has a CPU would take them all.
 */
static void give_way(struct loop *loop, int number)
{
	uint32_t turns;

	worker_show_held(loop->worker, loop->pump->open);
	turns = worker_lead(loop->worker) / TURN;
	if (turns > 0)
		pause_listening(loop, turns < TURNS_US / TURN_US ? turns * TURN_US : TURNS_US);
	else if (!listen_to(loop, number))
		pause_listening(loop, RETRY_US);
}

static enum worker_taken take_one(struct loop *loop, int number)
{
	struct connection connection;
	enum worker_taken taken = worker_accept_now(loop->worker, number, &connection);

	if (taken == WORKER_TAKES)
		event_pump_add(loop->pump, &connection);
	return taken;
}

/* Whatever tells of a listener, and however often: those whose connections are open wait for one burst of all. */
static void share_burst(struct loop *loop)
{
	memset(loop->left, BURST / loop->worker->listener_count, sizeof loop->left);
}

/* One that has had its share will be told of again: events are level-triggered. */
static void take_connections(struct loop *loop, int number)
{
	enum worker_taken taken = WORKER_TAKES;

	for (; loop->left[number] > 0 && loop->listening; loop->left[number]--) {
		if ((taken = take_one(loop, number)) < WORKER_TURNS_AWAY)
			break;
		if (++loop->taken % TURN == 0)
			give_way(loop, number);
	}
	if (taken == WORKER_CANT_TAKE)
		pause_listening_to(loop, number);
}

static void recheck_listeners(struct loop *loop)
{
	worker_clear_recheck(loop->worker);
	for (int i = 0; i < loop->worker->listener_count && loop->listening; i++)
		take_connections(loop, i);
}

/* At the end: what is queued where nobody else will take it.  By bursts, as others are owed answers meanwhile. */
static void take_queue(struct loop *loop)
{
	loop->retry_us = 0;
	for (int i = 0; i < loop->worker->listener_count; i++) {
		enum worker_taken taken = WORKER_TAKES;

		for (; loop->left[i] > 0 && taken >= WORKER_TURNS_AWAY; loop->left[i]--)
			taken = take_one(loop, i);
		if (taken >= WORKER_TURNS_AWAY)
			loop->retry_us = loop->pump->now_us;      /* at once: there may be more */
		else if (taken == WORKER_CANT_TAKE && loop->retry_us == 0)
			loop->retry_us = loop->pump->now_us + RETRY_US;
	}
}

static void end_listening(struct loop *loop)
{
	unwatch_all(loop);
	event_pump_unwatch(loop->pump, loop->worker->wake, WAKE);
	loop->retry_us = 0;
	worker_listens_no_more(loop->worker);
	if (worker_phase(loop->worker) >= PHASE_DRAINS)
		take_queue(loop);
}

static void handle(struct loop *loop, const struct event *event)
{
	if (event->what < LISTENERS_AT)
		event_connection_handle(loop->pump, event);
	else if (event->what == RECHECK)
		recheck_listeners(loop);
	else if (event->what != WAKE && loop->listening)
		take_connections(loop, (int)(event->what - LISTENERS_AT));
}

static struct event_pump pump;            /* opened before the sandbox, used in there */

static int open_pump(struct worker *worker)
{
	const struct event_keys *own = model_keys(worker->config, &section);
	const char *reason = event_pump_open(&pump, worker, engine(worker->config));
	int error = errno;

	pump.busy_poll_us = (uint64_t)own->busy_poll_us;
	if (!reason)
		return 0;
	log_error("event.engine: %s", reason);
	return error == ENOSYS || error == EINVAL || error == EPERM ? EX_CONFIG : EX_OSERR;
}

static void serve(struct worker *worker)
{
	struct loop loop = { .worker = worker, .pump = &pump };
	int phase = PHASE_SERVES;

	if (!watch(&loop, worker->wake, WAKE, false) || !watch(&loop, worker->recheck, RECHECK, false))
		exit(EX_OSERR);
	listen_to_all(&loop);
	if (!loop.listening)
		exit(EX_OSERR);
	worker_show_held(worker, 0);      /* not what one who died had */
	worker_ready(worker);
	while (phase == PHASE_SERVES || loop.pump->open > 0 || loop.retry_us > 0) {
		uint32_t open = loop.pump->open;
		struct event event;

		event_pump_wait(loop.pump, loop.retry_us);
		share_burst(&loop);
		while (event_pump_next(loop.pump, &event))
			handle(&loop, &event);
		event_pump_tick(loop.pump);
		worker_show_held(worker, loop.pump->open);
		if (worker_phase(worker) != phase) {
			phase = worker_phase(worker);
			end_listening(&loop);
		}
		if (loop.retry_us && (loop.pump->open < open || loop.retry_us <= loop.pump->now_us)) {
			if (phase == PHASE_SERVES)
				listen_to_all(&loop);
			else
				take_queue(&loop);
		}
	}
	event_pump_close(loop.pump);
}

const struct model model_event = {
	.name = "event",
	.summary = "an event loop per CPU over non-blocking sockets",
	.section = &section,
	.nonblocking = true,
	.sees_waits = true,
	.lacks = lacks,
	.plan = plan,
	.open = open_pump,
	.serve = serve,
};
