/*
 * worker_stop.c - what ends a worker: signal handlers, async-signal-safe throughout.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/compat.h"
#include "net/listener.h"
#include "worker/worker_parts.h"

enum {
	SIGNAL_INTERRUPT = SIGURG,        /* does nothing but end a blocked accept */
	ORPHAN_DRAIN_US = 800 * CLOCK_MS,
	QUEUE_US = CLOCK_S,               /* how long newcomers may keep a queue from getting empty, at most */
};

static struct worker *self;               /* for the handlers; set once before they are */
static _Atomic bool orphaned;

/* setitimer() is a plain system call on Linux; unlike a POSIX timer it needs no preparation in each child. */
static void limit_drain(int64_t drain_us)
{
	struct itimerval end = { .it_value = { drain_us / CLOCK_S, drain_us % CLOCK_S } };
	int64_t queue_us = drain_us / 2 < QUEUE_US ? drain_us / 2 : QUEUE_US;

	atomic_store(&self->queue_until_us, clock_now_us() + (uint64_t)queue_us);
	setitimer(ITIMER_REAL, &end, NULL);
}

bool worker_ends_queue(const struct worker *worker, int number)
{
	int phase = worker_phase(worker);

	if (worker->listeners[number].borrowed)
		return false;
	return (phase == PHASE_STOPS && !atomic_load(&worker->board->shared->has_successor)) ||
	       (phase == PHASE_DRAINS && atomic_load(&worker->board->shared->removed) >> number & 1);
}

static void release_listeners(void)
{
	for (int i = 0; i < self->listener_count; i++) {
		if (worker_ends_queue(self, i))
			listener_nonblocking(self->listeners[i].fd, true);
		else
			dup2(self->devnull, self->listeners[i].fd);
	}
}

/* Handlers of several threads may be at it, each with another phase: none takes back what one has reached. */
static bool reach(int phase)
{
	int before = worker_phase(self);

	while (before < phase)
		if (atomic_compare_exchange_weak(&self->phase, &before, phase))
			return true;
	return false;
}

static void rise_to(enum worker_phase phase)
{
	uint64_t one = 1;
	int pid = getpid(), me = gettid();

	if (!reach((int)phase))
		return;
	release_listeners();
	if (phase >= PHASE_DRAINS) {
		if (!orphaned)
			limit_drain(self->config->drain_us);
		for (uint32_t n = 0; n < self->board->slots; n++) {
			int fd = atomic_load(&self->fds[n]);

			if (fd > 0)
				shutdown(fd, SHUT_RD);
		}
	}
	if (write(self->wake, &one, sizeof one) < 0)
		return;           /* it is full: readable, which is all that matters */
	sem_post(&self->vacancy);
	if (self->acceptors[0] != pid)
		return;           /* a child of the fork model: the list is its parent's */
	for (int i = 0; i < atomic_load(&self->acceptor_count); i++)
		if (self->acceptors[i] != me)
			compat_signal_thread(pid, self->acceptors[i], SIGNAL_INTERRUPT);
}

/*
 * Only the supervisor's word counts.  A stop that reaches a worker alone, by a service manager that signals every
 * process or by somebody's hand, would have it close the queue that all others still serve.  A stranger's signal may
 * have hidden the supervisor's, since of two that are pending the first stays: then the scoreboard tells.
 */
static void on_phase(int signal, siginfo_t *info, void *context)
{
	int phase = signal == SIGNAL_STOP ? PHASE_STOPS : signal == SIGNAL_DRAIN ? PHASE_DRAINS : PHASE_RETIRES;
	int ordered = atomic_load(&self->board->shared->phase), error = errno;

	(void)context;
	rise_to(self->supervisor == 0 || info->si_pid == self->supervisor || phase < ordered ? phase : ordered);
	errno = error;
}

/*
 * The kernel sends this when the parent has gone.  A child of a fork worker that died is adopted by the supervisor and
 * goes on; when it is the supervisor that died, the leader of the group passes the word on to its children.  Any of
 * these can send it, too, so as long as their leader lives they take it from nobody else; when it has gone and nobody
 * of ours has taken its place, whoever says so is right, who may have hidden the kernel's word.
 */
static bool is_orphan(pid_t sender)
{
	pid_t parent = getppid(), leader = getpgrp();

	return self->supervisor > 0 && parent != self->supervisor && (parent != leader || sender == leader);
}

static void on_orphan(int signal, siginfo_t *info, void *context)
{
	bool leads = getpgrp() == getpid();
	int error = errno;

	(void)context;
	if (is_orphan(info->si_pid) && !orphaned) {
		orphaned = true;
		limit_drain(self->config->drain_us < ORPHAN_DRAIN_US ? self->config->drain_us : ORPHAN_DRAIN_US);
		rise_to(PHASE_STOPS);
		if (leads)
			kill(0, signal);
	}
	errno = error;
}

static void on_drain_end(int signal)
{
	(void)signal;
	_exit(WORKER_CUT);
}

static void on_recheck(int signal)
{
	uint64_t one = 1;
	int error = errno;

	(void)signal;
	if (write(self->recheck, &one, sizeof one) < 0)
		errno = error;    /* full is readable too */
}

static void on_interrupt(int signal)
{
	(void)signal;
}

/* For a handler that asks who sent it. */
static bool handle_from(int signal, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };

	sigfillset(&action.sa_mask);
	return sigaction(signal, &action, NULL) == 0;
}

static bool handle(int signal, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };      /* without SA_RESTART: accept is to return */

	sigfillset(&action.sa_mask);
	return sigaction(signal, &action, NULL) == 0;
}

/*
 * The kernel's word that the parent has died; asked for after each change of credentials and each fork, which clear
 * it.
 */
static bool follow_supervisor(void)
{
	if (self->supervisor == 0)
		return true;
	return prctl(PR_SET_PDEATHSIG, SIGNAL_ORPHAN) == 0;
}

int worker_handle_signals(struct worker *worker)
{
	sigset_t none;

	self = worker;
	sigemptyset(&none);
	if (!handle_from(SIGNAL_RETIRE, on_phase) || !handle_from(SIGNAL_DRAIN, on_phase) ||
	    !handle_from(SIGNAL_STOP, on_phase) || !handle_from(SIGNAL_ORPHAN, on_orphan) ||
	    !handle(SIGNAL_RECHECK, on_recheck) || !handle(SIGALRM, on_drain_end) ||
	    !handle(SIGNAL_INTERRUPT, on_interrupt) || !handle(SIGPIPE, SIG_IGN) || !handle(SIGINT, SIG_IGN) ||
	    !handle(SIGQUIT, SIG_DFL) || !handle(SIGCHLD, SIG_DFL) || !follow_supervisor() ||
	    !handle(SIGABRT, SIG_IGN) ||      /* a watchdog's for the supervisor, but sent to all of us */
	    sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return -1;
	if (worker->supervisor > 0 && getppid() != worker->supervisor)
		raise(SIGNAL_ORPHAN);     /* it died before we asked to be told */
	return 0;
}

void worker_become_child(struct worker *worker)
{
	if (!follow_supervisor())
		_exit(EX_OSERR);
	if (worker_phase(worker) >= PHASE_DRAINS)
		limit_drain(orphaned ? ORPHAN_DRAIN_US : worker->config->drain_us);   /* fork leaves the timer behind */
}
