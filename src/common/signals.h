/*
 * signals.h - what a worker is told by signals.
 */
#ifndef COMMON_SIGNALS_H
#define COMMON_SIGNALS_H

#include <signal.h>

/* What the supervisor sends: drain and stop to a worker's process group, retire and recheck to the worker alone. */
enum worker_signal {
	SIGNAL_RETIRE = SIGUSR1,
	SIGNAL_DRAIN = SIGHUP,
	SIGNAL_STOP = SIGTERM,
	SIGNAL_RECHECK = SIGWINCH,        /* look whether connections are queued: see worker_listens_no_more() */
	SIGNAL_ORPHAN = SIGUSR2,          /* from the kernel: the supervisor is dead */
};

#endif
