/*
 * worker.h - the process that serves: where it takes connections from, and how it is told to stop.
 *
 * A model's serve() is a loop over these functions, which any thread of the worker may call.  Stopping costs nothing
 * per question: a signal handler puts an end to everything that blocks.
 *   - Each open connection is shut down for reading: a blocked recv returns, what was received is still delivered, and
 *     since the state is level-triggered nothing is lost between a test and a sleep.
 *   - Each listener's descriptor is replaced by /dev/null (dup2): from then on every accept fails at once.  Where the
 *     listener's queue has no successor, at a final stop, it is made non-blocking instead and taken to its end.
 *   - Threads that may be blocked in accept are sent a signal that does nothing but interrupt.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "common/signals.h"
#include "config/config.h"
#include "metrics/recorder.h"
#include "protocol/conversation.h"

/* How far a worker is on its way out; it only ever rises. */
enum worker_phase {
	PHASE_SERVES,
	PHASE_RETIRES,                    /* finishes the connections that it holds at their own pace, takes none */
	PHASE_DRAINS,                     /* finishes what was received, takes none: a new generation serves on */
	PHASE_STOPS,                      /* the same, but takes what is queued: nobody else will */
};

enum { WORKER_CUT = 75 };                 /* exit status: the drain's time was over, connections were cut */

enum { WORKER_NO_SLOT = UINT32_MAX };
enum { WORKER_HANDED_OVER = -1 };         /* a child has the descriptor, or nobody any more */

struct worker_listener {
	int fd;                           /* the stop handler may replace it */
	int watched;                      /* a dup for epoll, which follows the open socket and not the number; or -1 */
	int family;
	bool borrowed;                    /* it has a successor even at a final stop: whoever it is borrowed from */
	struct service service;
};

struct worker {
	const struct config *config;
	const char *model;
	uint32_t number;
	struct scoreboard *board;
	bool shares_counters;             /* among the conversations that go on at once: see recorder.h */
	pid_t supervisor;                 /* to follow when it dies; 0: there is none */
	int listener_count;
	int devnull;
	uint32_t first_slot;              /* of the part that it takes slots from as long as there are free ones */
	int notices;                      /* a pipe to the supervisor: a byte has it look at the scoreboard; -1: none */
	_Atomic bool *says_ready;         /* what it believes of that; other workers don't have that memory */

	uint32_t in_size, out_size;       /* of the buffers that a conversation needs */
	char *buffers;                    /* a pair for each conversation that can go on at once */
	_Atomic int phase;                /* enum worker_phase */
	_Atomic uint64_t queue_until_us;  /* at the end: how long a queue that never gets empty is taken; 0 before */
	_Atomic int *fds;                 /* per slot: our connection that has it, 0 for none; or this: */
	_Atomic uint32_t busy;            /* connections being served */
	uint64_t answered_before;         /* questions, by those in its row before it */
	int ready_set;                    /* epoll over several listeners; -1 for one */
	int wake;                         /* an eventfd, readable from the first retire, drain or stop on */
	int recheck;                      /* an eventfd, readable when SIGNAL_RECHECK has come */
	_Atomic int *acceptors;           /* ids of threads that may block in accept; the handler interrupts them */
	_Atomic int acceptor_count;
	_Atomic bool wanted;              /* somebody waits for a vacancy: a slot, a descriptor */
	sem_t vacancy;

	struct worker_listener listeners[CONFIG_LISTENERS];   /* the caller's, too; last, for few are ever touched */
};

/* A connection that was taken: its descriptor, its slot, and what is served there. */
struct connection {
	struct worker *worker;
	int fd;
	uint32_t slot;
	int family;
	const struct service *service;
};

/*
 * Makes ready to serve: buffers for so many conversations at once, signal handlers, the watch over several listeners.
 * The caller has filled in the members down to says_ready, and the listeners; acceptors is the number of threads
 * that will call worker_accept(), the caller's among them.  Returns 0, or a sysexits code after logging the reason.
 */
int worker_open(struct worker *, uint32_t conversations, int acceptors);

/*
 * Sees, when all is open, that one descriptor more can be had: with less no connection could ever be taken.  Returns 0,
 * or a sysexits code after logging the reason.
 */
