/*
 * generation.h - the workers of one configuration.
 *
 * Started, kept alive, adjusted in number, drained, all without knowing what the model does.  Process ids, and who is
 * ready, are kept here, in the supervisor's own memory; what workers write into the scoreboard only steers how many
 * there are.
 */
#ifndef APHORISMD_GENERATION_H
#define APHORISMD_GENERATION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "aphorismd/privileges.h"
#include "aphorismd/snapshot.h"
#include "metrics/scoreboard.h"
#include "models/model.h"
#include "net/listener.h"
#include "worker/worker.h"

enum generation_state {
	GENERATION_STARTS,                /* not all of its first workers are ready */
	GENERATION_SERVES,
	GENERATION_DRAINS,                /* was told to go */
	GENERATION_FAILED,                /* can't start, or its workers say that it makes no sense to go on */
};

/* What every worker is given; set by a start, before there is any. */
struct generation;
extern struct environment {
	struct privileges privileges;     /* whom they become, and files of ours belong to */
	int devnull, notices;             /* the latter a pipe that workers write to: see notices.c */
	/* closes and unmaps, in a worker, what is not its generation's */
	void (*forget)(const struct generation *);
	bool confined;                    /* the supervisor has found nothing lacking in the sandbox */
} environment;

struct member {
	pid_t pid;                        /* also its process group's id; 0: no such worker */
	bool ready, retiring, dead;       /* dead: reaped, but children of its own live on */
	_Atomic bool *says_ready;         /* in memory that it alone has beside us; NULL: not any more */
	uint64_t end_us;                  /* killed then: not ready yet, or told to drain alone; else 0 */
	uint64_t began_us;
	uint64_t connections_before, questions_before;            /* of those that were in its row before it */
};

struct generation {
	uint32_t number;
	enum generation_state state;
	int status;                       /* of FAILED: a sysexits code */
	struct snapshot snapshot;
	const struct model *model;
	struct plan plan;
	struct scoreboard *board;
	struct listener *listeners[CONFIG_LISTENERS];
	struct member *members;           /* as many as the board has rows */
	uint64_t deadline_us;             /* STARTS: ready by then; DRAINS: killed then */
	uint64_t fork_us, pause_us;       /* no fork before; the present back-off */
	uint64_t refill_us;               /* of the tokens that replacements take */
	uint64_t retire_us;               /* no worker retires before */
	uint32_t tokens, to_replace;      /* to_replace: workers that died though ready */
	int missing;                      /* workers, as last counted; less than 0: so many are too many */
	uint32_t failures;
	uint32_t awaited;                 /* STARTS: so many must be ready before it serves */
	bool killed;                      /* its processes were, by us */
	bool queued;                      /* was told to stop, and nobody has yet taken the queues to their end */
	bool step_failed;                 /* a worker has died unready since the last fork: the pause has begun */
};

/*
 * A generation without workers.  Takes over the snapshot; listeners stay the caller's, in the order of the
 * configuration, and outlive it.  NULL with errno when there is no memory.
 */
struct generation *generation_new(uint32_t number, struct snapshot *, struct listener *const *);
void generation_free(struct generation *);

/*
 * Does what is due now: forks workers that are missing, retires those that are too many, sees who is ready, ends what
 * is late.  Never blocks.
 */
void generation_tend(struct generation *, uint64_t now_us);

/* When something will be due that no event announces; UINT64_MAX for never. */
uint64_t generation_due_us(const struct generation *, uint64_t now_us);

/* A process was reaped: true if it was a worker of this generation. */
bool generation_reaped(struct generation *, pid_t, int wait_status, uint64_t now_us);

/*
 * Tells one worker to drain; another takes its place at once.  Returns 0, or a sysexits code with the reason why not
 * (static): EX_TEMPFAIL where that will pass.
 */
int generation_drain(struct generation *, uint32_t number, uint64_t now_us, const char **reason);

/* Tells all workers to drain or to stop; after drain_us more they are killed. */
void generation_end(struct generation *, enum worker_signal, uint64_t now_us);

/* Kills all processes at once; no new ones are started. */
void generation_kill(struct generation *, uint64_t now_us);

/* Has workers that share listeners recheck these: see worker_listens_no_more(). */
void generation_recheck(struct generation *);

/* Whether any generation has forked a worker since that was asked for last. */
bool generation_has_forked(void);

/* Has the last process left? */
bool generation_is_gone(const struct generation *);

static inline bool generation_is_alive(const struct member *member)
{
	return member->pid > 0 && !member->dead;
}

/* What the scoreboard says of a worker; one that lies may say anything. */
enum worker_state generation_worker_state(const struct generation *, uint32_t number);

/* Workers that are alive, and how many of them have nothing to do. */
void generation_count(const struct generation *, int *all, int *idle);

/*
 * ---- among its two files ----
 *
 *   generation.c          workers started, adjusted in number, told to go
 *   generation_deaths.c   workers that become ready, each by a word of its own, and that die: whether, and when,
 *                         others are tried; how many there are
 */

/* Not ready yet at a time: so few are lost when none can start. */
enum { GENERATION_STARTING = 4 };

/* A page for the worker that is to be forked at that place.  False with errno when there is none. */
bool generation_open_ready(struct generation *, uint32_t number);

/* In a worker: the one for it; the others have gone from its memory. */
_Atomic bool *generation_keep_ready(const struct generation *, uint32_t number);

void generation_close_ready(struct member *);

/* Sees who has said that it is ready, and kills who is late with that, or with a drain; returns how many are ready. */
uint32_t generation_see_ready(struct generation *, uint64_t now_us);

/*
 * The system grants no other process now.  A start waits for no more workers than there are, and the others are tried
 * again later; where there is none it has failed.
 */
void generation_lacks_process(struct generation *, uint64_t now_us);

/* No fork any more; a sysexits code says why. */
void generation_fail(struct generation *, int status);

/*
 * A worker's row is free again when the last process of its group has left: children of a fork worker may outlive
 * it.
 */
void generation_release_rows(struct generation *);

#endif
