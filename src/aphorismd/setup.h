/*
 * setup.h - what a start does once: the environment of all workers (but for `notices` and `forget`), privileges,
 * pidfile, log, control socket; and letting go of whoever started us.
 */
#ifndef APHORISMD_SETUP_H
#define APHORISMD_SETUP_H

#include "aphorismd/doctor.h"
#include "aphorismd/options.h"

/* What came of it, for all to read. */
extern struct setup {
	const struct options *options;    /* those of the command line */
	char control_path[CONFIG_ADDRESS];        /* of the control socket; "" where there is none */
} setup;

/*
 * Before anything else: finds out whom this process replaces and whether a service manager listens, opens /dev/null,
 * leaves folder and umask of whoever started it, adopts orphans.  launcher: from daemonize(), or -1.  Returns NULL, or
 * what can't be had, with errno.
 */
const char *setup_open(const struct options *, int launcher);

/*
 * By the first configuration: resolves the user, locks the pidfile, opens log and control socket, enters the sandbox.
 * Returns 0, or a sysexits code, complained about.
 */
int setup_enter(const struct config *);

/* What is amiss with sandbox, user and pidfile. */
void setup_check(const struct doctor_ear *);

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
