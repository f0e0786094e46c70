/*
 * load.h - the generator: clients that ask, verify every answer byte for byte, and time it.
 *
 * Clients come in crowds of like ones, so that greedy or dripping clients stand beside polite ones in one load.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/histogram.h"

enum {
	LOAD_CROWDS = 2,
	LOAD_GONE_US = 5 * 1000 * 1000,   /* a server that is started anew is back sooner */
};

/* What went wrong with a question, one kind each; load_error_names gives a word and a one-line meaning. */
enum load_error {
	LOAD_REFUSED,                     /* nobody listens */
	LOAD_UNCONNECTED,                 /* any other failure to connect */
	LOAD_RESET,                       /* the connection was reset before the answer */
	LOAD_LOST,                        /* it ended in good order, without the answer */
	LOAD_TURNED_AWAY,                 /* an "Error: ..." of the server's own */
	LOAD_WRONG,                       /* other bytes than the table's answer */
	LOAD_LATE,                        /* no answer by the client's time-out */
	LOAD_ERRORS,
};

struct load_error_name {
	const char *name, *meaning;
};
extern const struct load_error_name load_error_names[LOAD_ERRORS];

/* How the clients of a crowd behave. */
struct crowd {
	uint32_t connections;             /* held open at once */
	uint32_t pipeline;                /* questions in flight on each */
	uint64_t per_connection;          /* questions before the client connects anew; 0: as many as it can */
	uint64_t think_us;                /* pause between an answer and the next question */
	bool drips;                       /* sends a question byte by byte, one per think_us, and never ends it */
	double rate;                      /* open loop: questions a second over all connections; 0: closed loop */
	bool poisson;                     /* arrivals of the open loop; else at even distances */
	uint32_t burst;                   /* open loop: so many questions arrive at once; 0 and 1: one by one */
};

struct load {
	struct sockaddr_storage address;
	socklen_t address_len;
	struct crowd crowds[LOAD_CROWDS]; /* an empty one has no connections */
	uint32_t threads;
	uint64_t warmup_us, duration_us;  /* the warm-up's answers do not count */
	uint64_t count;                   /* ends after so many answers, or when duration_us is over */
	uint64_t timeout_us;              /* of a connection and of each answer */
	uint64_t seed;
	const volatile sig_atomic_t *interrupted;     /* non-zero: end now, with what there is; may be NULL */
	/* called about ten times a second from the calling thread, with the share done; may be NULL */
	void (*progress)(void *arg, double share);
	/*
	 * called from the calling thread when the measured time begins, and when it has ended, while all connections
	 * are still open (nothing is asked or counted meanwhile); may be NULL
	 */
	void (*window)(void *arg, bool ends);
	void *arg;
};

/* What one crowd saw after the warm-up. */
struct crowd_result {
	/*
	 * Response time in ns, from when the client wanted to ask: open loop the intended start; closed loop the
	 * sending, or where it had to connect for the question the connecting.  Questions that never came count with
	 * their wait.
	 */
	struct histogram response;
	struct histogram service;         /* ns, from sending; answers only */
	uint64_t answers;
	uint64_t unasked;                 /* open loop: their time had come, but too many waited, or we were late */
	uint64_t errors[LOAD_ERRORS];
	uint32_t never_served;            /* clients without an answer though they waited for most of the time */
	uint64_t longest_wait_us;         /* for an answer, those that never came included */
	double fairness;                  /* Jain's index over the clients' answers; 1 is fair, 1/n is all for one */
};

struct load_result {
	struct crowd_result crowds[LOAD_CROWDS];
	double seconds;                   /* that were measured */
	/* the generator was the bottleneck, or was itself held up: the figures say nothing of the server */
	bool saturated;
	bool gone;                        /* it ended before its time: nobody listened any more */
	double busy;                      /* the busiest thread's CPU share */
};

/*
 * Runs a load to its end, or until nobody has listened for LOAD_GONE_US.  Blocks; bounded by warmup_us + duration_us +
 * timeout_us.  Returns 0, or -1 after printing the reason in one line (no memory, too few descriptors, no thread).  The
 * result is large and without pointers.
 */
int load_run(const struct load *, struct load_result *);

#endif
