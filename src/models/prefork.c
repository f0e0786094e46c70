/*
 * prefork.c - a pool of processes made beforehand; each serves one connection after another (UNP, chapter 30.6).
 *
 * All of them block in accept on one listener, without a lock: the kernel wakes one.  The pool is elastic, as in
 * Apache's prefork: enough spare workers for the next burst, not many more.  A worker leaves after a number of
 * connections if asked to.
 */
#include <unistd.h>

#include "common/clock.h"
#include "models/model.h"
#include "worker/pump.h"

struct prefork_keys {
	int64_t start_workers, min_spare, max_spare, max_workers, max_connections_per_worker;
};

#define NUMBER(member, low, high, value_, help_)                                                                     \
	{                                                                                                            \
		.name = "prefork." #member, .type = KEY_NUMBER, .offset = offsetof(struct prefork_keys, member),     \
		.value = value_, .least = low, .most = high, .help = help_                                           \
	}

static const struct key keys[] = {
	NUMBER(start_workers, 1, 10000, "5", "Workers to start with."),
	NUMBER(min_spare, 1, 10000, "5", "With fewer idle workers than this, more are started."),
	NUMBER(max_spare, 1, 10000, "10", "With more idle workers than this, one retires each second."),
	NUMBER(max_workers, 1, 10000, "150", "Never more workers than this."),
	NUMBER(max_connections_per_worker, 0, 1000000000, "0",
	       "A worker retires after about so many connections; 0 is never."),
	{ .name = NULL },
};

static const char *check(const void *section, const char **key)
{
	const struct prefork_keys *own = section;

	if (own->max_spare < own->min_spare) {
		*key = "prefork.max_spare";
		return "less than prefork.min_spare";
	}
	if (own->max_workers < own->start_workers) {
		*key = "prefork.max_workers";
		return "less than prefork.start_workers";
	}
	if (own->max_workers < own->min_spare) {
		*key = "prefork.max_workers";
		return "less than prefork.min_spare";
	}
	return NULL;
}

static const struct section section = { "prefork", keys, sizeof(struct prefork_keys), check };

static uint32_t least(int64_t a, int64_t b)
{
	return (uint32_t)(a < b ? a : b);
}

/* Who is to wait in the backlog is not accepted, so there is no use for more workers than connections. */
static uint32_t most_workers(const struct config *config)
{
	const struct prefork_keys *own = model_keys(config, &section);

	return config->over_limit == OVER_LIMIT_WAIT ? least(own->max_workers, config->max_connections)
	                                             : (uint32_t)own->max_workers;
}

static struct plan plan(const struct config *config)
{
	const struct prefork_keys *own = model_keys(config, &section);
	uint32_t most = most_workers(config);

	return (struct plan){
		.workers = least(own->start_workers, most),
		.most_workers = most,
		.conversations = 1,
		.acceptors = 1,
		.counter_sets = 1,
		.capacity = least(most, config->max_connections),
		.least_idle = (int32_t)own->min_spare,
		.most_idle = (int32_t)own->max_spare,
	};
}

/* The policy.  All that are missing at once, since somebody may wait; what is too many goes one by one. */
static int adjust(const struct config *config, int all, int idle)
{
	const struct prefork_keys *own = model_keys(config, &section);
	int room = (int)most_workers(config) - all, missing = (int)own->min_spare - idle;

	if (missing > 0)
		return missing < room ? missing : room;
	return idle > own->max_spare ? -1 : 0;
}

/* With jitter, so that workers that began together do not all leave together. */
static uint64_t connections_to_serve(const struct config *config)
{
	const struct prefork_keys *own = model_keys(config, &section);
	uint64_t most = (uint64_t)own->max_connections_per_worker;
	uint64_t seed = (clock_now_us() ^ (uint64_t)getpid() << 20) * 0x9e3779b97f4a7c15u;

	return most == 0 ? UINT64_MAX : most - (seed >> 32) % (most / 8 + 1);
}

static void serve(struct worker *worker)
{
	struct connection connection;
	uint64_t left = connections_to_serve(worker->config);

	worker_ready(worker);
	while (left-- > 0 && worker_accept(worker, &connection)) {
		pump_converse(&connection, 0, 0);
		worker_close(worker, &connection);
	}
}

const struct model model_prefork = {
	.name = "prefork",
	.summary = "an elastic pool of processes, each serving one connection after another",
	.section = &section,
	.plan = plan,
	.adjust = adjust,
	.serve = serve,
};
