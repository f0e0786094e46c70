/*
 * load_thread.c - one thread of the generator: an event loop over its clients.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "aphorism-bench/load_parts.h"
#include "common/clock.h"
#include "common/compat.h"

enum {
	EVENTS = 16,                      /* at once: arrivals may be late by as many */
	ARRIVALS = 256,                   /* at once: answers must not wait for more */
	GLANCE_NS = 100 * 1000 * 1000,    /* how often to look whether it is to stop */
	HELD_UP_NS = 200 * 1000 * 1000,   /* a turn that is so much too late was kept from the CPU */
	LEFTOVERS = 100 * 1000,           /* that are looked at one by one */
	SLICES = 1000,                    /* of the time that the others are spread over */
	FEW = 4, WAITING = 1 << 21,       /* questions that wait: at a client, at all of them, at most */
	/* connections are not opened all at once, which no listener's queue would hold */
	BETWEEN_CLIENTS_NS = 100 * 1000,
};

/* What was seen in the warm-up does not count. */
static void begin_measuring(struct load_thread *t)
{
	const struct load *load = t->shared->load;

	for (size_t i = 0; i < LOAD_CROWDS; i++)
		t->seen[i] = (struct load_seen){ 0 };
	for (uint32_t i = 0; i < t->count; i++)
		t->clients[i].answers = 0;
	t->tickets = UINT64_MAX;
	if (load->count > 0)
		t->tickets = load->count / t->shared->threads + (t->number < load->count % t->shared->threads);
	t->cpu_us = clock_read_us(CLOCK_THREAD_CPUTIME_ID);
	t->measuring = true;
}

static struct load_client *crowd_client(struct load_thread *t, size_t crowd, uint32_t number)
{
	return &t->clients[(crowd > 0 ? t->counts[0] : 0) + number / t->shared->threads];
}

/* Lets the questions arrive whose time has come. */
static void take_arrivals(struct load_thread *t, size_t crowd)
{
	struct load_schedule *s = &t->schedules[crowd];

	t->full[crowd] = false;
	for (size_t n = 0; n < ARRIVALS && s->next_ns <= t->now_ns; n++, load_schedule_advance(s)) {
		struct load_client *c = crowd_client(t, crowd, s->client);

		/* it is not forgotten: it counts from when it was to be asked, also if it never is */
		t->full[crowd] = !load_has_room(t, c);
		if (t->full[crowd])
			return;
		t->now_ns = clock_now_ns();
		histogram_add(&t->seen[crowd].lateness, t->now_ns - s->next_ns, 1);
		load_client_arrival(t, c, s->next_ns);
	}
}

static uint64_t next_ns(const struct load_thread *t)
{
	uint64_t next = t->now_ns + GLANCE_NS, others[] = {
		load_timers_next_ns(&t->timers),
		t->full[0] ? UINT64_MAX : t->schedules[0].next_ns,
		t->full[1] ? UINT64_MAX : t->schedules[1].next_ns,
		t->measuring ? t->shared->end_ns : t->shared->begin_ns,
	};

	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		if (others[i] < next)
			next = others[i];
	return next;
}

/* Up to the end and until what had come by then has been read: if we were late, the server was not. */
static bool goes_on(const struct load_thread *t)
{
	return t->heard_ns < t->shared->end_ns && !t->gone && !(t->measuring && t->tickets == 0 && t->open == 0) &&
	       !atomic_load_explicit(&t->shared->stop, memory_order_relaxed);
}

/*
 * After a wait from then on, whose events have been read.  One that reports fewer than it could has reported all; else
 * the next ones go round all that are ready (epoll_wait(2)), so that each had its turn after as many reports as there
 * are clients.  One that a signal has ended (SIGCONT after SIGSTOP does) has reported nothing, and says nothing.
 */
static void note_heard(struct load_thread *t, uint64_t since_ns, int reported)
{
	if (reported < 0)
		return;
	if (t->round_events == 0)
		t->round_ns = since_ns;
	t->round_events += (uint32_t)reported;
	if (reported == EVENTS && t->round_events < t->count)
		return;
	t->heard_ns = reported < EVENTS ? since_ns : t->round_ns;
	t->round_events = 0;
}

/* From one turn to the next, less what it meant to sleep: stopped, or without a CPU, wherever it was. */
static void note_pause(struct load_thread *t, uint64_t planned_ns)
{
	uint64_t taken_ns = t->now_ns - t->turned_ns;

	if (taken_ns > planned_ns + HELD_UP_NS)
		t->held_up |= t->measuring;
	if (taken_ns > planned_ns + t->shared->load->timeout_us * 1000 / 8) {
		t->held_ns = t->turned_ns;
		t->free_ns = t->now_ns;
	}
}

static void turn(struct load_thread *t)
{
	struct epoll_event events[EVENTS];
	struct load_timer *timer;
	uint64_t since_ns = t->now_ns, until_ns = next_ns(t);
	uint64_t planned_ns = until_ns > since_ns ? until_ns - since_ns : 0;
	int count = compat_epoll_wait(t->set, events, EVENTS, (until_ns + 999) / 1000);

	t->now_ns = clock_now_ns();
	if (!t->measuring && t->now_ns >= t->shared->begin_ns)
		begin_measuring(t);
	note_pause(t, planned_ns);
	t->turned_ns = t->now_ns;
	for (int i = 0; i < count; i++)
		load_client_event(t, events[i].data.ptr, events[i].events);
	note_heard(t, since_ns, count);
	while ((timer = load_timers_take(&t->timers, t->now_ns)))
		load_client_wake(t, (struct load_client *)timer);
	for (size_t i = 0; i < LOAD_CROWDS; i++)
		take_arrivals(t, i);
}

