/*
 * thread.c - a thread for each connection, in one process (UNP, chapter 30.10).
 *
 * Cheaper than a process by far, as simple to write; but a crash takes all connections along.
 */
#include <pthread.h>
#include <string.h>

#include "common/log.h"
#include "models/model.h"
#include "server/pump.h"

enum { STACK_SIZE = 65536 };

/* By seat, which holds one connection at a time: what a thread is given needs no allocation and no lock. */
static struct connection *connections;
static struct worker *self;

static struct plan plan(const struct config *config)
{
	uint32_t most = (uint32_t)config->max_connections;

	return (struct plan){ .workers = 1, .most_workers = 1, .conversations = most, .acceptors = 1, .capacity = most };
}

static void *converse(void *given)
{
	struct connection connection = *(struct connection *)given;

	pump_converse(self, &connection, connection.seat);
	worker_close(self, &connection);
	return NULL;
}

static void serve(struct worker *worker)
{
	static struct log_limit limit;
	struct connection connection;
	pthread_attr_t attributes;
	pthread_t thread;

	self = worker;
	connections = worker_reserve(worker->board->seats * sizeof *connections);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	worker_join(worker);
	while (worker_accept(worker, &connection)) {
		struct connection *given = &connections[connection.seat];
		int error;

		*given = connection;
		error = pthread_create(&thread, &attributes, converse, given);
		if (error == 0)
			continue;
		log_limited(&limit, LOG_WARNING, "can't start a thread: %s; a connection is closed", strerror(error));
		worker_close(worker, &connection);
	}
	worker_wait_for_all(worker);
}

const struct model model_thread = {
	.name = "thread",
	.summary = "a thread for each connection, in one process",
	.plan = plan,
	.serve = serve,
};
