/*
 * threadpool.c - a fixed pool of threads in one process; each serves one connection after another (UNP, chapter
 * 30.11).
 *
 * Every thread blocks in accept, as the workers of prefork do: no queue of ours, no lock, and the kernel wakes one.
 */
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/log.h"
#include "models/model.h"
#include "worker/pump.h"

struct threadpool_keys {
	int64_t threads;
};

static const struct key keys[] = {
	{ .name = "threadpool.threads", .type = KEY_NUMBER, .offset = offsetof(struct threadpool_keys, threads),
	  .value = "16", .least = 1, .most = 10000, .help = "Threads that serve, each one connection at a time." },
	{ .name = NULL },
};

static const struct section section = { "threadpool", keys, sizeof(struct threadpool_keys), NULL };

static struct worker *self;

/* Who is to wait in the backlog is not accepted, so there is no use for more threads than connections. */
static struct plan plan(const struct config *config)
{
	const struct threadpool_keys *own = model_keys(config, &section);
	int64_t most = config->max_connections < own->threads ? config->max_connections : own->threads;
	uint32_t threads = (uint32_t)(config->over_limit == OVER_LIMIT_WAIT ? most : own->threads);

	return (struct plan){ .workers = 1, .most_workers = 1, .conversations = threads, .acceptors = threads,
		              .counter_sets = threads, .capacity = (uint32_t)most, .makes = SANDBOX_THREADS };
}

static void *serve_in_thread(void *number)
{
	struct connection connection;

	if (number)
		worker_join(self);
	while (worker_accept(self, &connection)) {
		pump_converse(&connection, (uint32_t)(uintptr_t)number, (uint32_t)(uintptr_t)number);
		worker_close(self, &connection);
	}
	return NULL;
}

/* The worker's own thread starts the others.  While some are missing it goes on trying; then it serves with them. */
static void serve(struct worker *worker)
{
	uint32_t threads = plan(worker->config).acceptors, started = 1;
	pthread_t *thread = worker_reserve(threads, sizeof *thread);

	self = worker;
	if (threads == 1)
		worker_ready(self);
	while (started < threads && worker_phase(self) == PHASE_SERVES) {
		int error = worker_start_thread(&thread[started], false, serve_in_thread, (void *)(uintptr_t)started);

		if (error != 0 && started == 1) {
			log_error("no thread of the pool can be started: %s", strerror(error));
			exit(EX_OSERR);
		}
		if (error != 0)
			worker_wait_out(self, "threads of the pool are missing", error, 0);
		else if (++started == 2)
			worker_ready(self);
	}
	serve_in_thread(NULL);
	while (--started > 0)
		pthread_join(thread[started], NULL);
}

const struct model model_threadpool = {
	.name = "threadpool",
	.summary = "a fixed pool of threads in one process, each serving one connection after another",
	.section = &section,
	.plan = plan,
	.serve = serve,
};