static void count_unasked(struct load_seen *seen, uint64_t wait_ns, uint64_t count)
{
	histogram_add(&seen->lateness, wait_ns, count);
	histogram_add(&seen->response, wait_ns, count);
	seen->unasked += count;
}

/*
 * What we came too late for, even to look at it, has waited as well.  Of very many questions those after the first ones
 * are taken as evenly spread: the end must not have to wait for them.
 */
static void take_leftovers(struct load_thread *t, size_t crowd)
{
	struct load_schedule *s = &t->schedules[crowd];
	uint64_t until_ns = t->ended_ns < t->shared->end_ns ? t->ended_ns : t->shared->end_ns, slice_ns, each;

	for (size_t n = 0; n < LEFTOVERS && s->next_ns < until_ns; n++, load_schedule_advance(s))
		count_unasked(&t->seen[crowd], t->ended_ns - s->next_ns, 1);
	if (s->next_ns >= until_ns)
		return;
	slice_ns = (until_ns - s->next_ns) / SLICES;
	each = (uint64_t)((double)slice_ns / 1e9 * s->crowd->rate * t->counts[crowd] / s->crowd->connections);
	for (uint64_t i = 0; i < SLICES; i++)
		count_unasked(&t->seen[crowd], t->ended_ns - s->next_ns - i * slice_ns - slice_ns / 2, each);
}

static void *thread_main(void *arg)
{
	struct load_thread *t = arg;
	uint64_t one = 1;

	/* the default of 50 us would make each arrival late by as much */
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	t->now_ns = t->turned_ns = clock_now_ns();
	while (goes_on(t))
		turn(t);
	t->ended_ns = t->now_ns;
	t->cpu_us = t->measuring ? clock_read_us(CLOCK_THREAD_CPUTIME_ID) - t->cpu_us : 0;
	for (size_t i = 0; i < LOAD_CROWDS && t->tickets > 0; i++)
		take_leftovers(t, i);
	/* its connections are still open, but it looks after them no more */
	atomic_fetch_sub_explicit(&t->shared->connected, t->connected, memory_order_relaxed);
	(void)!write(t->shared->done, &one, sizeof one);
	return NULL;
}

/*
 * How many questions may wait at a client of an open loop: memory goes by the connections, not by what a server leaves
 * unanswered at any rate.  At all of them it is a million at least: ten seconds of 100,000 a second.
 */
static uint64_t room(const struct crowd *crowd)
{
	uint64_t most = FEW;

	while (most < crowd->pipeline || 2 * most * crowd->connections <= WAITING)
		most *= 2;
	return most;
}

/* The clients i of a crowd of which i % threads is this thread's number. */
static int make_clients(struct load_thread *t, const struct load *load)
{
	const struct load_shared *shared = t->shared;
	struct load_client *c;

	for (size_t i = 0; i < LOAD_CROWDS; i++) {
		uint32_t connections = load->crowds[i].connections;

		t->counts[i] = (connections + shared->threads - 1 - t->number) / shared->threads;
		t->count += t->counts[i];
	}
	t->clients = calloc((size_t)t->count + 1, sizeof *t->clients);
	if (!t->clients || load_timers_init(&t->timers, t->count) < 0)
		return -1;
	c = t->clients;
	for (uint8_t crowd = 0; crowd < LOAD_CROWDS; crowd++)
		for (uint32_t i = 0; i < t->counts[crowd]; i++)
			if (load_client_init(t, c++, crowd, shared->start_ns + BETWEEN_CLIENTS_NS *
			                     ((uint64_t)i * shared->threads + t->number)) < 0)
				return -1;
	return 0;
}

int load_thread_start(struct load_thread *t, struct load_shared *shared, uint32_t number)
{
	const struct load *load = shared->load;

	t->shared = shared;
	t->number = number;
	t->random = load->seed + number;
	t->set = epoll_create1(EPOLL_CLOEXEC);
	if (t->set < 0)
		return errno;
	if (make_clients(t, load) < 0)
		return ENOMEM;
	for (size_t i = 0; i < LOAD_CROWDS; i++) {
		if (load->crowds[i].rate > 0)
			t->rooms[i] = room(&load->crowds[i]);
		load_schedule_start(&t->schedules[i], &load->crowds[i], number, shared->threads, load->seed + i,
		                    shared->start_ns);
	}
	return compat_start_thread(&t->id, NULL, thread_main, t);
}

void load_thread_free(struct load_thread *t)
{
	for (uint32_t i = 0; t->clients && i < t->count; i++) {
		if (t->clients[i].ring && t->clients[i].fd >= 0)
			close(t->clients[i].fd);
		free(t->clients[i].ring);
	}
	free(t->clients);
	load_timers_free(&t->timers);
	if (t->set >= 0)
		close(t->set);
}
