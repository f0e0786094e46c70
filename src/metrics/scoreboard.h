/*
 * scoreboard.h - what the processes of one generation share: who has which slot, who is idle, what was done.
 *
 * One anonymous shared mapping, written without locks: a cache line per slot and per worker, and a page of counts per
 * worker or thread that serves (its counters).  A slot is the right to serve one connection: there are max_connections
 * of them, so the limit holds over all workers whatever the model, and the supervisor frees the slots of a worker that
 * died.  Nothing here says whom to signal: the supervisor takes process ids from its own memory alone, and counts from
 * here only within configured caps.  To whoever reads it, all of it is figures to show, of which any may be a lie.
 */
#ifndef METRICS_SCOREBOARD_H
#define METRICS_SCOREBOARD_H

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/latency.h"
#include "common/log.h"

enum { SCOREBOARD_LISTENERS = 64 };       /* at most */

enum worker_state { WORKER_GONE, WORKER_STARTING, WORKER_IDLE, WORKER_BUSY };

_Static_assert(__atomic_always_lock_free(sizeof(uint64_t), 0) && _Alignof(_Atomic uint64_t) == 8,
               "processes share 64-bit atomics, which must not need a lock");

struct slot {
	_Alignas(64) _Atomic uint32_t owner;      /* 0: free, else the worker's number + 1 */
	uint32_t scope;                           /* of a link-local address: its interface */
	_Atomic uint64_t source;                  /* the name of who is counted for it; 0: nobody */
	uint8_t address[16];                      /* of the peer; IPv4 in its IPv6-mapped form */
	uint16_t port;
	_Atomic uint16_t family;                  /* of the peer; 0: it is not known yet */
	/* of the connection that has the slot; written by whoever serves it */
	_Atomic uint64_t questions, began_us, active_us;          /* when it was taken; when it last asked something */
};

/* What is counted.  Those of the first part by whoever converses, in its counters; the others by whoever accepts. */
enum scoreboard_count {
	COUNT_ANSWERED,                   /* questions, unknown ones too */
	COUNT_UNKNOWN,
	COUNT_BYTES_IN, COUNT_BYTES_OUT,
	COUNT_TOO_LONG,                   /* questions */
	COUNT_MALFORMED,                  /* requests that were none, which ended their connections */
	COUNT_UNFINISHED,                 /* questions that the client's end cut off */
	COUNT_TIMEOUT_QUESTION, COUNT_TIMEOUT_IDLE, COUNT_TIMEOUT_WRITE, COUNT_TIMEOUT_HEADER,
	COUNT_BAD_HEADERS,                /* of the PROXY protocol: missing, malformed or slow */
	COUNT_CONVERSED,
	COUNT_CONNECTIONS = COUNT_CONVERSED,
	COUNT_REFUSED_LIMIT, COUNT_REFUSED_SOURCE,        /* max_connections, max_connections_per_source */
	COUNT_DENIED,
	COUNT_ACCEPT_WAITS,               /* clients waited while there was no slot, descriptor, process or thread */
	COUNT_ALL,
};

struct worker_row {
	_Alignas(64) _Atomic uint32_t state;      /* enum worker_state */
	_Atomic uint32_t held;                    /* connections, of a worker that shares listeners with event loops */
	_Atomic uint64_t count[COUNT_ALL - COUNT_CONVERSED];
};

/* As struct latency, in shared memory. */
struct latency_shared {
	_Atomic uint64_t sum_ns, largest_ns, buckets[LATENCY_BUCKETS];
};

/*
 * A page, which a child of the fork model pays for with one fault.  Of questions: how long they waited for their turn
 * after the kernel had told of them, where the model hears of them before, and from there until the answer was handed
 * to it.
 */
struct counters {
	_Alignas(4096) _Atomic uint64_t count[COUNT_CONVERSED];
	struct latency_shared wait, service;
};
_Static_assert(sizeof(struct counters) == 4096, "the counters have outgrown their page");

/* What is said at most once in a while, however many workers have reason to. */
enum scoreboard_limit { LIMIT_SLOTS, LIMIT_SOURCE, LIMIT_SHORTAGE, LIMIT_HEADER, LIMIT_COUNT };

struct scoreboard_shared {
	_Atomic int32_t idle;                     /* a hint: the supervisor recounts */
	_Atomic uint32_t notified;                /* by a notice, which the supervisor has not taken yet */
	_Atomic int phase;                        /* of a worker: the least that the supervisor has told all to be in */
	_Atomic int has_successor;                /* another process has the queues, too, even if we are killed */
	_Atomic uint64_t removed;                 /* bit i: no successor for listener i, its queue is taken at drains */
	_Atomic uint32_t taken_at_end[SCOREBOARD_LISTENERS];  /* of each listener's queue, when that has no successor */
	_Atomic int log_level;                    /* which workers follow; the supervisor has its own */
	struct log_limit limits[LIMIT_COUNT];
};

