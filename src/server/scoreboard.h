/*
 * scoreboard.h - what the processes of one generation share: who sits where, who is idle, what was done.
 *
 * One anonymous shared mapping, a cache line per seat and per worker, written without locks.  A seat is the right to
 * serve one connection: there are max_connections of them, so the limit holds over all workers whatever the model,
 * and the supervisor frees the seats of a worker that died.  Nothing here says whom to signal: the supervisor takes
 * process ids from its own memory alone, and counts from here only within configured caps.
 */
#ifndef SERVER_SCOREBOARD_H
#define SERVER_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/log.h"

enum worker_state { WORKER_GONE, WORKER_STARTING, WORKER_IDLE, WORKER_BUSY };

struct seat {
	_Alignas(64) _Atomic uint32_t owner;      /* 0: free, else the worker's number + 1 */
	_Atomic uint32_t turn;                    /* the order in which the seats of one source were taken */
	_Atomic uint64_t source;                  /* an IPv4 address or an IPv6 /64 as a number; 0: none */
	uint8_t address[16];                      /* of the peer; IPv4 in its IPv6-mapped form */
	uint16_t port;
	_Atomic uint16_t family;                  /* of the peer; 0: nobody sits here yet */
	/* counted over all connections that sat here; written by the one that sits here now */
	_Atomic uint64_t connections, questions, timeouts;
};

struct worker_row {
	_Alignas(64) _Atomic uint32_t state;      /* enum worker_state */
	_Atomic uint32_t held;                    /* connections, of a worker that shares listeners with event loops */
	_Atomic uint64_t refused, denied;
};

/* What is said at most once in a while, however many workers have reason to. */
enum scoreboard_limit { LIMIT_SEATS, LIMIT_SOURCE, LIMIT_SHORTAGE, LIMIT_COUNT };

struct scoreboard_shared {
	_Atomic int32_t idle;                     /* a hint: the supervisor recounts */
	_Atomic uint32_t told;                    /* the supervisor has been told and has not looked yet */
	_Atomic uint32_t turns;
	_Atomic int phase;                        /* of a worker: the least that the supervisor has told all to be in */
	_Atomic uint64_t removed;                 /* bit i: listener i has no heir, its queue is taken at a drain */
	struct log_limit limits[LIMIT_COUNT];
};

/* Each process has its own of this: sizes and addresses are not where a worker could change them for the others. */
struct scoreboard {
	uint32_t seats, workers;
	int32_t least_idle, most_idle;            /* outside of these the supervisor wants to know */
	struct scoreboard_shared *shared;
	struct worker_row *row;
	struct seat *seat;
};

struct scoreboard_totals {
	uint64_t connections, questions, timeouts, refused, denied;
	uint32_t seated;                          /* connections that are open now */
};

/*
 * A fresh scoreboard of that many seats and workers, or NULL (errno).  Unmapped by scoreboard_free(), in the
 * supervisor only.
 */
struct scoreboard *scoreboard_new(uint32_t seats, uint32_t workers);
void scoreboard_free(struct scoreboard *);

/* Takes a free seat for a worker, searching from `hint` on; -1 when all are taken.  Lock-free, never blocks. */
int scoreboard_take(struct scoreboard *, uint32_t worker, uint32_t hint);
void scoreboard_leave(struct scoreboard *, uint32_t seat);

/* Frees all seats of a worker that is gone; returns how many there were. */
uint32_t scoreboard_evict(struct scoreboard *, uint32_t worker);

/*
 * Notes who sits there.  Returns false when, with limit > 0, the peer's source (an IPv4 address or an IPv6 /64)
 * already holds that many seats; the caller then leaves the seat.  UNIX peers have no source.
 */
bool scoreboard_seat_peer(struct scoreboard *, uint32_t seat, const struct sockaddr *, uint32_t limit);

/* "127.0.0.1:4711", "[::1]:4711" or "unix:" of who sits there; the text is in `to`. */
const char *scoreboard_peer(const struct seat *, char *to, size_t size);

/* Sums over all seats and workers, added to *totals (seated too). */
void scoreboard_sum(const struct scoreboard *, struct scoreboard_totals *);

/* Adds to a counter that only the caller writes: no locked instruction is needed. */
static inline void scoreboard_add(_Atomic uint64_t *counter, uint64_t n)
{
	uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, now + n, memory_order_relaxed);
}

#endif
