/*
 * setup.h - what a start does once: the surroundings of all workers, privileges, pidfile, log, control socket; and
 * letting go of whoever started us.
 */
#ifndef APHORISMD_SETUP_H
#define APHORISMD_SETUP_H

#include "aphorismd/doctor.h"
#include "aphorismd/generation.h"
#include "aphorismd/options.h"
#include "net/listener.h"

/*
 * Before anything else: finds out whom this process replaces and whether a service manager listens, opens /dev/null,
 * leaves folder and umask of whoever started it, adopts orphans.  launcher: from daemonize(), or -1.  Returns NULL, or
 * what can't be had, with errno.
 */
const char *setup_open(const struct options *, int launcher);

/* What every worker is given; `told` and `forget` are the loop's to fill in. */
struct surroundings *setup_surroundings(void);

/* Those of the command line. */
const struct options *setup_options(void);

/*
 * By the first configuration: resolves the user, locks the pidfile, opens log and control socket, enters the sandbox.
 * Returns 0, or a sysexits code, complained about.
 */
int setup_enter(const struct config *);

/* Whom files of ours are to belong to. */
struct listener_owner setup_owner(void);

/* The path of the control socket; "" where there is none. */
const char *setup_control_path(void);

/* What is amiss with sandbox, user and pidfile. */
void setup_check(const struct doctor_ear *);

/* Nothing holds the terminal of whoever started us any longer. */
void setup_detach(void);

/*
 * We are ready: lets go of the launcher.  A start that was given up, by who waited for it or by a time limit of theirs,
 * is to leave no daemon behind: where it has gone the daemon is to stop.
 */
void setup_release_launcher(void);

/*
 * At the end: tells the service manager of a failure, and the launcher how it went, if it has not been let go of yet.
 * Returns the status to exit with.
 */
int setup_close(void);

/* Closes, in a worker, what is not its, and detaches it where the supervisor is not yet. */
void setup_forget(void);

#endif
