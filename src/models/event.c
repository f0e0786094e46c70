/*
 * event.c - an event loop over non-blocking sockets, one per CPU (UNP, chapter 6; epoll(7)).
 *
 * One thread holds thousands of connections, and none of them may ever make it wait.  The workers share the listeners:
 * EPOLLEXCLUSIVE wakes one of them, always the one at the head of the kernel's queue, so a worker that has taken a
 * few connections goes to its end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/cpus.h"
#include "common/log.h"
#include "models/model.h"
#include "server/event_connection.h"

enum {
	EVENTS = 256,                     /* handled between two waits */
	BURST = 64,                       /* connections taken between two waits */
	TURN = 16,                        /* connections taken before it is another worker's turn */
	RETRY_US = 100 * CLOCK_MS,        /* after a shortage */
	LISTENERS_AT = 0x80000000u,       /* an event's data from here on is a listener's number, below a seat's */
	LOOK = 0xfffffffeu, WAKE = 0xffffffffu,
};

struct event_keys {
	int64_t workers, engine, busy_poll_us;
};

static const struct key keys[] = {
	{ .name = "event.workers", .type = KEY_NUMBER, .offset = offsetof(struct event_keys, workers), .value = "0",
	  .least = 0, .most = 1024, .help = "Processes, each with an event loop; 0 is one per usable CPU." },
	{ .name = "event.engine", .type = KEY_CHOICE, .offset = offsetof(struct event_keys, engine), .value = "auto",
	  .choices = "auto|epoll|io_uring", .help = "What tells of events; auto is epoll." },
	{ .name = "event.busy_poll", .type = KEY_DURATION, .offset = offsetof(struct event_keys, busy_poll_us),
	  .value = "0us", .least = 0, .most = CLOCK_S,
	  .help = "Ask for events this long before sleeping; burns a CPU." },
	{ .name = NULL },
};

static const char *check(const void *section, const char **key)
{
	const struct event_keys *own = section;

	if (own->engine == 2) {
		*key = "event.engine";
		return "io_uring is not built in";
	}
	if (own->busy_poll_us > 0) {
		*key = "event.busy_poll";
		return "busy polling is not built in: only 0 is accepted";
	}
	return NULL;
}

static const struct section section = { "event", keys, sizeof(struct event_keys), check };

static struct plan plan(const struct config *config)
{
	const struct event_keys *own = model_keys(config, &section);
	uint32_t workers = own->workers > 0 ? (uint32_t)own->workers : cpus_usable();

	return (struct plan){ .workers = workers, .most_workers = workers, .conversations = 1, .acceptors = 1,
		              .capacity = (uint32_t)config->max_connections };
}

struct loop {
	struct worker *worker;
	struct event_pump pump;
	bool listening;
	uint64_t retry_us;                /* 0, or when to take connections again after a shortage */
	uint32_t taken;
};

static bool watch(struct loop *loop, int fd, uint32_t events, uint32_t data)
{
	static struct log_limit limit;
	struct epoll_event event = { .events = events, .data.u32 = data };

	if (epoll_ctl(loop->pump.set, EPOLL_CTL_ADD, fd, &event) == 0)
		return true;
	/* still there, if it could not be taken out before */
	if (errno == EEXIST && epoll_ctl(loop->pump.set, EPOLL_CTL_DEL, fd, NULL) == 0 &&
	    epoll_ctl(loop->pump.set, EPOLL_CTL_ADD, fd, &event) == 0)
		return true;
	log_limited(&limit, LOG_WARNING, "can't watch a descriptor: %s", strerror(errno));
	return false;
}

static bool listen_to(struct loop *loop, int number)
{
	return watch(loop, loop->worker->listeners[number].watched, EPOLLIN | EPOLLEXCLUSIVE,
	             LISTENERS_AT | (uint32_t)number);
}

static void look_away(struct loop *loop, int number)
{
	epoll_ctl(loop->pump.set, EPOLL_CTL_DEL, loop->worker->listeners[number].watched, NULL);
}

