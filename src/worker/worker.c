/*
 * worker.c - the process that serves, made ready.
 *
 *   fork ---> opens ------------> SERVES: idle or busy
 *               |                   |  SIGNAL_RETIRE: takes no connection any more
 *               | can't             v
 *               |                 RETIRES ---> exits with 0 when its last connection has ended
 *               v                   |  SIGNAL_DRAIN: cuts all for reading
 *        exits with a               v
 *        sysexits code            DRAINS ----> the same; or with WORKER_CUT when the drain's time is over
 *                                   |  SIGNAL_STOP, SIGNAL_ORPHAN: takes what is queued and nobody else will take
 *                                   v
 *                                 STOPS -----> the same
 *
 * A phase may be skipped, none comes back.  What the supervisor sends waits from the fork on, until worker_open() is
 * done.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/compat.h"
#include "common/log.h"
#include "common/proctitle.h"
#include "worker/worker_parts.h"

enum { STACK_SIZE = 65536 };

_Static_assert((int)SCOREBOARD_LISTENERS == CONFIG_LISTENERS, "what is counted of each listener");

/* NULL, or the call that failed, with errno. */
static const char *open_descriptors(struct worker *worker)
{
	worker->ready_set = -1;
	worker->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	worker->recheck = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (worker->wake < 0 || worker->recheck < 0)
		return "eventfd";
	for (int i = 0; i < worker->listener_count; i++)
		if ((worker->listeners[i].watched = fcntl(worker->listeners[i].fd, F_DUPFD_CLOEXEC, 0)) < 0)
			return "fcntl";
	if (worker->listener_count > 1 && worker_watch_listeners(worker) < 0)
		return "epoll";
	return sem_init(&worker->vacancy, 0, 0) < 0 ? "sem_init" : NULL;
}

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

static uint32_t whole_pages(size_t size)
{
	return (uint32_t)((size + 4095) / 4096 * 4096);
}

void *worker_reserve(size_t count, size_t size)
{
	void *at = MAP_FAILED;
	size_t all;

	errno = ENOMEM;                   /* more than a machine of 32 bits can name */
	if (!__builtin_mul_overflow(count, size, &all))
		at = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (at == MAP_FAILED) {
		log_error("can't reserve %zu times %zu bytes: mmap: %s", count, size, strerror(errno));
		_exit(EX_OSERR);
	}
	return at;
}

/* Makes ready for what is served, with buffers that fit whatever any of it may need. */
static void prepare_services(struct worker *worker)
{
	size_t greatest = 0, longest = CONVERSATION_IN;

	/* without a listener there is a connection, which belongs to the first */
	for (int i = 0; i == 0 || i < worker->listener_count; i++) {
		const struct service *service = &worker->listeners[i].service;
		const struct protocol *protocol = service->protocol;

		greatest = larger(greatest, service->greatest);
		longest = larger(longest, protocol->longest ? protocol->longest(service->data) : service->greatest);
		if (protocol->prepare)
			protocol->prepare();
	}
	worker->in_size = whole_pages(CONVERSATION_IN + greatest);
	worker->out_size = whole_pages(CONVERSATION_OUT + longest);
}

int worker_open(struct worker *worker, uint32_t conversations, int acceptors)
{
	uint32_t slots = worker->board->slots;
	const char *failed;

	prepare_services(worker);
	worker->buffers = worker_reserve(conversations, (size_t)worker->in_size + worker->out_size);
	worker->fds = worker_reserve(slots, sizeof *worker->fds);
	worker->acceptors = worker_reserve((size_t)acceptors, sizeof *worker->acceptors);
	if ((failed = open_descriptors(worker)) != NULL) {
		log_error("%s: can't prepare to serve: %s", failed, strerror(errno));
		return EX_OSERR;
	}
	proctitle_set("aphorismd: %s %u: ", worker->model, worker->number);
	proctitle_mark();
	worker_join(worker);
	if (worker_handle_signals(worker) == 0)
		return 0;
	log_error("can't handle signals: %s", strerror(errno));
	return EX_OSERR;
}

int worker_try_descriptor(const struct worker *worker)
{
	int fd = fcntl(worker->devnull, F_DUPFD_CLOEXEC, 0);

	if (fd < 0) {
		log_error("no descriptor is left for a connection: %s", strerror(errno));
		return EX_OSERR;
	}
	close(fd);
	return 0;
}

int worker_start_thread(pthread_t *thread, bool detached, void *(*run)(void *), void *given)
{
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_attr_setdetachstate(&attributes, detached ? PTHREAD_CREATE_DETACHED : PTHREAD_CREATE_JOINABLE);
	return compat_start_thread(thread, &attributes, run, given);
}

void worker_join(struct worker *worker)
{
	int number = atomic_fetch_add(&worker->acceptor_count, 1);

	atomic_store(&worker->acceptors[number], gettid());
}
