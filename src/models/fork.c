/*
 * fork.c - a process for each connection (UNP, chapter 30.5; inetd, and most servers of the first decades).
 *
 * A child's crash hurts one client alone, and the kernel isolates clients from each other; the price is a fork per
 * connection, most of it page tables.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/log.h"
#include "models/model.h"
#include "worker/pump.h"

/*
 * By slot.  Written by the loop and by the handler, which never run at the same time: the process has one thread.  The
 * numbers are volatile, since the loop must have stored one before it looks at `unknown`.
 */
static volatile pid_t *pids;
static struct connection *connections;
static uint32_t highest;

static volatile sig_atomic_t crashed;
static volatile pid_t unknown;            /* a child that ended before fork() had told us its number */

static struct plan plan(const struct config *config)
{
	return (struct plan){ .workers = 1, .most_workers = 1, .conversations = 1, .acceptors = 1,
		              .capacity = (uint32_t)config->max_connections, .makes = SANDBOX_PROCESSES };
}

static bool forget(pid_t pid)
{
	for (uint32_t slot = 0; slot <= highest; slot++) {
		if (pids[slot] != pid)
			continue;
		pids[slot] = 0;
		worker_leave(connections[slot].worker, slot);
		return true;
	}
	return false;
}

/* In the handler itself: a flag would leave a gap between its test and accept's sleep, and zombies in it. */
static void on_child(int signal)
{
	int error = errno, status;
	pid_t pid;

	(void)signal;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (!WIFEXITED(status) || (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != WORKER_CUT))
			crashed++;
		if (!forget(pid))
			unknown = pid;
	}
	errno = error;
}

static void note_crashes(void)
{
	static int noted;

	if (crashed == noted)
		return;
	log_error("%d child processes died", (int)(crashed - noted));
	noted = crashed;
}

static void serve_here(struct worker *worker, struct connection *connection)
{
	pump_converse(connection, 0, 0);
	worker_close(worker, connection);
}

/* Where not one child can be had, one client at a time is served rather than none: there is none to isolate it from. */
static void serve_in_child(struct worker *worker, struct connection *connection)
{
	uint32_t slot = connection->slot;
	pid_t pid;

	connections[slot] = *connection;
	if (slot > highest)
		highest = slot;
	unknown = 0;
	for (int tries = 0; (pid = fork()) < 0; tries++)
		if (!worker_wait_out(worker, "can't fork", errno, tries)) {
			serve_here(worker, connection);
			return;
		}
	if (pid == 0) {
		worker_become_child(worker);
		pump_converse(connection, 0, 0);
		_exit(0);         /* which closes; the slot is the parent's to leave */
	}
	worker_hand_over(worker, connection);     /* before the handler can leave the slot, and another take it */
	pids[slot] = pid;
	if (unknown == pid)
		forget(pid);      /* the handler came before its number did */
}

static void serve(struct worker *worker)
{
	struct sigaction action = { .sa_handler = on_child, .sa_flags = SA_NOCLDSTOP };
	struct connection connection;

	pids = worker_reserve(worker->board->slots, sizeof *pids);
	connections = worker_reserve(worker->board->slots, sizeof *connections);
	sigfillset(&action.sa_mask);
	if (sigaction(SIGCHLD, &action, NULL) < 0)
		exit(EX_OSERR);
	worker_ready(worker);
	while (worker_accept(worker, &connection)) {
		serve_in_child(worker, &connection);
		note_crashes();
	}
	worker_wait_for_all(worker);
}

const struct model model_fork = {
	.name = "fork",
	.summary = "a process for each connection",
	.plan = plan,
	.serve = serve,
};
