/*
 * thread.c - a thread for each connection, in one process (UNP, chapter 30.10).
 *
 * Cheaper than a process by far, as simple to write; but a crash takes all connections along.
 */
#include "models/model.h"
#include "worker/pump.h"

/* By slot, which holds one connection at a time: what a thread is given needs no allocation and no lock. */
static struct connection *handed_over;

static struct plan plan(const struct config *config)
{
	uint32_t most = (uint32_t)config->max_connections;

	return (struct plan){ .workers = 1, .most_workers = 1, .conversations = most, .acceptors = 1,
		              .capacity = most, .makes = SANDBOX_THREADS };
}

static void *converse(void *given)
{
	struct connection connection = *(struct connection *)given;

	pump_converse(&connection, connection.slot, connection.slot);
	worker_close(connection.worker, &connection);
	return NULL;
}

/* Where not one thread can be had, one client at a time is served rather than none. */
static void serve_in_thread(struct worker *worker, struct connection *given)
{
	pthread_t thread;
	int error, tries = 0;

	while ((error = worker_start_thread(&thread, true, converse, given)) != 0)
		if (!worker_wait_out(worker, "can't start a thread", error, tries++)) {
			converse(given);
			break;
		}
}

static void serve(struct worker *worker)
{
	struct connection taken;

	handed_over = worker_reserve(worker->board->slots, sizeof *handed_over);
	worker_ready(worker);
	while (worker_accept(worker, &taken)) {
		struct connection *given = &handed_over[taken.slot];

		*given = taken;
		serve_in_thread(worker, given);
	}
	worker_wait_for_all(worker);
}

const struct model model_thread = {
	.name = "thread",
	.summary = "a thread for each connection, in one process",
	.plan = plan,
	.serve = serve,
};