static void look_away_from_all(struct loop *loop)
{
	for (int i = 0; i < loop->worker->listener_count && loop->listening; i++)
		look_away(loop, i);
	loop->listening = false;
}

static void pause_listening(struct loop *loop)
{
	look_away_from_all(loop);
	loop->retry_us = loop->pump.now_us + RETRY_US;
}

static void listen_to_all(struct loop *loop)
{
	bool all = true;

	for (int i = 0; i < loop->worker->listener_count; i++)
		all &= listen_to(loop, i);
	loop->listening = true;
	loop->retry_us = 0;
	if (!all)
		pause_listening(loop);
}

static void take_connections(struct loop *loop, int number)
{
	struct connection connection;
	int rc = 0;

	for (int burst = 0; burst < BURST && (rc = worker_accept_now(loop->worker, number, &connection)) > 0; burst++) {
		event_pump_add(&loop->pump, &connection);
		if (++loop->taken % TURN == 0 && loop->listening) {
			look_away(loop, number);
			if (!listen_to(loop, number))
				pause_listening(loop);
		}
	}
	if (rc < 0)
		pause_listening(loop);
}

static void look_again(struct loop *loop)
{
	worker_looks(loop->worker);
	for (int i = 0; i < loop->worker->listener_count && loop->listening; i++)
		take_connections(loop, i);
}

/* At the end: what is queued where nobody else will take it. */
static void take_queue(struct loop *loop)
{
	struct connection connection;
	int rc = 0;

	for (int i = 0; i < loop->worker->listener_count && rc == 0; i++)
		while ((rc = worker_accept_now(loop->worker, i, &connection)) > 0)
			event_pump_add(&loop->pump, &connection);
	loop->retry_us = rc < 0 ? loop->pump.now_us + RETRY_US : 0;
}

static void end_listening(struct loop *loop)
{
	look_away_from_all(loop);
	epoll_ctl(loop->pump.set, EPOLL_CTL_DEL, loop->worker->wake, NULL);
	loop->retry_us = 0;
	worker_listens_no_more(loop->worker);
	if (worker_phase(loop->worker) >= PHASE_DRAINS)
		take_queue(loop);
}

static void handle(struct loop *loop, const struct epoll_event *event)
{
	uint32_t what = event->data.u32;

	if (what < LISTENERS_AT)
		event_connection_handle(&loop->pump, what, event->events);
	else if (what == LOOK)
		look_again(loop);
	else if (what != WAKE && loop->listening)
		take_connections(loop, (int)(what - LISTENERS_AT));
}

static void serve(struct worker *worker)
{
	struct loop loop = { .worker = worker };
	struct epoll_event events[EVENTS];
	int phase = PHASE_SERVES;

	if (event_pump_open(&loop.pump, worker) != 0 || !watch(&loop, worker->wake, EPOLLIN, WAKE) ||
	    !watch(&loop, worker->look, EPOLLIN, LOOK))
		exit(EX_OSERR);
	listen_to_all(&loop);
	if (!loop.listening)
		exit(EX_OSERR);
	worker_ready(worker);
	while (phase == PHASE_SERVES || loop.pump.open > 0 || loop.retry_us > 0) {
		uint32_t open = loop.pump.open;
		int n = event_pump_wait(&loop.pump, events, EVENTS, loop.retry_us);

		for (int i = 0; i < n; i++)
			handle(&loop, &events[i]);
		event_pump_tick(&loop.pump);
		if (worker_phase(worker) != phase) {
			phase = worker_phase(worker);
			end_listening(&loop);
		}
		if (loop.retry_us && (loop.pump.open < open || loop.retry_us <= loop.pump.now_us)) {
			if (phase == PHASE_SERVES)
				listen_to_all(&loop);
			else
				take_queue(&loop);
		}
	}
}

const struct model model_event = {
	.name = "event",
	.summary = "an event loop per CPU over non-blocking sockets",
	.section = &section,
	.nonblocking = true,
	.plan = plan,
	.serve = serve,
};
