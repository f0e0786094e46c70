/*
 * model.h - a concurrency model: one loop, and how many of it.  A table with a row per model.
 */
#ifndef MODELS_MODEL_H
#define MODELS_MODEL_H

#include "config/config.h"
#include "sandbox/sandbox.h"
#include "worker/worker.h"

/* How many of everything a model wants under a configuration. */
struct plan {
	uint32_t workers;                 /* processes to start with */
	uint32_t most_workers;            /* and at most */
	uint32_t conversations;           /* in one worker, at once, that need buffers of their own */
	uint32_t acceptors;               /* threads of one worker that wait for connections */
	uint32_t counter_sets;            /* in a worker: one to each conversation; 0: to each CPU, for all */
	uint32_t capacity;                /* connections that all workers together can serve at once */
	int32_t least_idle, most_idle;    /* of an elastic pool: outside of these it is adjusted */
	unsigned makes;                   /* what its workers need beside serving: see sandbox/sandbox.h */
};

struct model {
	const char *name, *summary;
	const struct section *section;    /* its own keys in the configuration, or NULL */
	bool nonblocking;                 /* it needs its listeners so */
	bool sees_waits;                  /* it hears of input before it turns to it, and records by recorder_time() */
	/* see model_lacks(); may be NULL */
	const char *(*lacks)(const struct config *, const char **key);
	struct plan (*plan)(const struct config *);
	/* of an elastic pool: how many workers to add (or, negative, to retire), by how many there are; else NULL */
	int (*adjust)(const struct config *, int all, int idle);
	/*
	 * Opens what the sandbox will deny, in a worker that was made ready by worker_open().  Returns 0, or a
	 * sysexits code after logging the reason.  May be NULL.
	 */
	int (*open)(struct worker *);
	/*
	 * Says worker_ready() when all that it needs is open, exits with EX_OSERR if that can't be; then serves until
	 * the worker is told to stop.  Runs in a process of its own.
	 */
	void (*serve)(struct worker *);
};

/* A row per model, in the order in which they are shown. */
#define MODELS(row) \
	row(iterative) \
	row(fork) \
	row(thread) \
	row(prefork) \
	row(threadpool) \
	row(event)

#define MODEL_DECLARED(name) extern const struct model model_##name;
MODELS(MODEL_DECLARED)

/* The rows, ended by NULL. */
extern const struct model *const models[];

/* The row of that name, or NULL. */
const struct model *model_find(const char *name);

/* What this system lacks for a configuration, and the key that asks for it; NULL when that is nothing. */
const char *model_lacks(const struct config *, const char **key);

/* What the configuration has to know of models and protocols. */
const struct config_schema *model_schema(void);

/* A model's own keys, as the struct that its section describes. */
const void *model_keys(const struct config *, const struct section *);

#endif
