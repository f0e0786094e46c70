/*
 * supervisor.h - the process that never reads a client's byte: it keeps the workers, the listeners, and the order of
 * events.
 */
#ifndef APHORISMD_SUPERVISOR_H
#define APHORISMD_SUPERVISOR_H

#include "aphorismd/options.h"

/*
 * Runs the daemon in this process, which has one thread, until it is told to stop.  launcher: from daemonize(), or -1
 * in the foreground.  Returns the exit status; the launcher has then been told it too.
 */
int supervisor_run(const struct options *, int launcher);

#endif
