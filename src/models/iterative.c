/*
 * iterative.c - one process, one connection after another (UNP, chapter 30.4: the control of the experiment).
 *
 * Nothing is cheaper, and nothing is more easily held up: whoever is served keeps all others waiting in the backlog.
 */
#include "models/model.h"
#include "worker/pump.h"

static struct plan plan(const struct config *config)
{
	(void)config;
	return (struct plan){ .workers = 1, .most_workers = 1, .conversations = 1, .acceptors = 1,
		              .counter_sets = 1, .capacity = 1 };
}

static void serve(struct worker *worker)
{
	struct connection connection;

	worker_ready(worker);
	while (worker_accept(worker, &connection)) {
		pump_converse(&connection, 0, 0);
		worker_close(worker, &connection);
	}
}

const struct model model_iterative = {
	.name = "iterative",
	.summary = "one process serves one connection after another",
	.plan = plan,
	.serve = serve,
};
