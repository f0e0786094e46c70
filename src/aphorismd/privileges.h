/*
 * privileges.h - who the workers are.
 */
#ifndef APHORISMD_PRIVILEGES_H
#define APHORISMD_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

#include "config/config.h"
#include "worker/worker.h"

struct privileges {
	bool drop;                        /* we are root and are to become somebody else */
	uid_t uid;
	gid_t gid;
};

enum { PRIVILEGES_REASON = 256 };

/*
 * Finds whom process.user and process.group name, by number where there is no such name.  Returns 0, or EX_CONFIG with
 * the reason.  An ordinary user stays who he is: the default user is ignored, another one is an error.
 */
int privileges_resolve(struct privileges *, const struct config *, char *reason);

/* Do workers stay root? */
bool privileges_are_roots(const struct privileges *);

/* At a start: logs a warning if they do. */
void privileges_warn(const struct privileges *, const struct config *);

/*
 * Raises the process's readiness to be killed when memory runs out: rather a worker than the supervisor, and rather the
 * loader, whose work can be done again later, than a worker.
 */
enum { PRIVILEGES_OOM_WORKER = 500, PRIVILEGES_OOM_LOADER = 1000 };
void privileges_offer_to_oom_killer(int score);

/*
 * In a worker: gives up everything that serving needs not, for good, and verifies that it can't come back; of
 * capabilities it keeps none, whoever started the daemon.  Returns 0, or EX_NOPERM, logged.
 */
int privileges_drop(const struct privileges *);

/*
 * In a worker, when all is open: enters the sandbox as process.sandbox says.  makes: see sandbox/sandbox.h.  expected:
 * whether it is worth a warning under "auto" when something is lacking; the supervisor knows whether it was said.
 * Returns 0, or EX_OSERR when what is required is lacking, logged.
 */
int privileges_confine(const struct worker *, unsigned makes, bool expected);

/*
 * In the supervisor, once it has started: keeps those of its capabilities that a running daemon needs (to fork workers
 * as another user, to signal them, to bind low ports; of root's also, to be put in effect for the moment, to give a
 * socket's file to its user) and gives up the rest.  A failure is logged.
 */
void privileges_reduce(void);

/* Gives up all capabilities.  False with errno when that is not done. */
bool privileges_keep_none(void);

/* In a loader: gives up all capabilities but those to read whatever file is named.  A failure is logged. */
void privileges_read_only(void);

#endif