int worker_try_descriptor(const struct worker *);

/* Tells the supervisor that this worker is ready, and idle. */
void worker_ready(struct worker *);

/*
 * Zeroed memory of this process for so many of that size, of which only the pages that are touched cost anything; never
 * freed.  Ends the process with EX_OSERR, logged, when there is none.
 */
void *worker_reserve(size_t count, size_t size);

/* Starts a thread with a small stack; returns an error number as pthread_create(3) does. */
int worker_start_thread(pthread_t *, bool detached, void *(*run)(void *), void *given);

/*
 * Says that the calling thread, not the process's first, may block in worker_accept(): the stop handler then
 * interrupts it.
 */
void worker_join(struct worker *);

/*
 * Waits for the next connection that may be served and takes a slot for it.  Returns false when the worker is to end.
 * Denies, refuses, and waits out shortages on its own.  The connection is to be ended by worker_close().
 */
bool worker_accept(struct worker *, struct connection *);

/* What came of a try to take a connection. */
enum worker_taken {
	WORKER_CANT_TAKE,                 /* no slot, no descriptor: to be tried at the next close, or 100 ms later */
	WORKER_TAKES_NONE,                /* none is queued */
	WORKER_TURNS_AWAY,                /* one was, and it is over: denied, refused, or gone by itself */
	WORKER_TAKES,                     /* one was, and is to be served */
};

/* The same without waiting: one try, from one listener, so that who loops over it says how many are enough. */
enum worker_taken worker_accept_now(struct worker *, int listener, struct connection *);

/*
 * EPOLLEXCLUSIVE wakes one worker for a connection.  One that is on its way out may have been the one, and the
 * connection would stay queued until the next came.  So a worker that no longer listens says so here, the supervisor
 * passes SIGNAL_RECHECK on to those that do, and they recheck their listeners whatever they were told.
 */
void worker_listens_no_more(struct worker *);

/* Clears worker->recheck, when that was found readable. */
void worker_clear_recheck(struct worker *);

/*
 * Among event loops that share listeners: shows the others how many connections this one holds, and tells how many more
 * that is than its share.
 */
void worker_show_held(struct worker *, uint32_t held);
uint32_t worker_lead(const struct worker *);

/*
 * A connection that somebody else has accepted, at the address of the first listener: lets it in as worker_accept()
 * would.  Returns false when it was turned away, or has gone already; it is closed then.
 */
bool worker_admit(struct worker *, int fd, struct connection *);

/* Ends a connection: closes it, then leaves its slot. */
void worker_close(struct worker *, struct connection *);

/*
 * A connection can't be served now for want of a process or a thread: a rate-limited warning, and a wait until another
 * connection has ended, at most 100 ms.  To be called after each try that failed, with the number of those before it;
 * the end of a drain ends that, too.  Returns false, after the first, where that connection is the only one that is
 * being served: nobody's end will give back what is lacking then, and a caller who serves it himself keeps nobody
 * waiting who could be served otherwise.
 */
bool worker_wait_out(struct worker *, const char *what, int error, int tries);

/*
 * The proxy's header names the client of a connection that was taken: from now on the slot is that one's, if the access
 * lists and the limit per source allow.  Returns false when it was turned away; to close it is the caller's.
 */
bool worker_meet(struct worker *, uint32_t slot, const struct service *, const struct proxy_header *);

/* Closes this process's descriptor of a connection that a child serves from now on; its slot stays taken. */
void worker_hand_over(struct worker *, struct connection *);

/* Leaves the slot of a connection that ended elsewhere.  Async-signal-safe. */
void worker_leave(struct worker *, uint32_t slot);

/* In a child process that is to serve one connection: follows the supervisor, and a stop that had begun before. */
void worker_become_child(struct worker *);

/* One line at level info about what a client did, with the bytes that it left unfinished, escaped (may be NULL). */
void worker_note(const struct worker *, uint32_t slot, const char *what, const struct bytes *unfinished);

/* Waits until no connection is being served; bounded by the drain's time once a stop has begun. */
void worker_wait_for_all(struct worker *);

static inline int worker_phase(const struct worker *worker)
{
	return atomic_load_explicit(&worker->phase, memory_order_acquire);
}

#endif
