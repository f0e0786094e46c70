/*
 * load_parts.h - what the parts of the generator share: clients, and the threads that run them.
 */
#ifndef BENCH_LOAD_PARTS_H
#define BENCH_LOAD_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aphorism-bench/load.h"
#include "aphorism-bench/load_schedule.h"
#include "aphorism-bench/load_tape.h"
#include "aphorism-bench/load_timers.h"

enum { LOAD_BUFFER = 256 * 1024, LOAD_ODD = 32 };

struct load_question {
	uint64_t wanted_ns;               /* when it was to be asked: its response time counts from here */
	uint64_t came_ns;                 /* when we came to it: the time-out counts from here, the rest is our own */
	uint64_t sent_ns;                 /* its service time from here */
};

/*
 * One client.  Its questions are numbered for life: those before `first` are done with, those before `sent` are in
 * flight, those before `whole` wait to be sent.
 */
struct load_client {
	struct load_timer timer;          /* first, so that a timer is its client */
	int fd;                           /* -1: not connected */
	bool begun;
	bool connecting, wants_out;       /* wants_out: epoll is to tell when there is room to send */
	bool mute, reset;                 /* mute: the server takes no more; reset: and that is why */
	bool unread;                      /* the last reading filled the buffer: more may lie there */
	uint8_t crowd;

	uint64_t first, sent, whole;
	struct load_question *ring;       /* question n is at n & mask */
	uint32_t mask;
	uint32_t owed;                    /* bytes of questions in flight that the kernel has not taken yet */
	uint32_t part;                    /* bytes of the oldest answer that have come */
	uint32_t odd_len;                 /* bytes of something else than that answer; its begin is in odd */
	char odd[LOAD_ODD];

	uint64_t asked_here, answered_here;       /* on this connection */
	uint64_t answers;                 /* since the measuring began */
	uint64_t served;                  /* answers ever */
	uint64_t connecting_ns;           /* since when */
	uint64_t connected_ns;            /* the same */
	uint64_t rest_until_ns;           /* thinks, or waits before it connects anew */
	uint64_t waiting_ns;              /* since when it has no answer though it wanted one; 0: it does not wait */
};

/* What the clients of one crowd saw in one thread. */
struct load_seen {
	struct histogram response, service, lateness;     /* lateness: our own, of the open loop's arrivals */
	uint64_t answers, longest_wait_ns, unasked;
	uint64_t errors[LOAD_ERRORS];
};

struct load_shared {
	const struct load *load;
	struct load_tape tape;
	uint64_t start_ns, begin_ns, end_ns;      /* begin: of the measuring */
	uint32_t threads;
	int done;                         /* an eventfd that counts threads that have ended */
	atomic_bool stop;
	atomic_bool out_of_memory;
	_Atomic uint32_t connected;       /* clients that are, in threads that go on */
};

struct load_thread {
	struct load_shared *shared;
	pthread_t id;
	uint32_t number;
	int set;                          /* epoll */
	uint64_t now_ns;
	uint64_t turned_ns;               /* when the last wait was over */
	uint64_t heard_ns;                /* what had come by then has been read: who is late is judged by it */
	uint64_t round_ns;                /* since when all clients that are ready have been gone round */
	uint32_t round_events;            /* so many of them; 0: a new round begins */
	uint64_t held_ns, free_ns;        /* begin and end of the last turn that took a good part of the time-out */
	bool measuring;
	bool held_up;                     /* while it measured, a turn came much too late */
	uint64_t ended_ns, cpu_us;        /* cpu_us: while it measured */
	uint64_t tickets;                 /* questions that may still be asked */
	uint64_t open;                    /* asked or waiting to be, and not done with */
	uint32_t connected;               /* clients that are, in this thread */
	uint64_t refused_since_ns;        /* nobody has taken a connection since then; 0: somebody has */
	bool gone;                        /* and none is left: the server has gone */
	uint64_t random;

	struct load_client *clients;      /* crowd after crowd */
	uint32_t counts[LOAD_CROWDS], count;
	struct load_timers timers;
	struct load_schedule schedules[LOAD_CROWDS];
	uint64_t rooms[LOAD_CROWDS];      /* questions that may wait at each client */
	bool full[LOAD_CROWDS];           /* the next arrival waits in the schedule until its client has room */
	struct load_seen seen[LOAD_CROWDS];
	char buffer[LOAD_BUFFER];
};

static inline const struct crowd *load_crowd(const struct load_thread *t, const struct load_client *c)
{
	return &t->shared->load->crowds[c->crowd];
}

/* Whether another question may wait there. */
static inline bool load_has_room(const struct load_thread *t, const struct load_client *c)
{
	return c->whole - c->first < t->rooms[c->crowd];
}

static inline struct load_question *load_question(const struct load_client *c, uint64_t number)
{
	return &c->ring[number & c->mask];
}

/*
 * load_thread.c: makes a thread's clients and starts it; returns 0 or an errno.  What it made, even when it failed, is
 * freed by load_thread_free, after the thread's end.
 */
int load_thread_start(struct load_thread *, struct load_shared *, uint32_t number);
void load_thread_free(struct load_thread *);

/* load_client.c: a client's life; each call ends with the client's timer set as it has to be.  None blocks. */
int load_client_init(struct load_thread *, struct load_client *, uint8_t crowd, uint64_t start_ns);
void load_client_wake(struct load_thread *, struct load_client *);
void load_client_event(struct load_thread *, struct load_client *, uint32_t events);
void load_client_arrival(struct load_thread *, struct load_client *, uint64_t wanted_ns);

/* The connection ends: what is in flight on it fails for that reason. */
void load_client_end(struct load_thread *, struct load_client *, enum load_error);

/* So many of the oldest questions are done with, without an answer; their waits count. */
void load_client_drop(struct load_thread *, struct load_client *, uint64_t count, enum load_error);

/* load_receive.c: reads once, checks and counts what has come.  Returns false when the connection is gone. */
bool load_receive(struct load_thread *, struct load_client *);

/* load_result.c: adds up what the threads saw. */
void load_result_make(struct load_result *, const struct load_shared *, struct load_thread *const threads[]);

#endif
