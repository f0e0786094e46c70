/*
 * worker_parts.h - what the files of the worker share among themselves.
 *
 *   worker.c          opening
 *   worker_accept.c   taking connections
 *   worker_admit.c    whether they may come in
 *   worker_slot.c     idle and busy, slots, ending connections
 *   worker_stop.c     the signal handlers
 */
#ifndef WORKER_WORKER_PARTS_H
#define WORKER_WORKER_PARTS_H

#include "worker/worker.h"

/*
 * Installs the handlers, unblocks all signals, and asks the kernel for word of the supervisor's death.  Returns 0, or
 * -1 with errno: who could not be stopped must not begin.
 */
int worker_handle_signals(struct worker *);

/*
 * At the end: whether that listener has no successor, so that its queue is to be taken to its end.  From any other
 * nothing more is taken, and nothing is done to it: it serves others, and other threads may know of the end before the
 * handler has put it out of reach.  Async-signal-safe.
 */
bool worker_ends_queue(const struct worker *, int number);

/* One set per worker, and only where there is more than one listener.  Returns 0, or -1 with errno. */
int worker_watch_listeners(struct worker *);

/* What is said at most once in a while, by all workers together. */
struct log_limit *worker_limit(struct worker *, enum scoreboard_limit);

/* That connections can't be accepted now, for want of something: counted, and a rate-limited warning. */
void worker_note_shortage(struct worker *, int error);

/* Takes a slot for a connection, if there is one; and gives it back, if it has one. */
bool worker_take_slot(struct worker *, struct connection *);
void worker_give_back(struct worker *, struct connection *);

/*
 * Decides on a connection from that listener before a byte of it is read; of a proxy's only whether there is a slot,
 * since the client is somebody else.  It has a slot already, or gets one here.  Returns false when it was turned away,
 * and is closed.
 */
bool worker_let_in(struct worker *, struct worker_listener *, struct connection *, const struct sockaddr_storage *from);

/* A connection begins: what the scoreboard, the process's title and the supervisor see of it. */
void worker_count_busy(struct worker *);

/* Leaves a slot and wakes who waits for one.  Async-signal-safe. */
void worker_free_slot(struct worker *, uint32_t slot);

/* Until a connection ends, or a moment: a slot or a descriptor may have been freed by another process. */
void worker_wait_for_vacancy(struct worker *);

#endif
