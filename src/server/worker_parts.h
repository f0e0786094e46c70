/*
 * worker_parts.h - what the files of the worker share among themselves.
 *
 *   worker.c          opening, idle and busy, ending connections
 *   worker_accept.c   taking connections
 *   worker_stop.c     the signal handlers
 */
#ifndef SERVER_WORKER_PARTS_H
#define SERVER_WORKER_PARTS_H

#include "server/worker.h"

/*
 * Installs the handlers, unblocks all signals, and asks the kernel for word of the supervisor's death.  Returns 0, or
 * -1 with errno: who could not be stopped must not begin.
 */
int worker_handle_signals(struct worker *);

/*
 * At the end: whether that listener has no heir, so that its queue is to be taken to its end.  From any other nothing
 * more is taken, and nothing is done to it: it serves others, and other threads may know of the end before the handler
 * has put it out of reach.  Async-signal-safe.
 */
bool worker_ends_queue(const struct worker *, int number);

/* One set per worker, and only where there is more than one listener.  Returns 0, or -1 with errno. */
int worker_watch_listeners(struct worker *);

/* A connection begins, one has ended: what the scoreboard, the process's title and the supervisor see of it. */
void worker_count_busy(struct worker *);
void worker_count_idle(struct worker *);

/* Leaves a seat and wakes who waits for one.  Async-signal-safe. */
void worker_free_seat(struct worker *, uint32_t seat);

/* Until a connection ends, or a moment: a seat or a descriptor may have been freed by another process. */
void worker_wait_for_vacancy(struct worker *);

#endif