/*
 * How many connections each source holds, over all workers.  A source is an IPv4 address or an IPv6 /64; where a
 * prefix does not tell clients apart it is a whole address: a link-local one, with its interface, and one that a
 * translator has made of an IPv4 address (RFC 6052).
 *
 * A hash table in shared memory, without locks.  An entry is one word, a fingerprint and a count, so that one
 * compare-and-swap enters a source, counts, or leaves; where the count is 0 it is free.  A source belongs into one set
 * of 16 entries, and who looks for it looks at all of them, so nothing need mark where an entry has been.  Should two
 * workers enter the same source at once in two places, the sum of both counts.
 *
 * The table has levels, each four times as large as the one before, and a level is used from when a set of the one
 * before is full: so its memory goes by the sources that are there, and the time to look by the logarithm of how many
 * there were at the most.  The last level alone has four entries for each slot, and the hash has a key that no client
 * knows: that a source finds no room in it does not happen.  If it did the source would come in and not be counted:
 * better a limit that fails than an innocent who is refused.
 *
 * It may err on one side alone.  A slot notes its source before it is counted and forgets it after it is counted no
 * more, so a process that dies between the two leaves a source that counts too little, until its other connections have
 * gone; never one that is refused for ever.  A worker that was taken over can write any count here, and no more: where
 * an entry lies follows from the hash and from sizes that each process has to itself.
 */
enum { SOURCES_COUNT_BITS = 24, SOURCES_COUNT = (1 << SOURCES_COUNT_BITS) - 1 };

struct source {
	_Atomic uint64_t held;            /* 40 bits of the hash, 24 bits of how many connections */
	_Atomic uint64_t bucket;          /* a place for a rate of the source's own; nothing uses it yet */
};

struct sources {
	uint8_t key[16];
	uint32_t levels;
	_Atomic uint32_t *deeper;         /* shared: how many levels beyond the first have ever been used */
	struct source *entry;             /* shared: level after level */
};

/* Each process has its own of this: sizes and addresses are not where a worker could change them for the others. */
struct scoreboard {
	uint32_t slots, workers, counter_sets;    /* the last for each worker */
	uint32_t pages;                           /* of slots */
	uint32_t used;                            /* workers there have ever been: the rows from here on are not read */
	int32_t least_idle, most_idle;            /* outside of these the supervisor wants to know */
	struct scoreboard_shared *shared;
	struct worker_row *row;
	struct counters *counters;
	struct slot *slot;
	_Atomic uint64_t *taken;                  /* a word per page of slots, a bit per slot: a hint */
	_Atomic uint64_t *full;                   /* a bit per page of slots: a hint */
	_Atomic uint64_t *touched;                /* a bit per page: somebody has had a slot there */
	struct sources sources;
};

struct scoreboard_totals {
	uint64_t count[COUNT_ALL];
	struct latency wait, service;
	uint32_t connections_open;                /* now */
};

/*
 * A fresh scoreboard of that many slots and workers, and so many sets of counters for each worker; or NULL (errno).
 * Unmapped by scoreboard_free(), in the supervisor only.
 */
struct scoreboard *scoreboard_new(uint32_t slots, uint32_t workers, uint32_t counter_sets);
void scoreboard_free(struct scoreboard *);

/*
 * Takes the first free slot from that one on for a worker, or else one before it; -1 when all are taken.  So what is
 * held at a time lies close together, and who walks over it has little to walk.  Lock-free, never blocks; it looks at a
 * bit for each page of slots that is full, and at none of its slots.  The second leaves it, and is async-signal-safe.
 */
int scoreboard_take(struct scoreboard *, uint32_t worker, uint32_t from);
void scoreboard_leave(struct scoreboard *, uint32_t slot);

/* Frees all slots of a worker that is gone; returns how many there were. */
uint32_t scoreboard_evict(struct scoreboard *, uint32_t worker);

/*
 * For who walks over all slots: the first from that one on that may ever have been taken; the number of slots where
 * there is none.  To look at another would cost memory.
 */
uint32_t scoreboard_next(const struct scoreboard *, uint32_t slot);

/*
 * Notes the slot's peer.  Returns false when, with limit > 0, the peer's source (see struct sources) already holds that
 * many slots; the caller then leaves the slot.  UNIX peers have no source.
 */
bool scoreboard_set_peer(struct scoreboard *, uint32_t slot, const struct sockaddr *, uint32_t limit);

/* The slot's peer, IPv4 in its IPv6-mapped form; a UNIX peer has a family alone. */
struct sockaddr_in6 scoreboard_sockaddr(const struct slot *);

/* "127.0.0.1:4711", "[::1]:4711" or "unix:" of the slot's peer; the text is in `to`. */
const char *scoreboard_peer(const struct slot *, char *to, size_t size);

/* Sums over all workers, added to *totals. */
void scoreboard_sum(const struct scoreboard *, struct scoreboard_totals *);

/* One count of a worker and of those in its row before it.  Async-signal-safe. */
uint64_t scoreboard_counted(const struct scoreboard *, uint32_t worker, enum scoreboard_count);

/* How many connections ended by a time-out, of whatever kind; how many were refused. */
uint64_t scoreboard_timeouts(const struct scoreboard_totals *);
uint64_t scoreboard_refused(const struct scoreboard_totals *);

/* Adds to what an acceptor of that worker counts. */
static inline void scoreboard_count(struct scoreboard *board, uint32_t worker, enum scoreboard_count what)
{
	atomic_fetch_add_explicit(&board->row[worker].count[what - COUNT_CONVERSED], 1, memory_order_relaxed);
}

/* Adds to a counter that only the caller writes: no locked instruction is needed. */
static inline void scoreboard_add(_Atomic uint64_t *counter, uint64_t n)
{
	uint64_t now = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, now + n, memory_order_relaxed);
}

#endif
