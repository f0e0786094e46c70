/*
 * run.c - the subcommand `run`: loads a server that is up.
 */
#include "aphorism-bench/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorism-bench/interrupt.h"
#include "aphorism-bench/json.h"
#include "aphorism-bench/load.h"
#include "aphorism-bench/progress.h"
#include "aphorism-bench/publish.h"
#include "aphorism-bench/rounds.h"
#include "aphorism-bench/view.h"
#include "common/clock.h"
#include "common/endpoint.h"
#include "common/plain.h"

enum { PORT = 1060, CONNECTIONS = 64, DURATION_US = 10 * CLOCK_S, WARMUP_US = CLOCK_S, EX_WRONG = 1 };

/* With a count of questions and no time: as long as it takes. */
static const uint64_t no_end_us = UINT64_C(365) * 24 * 3600 * CLOCK_S;

static void make_load(struct load *load, const struct options *options)
{
	struct crowd crowd = {
		.connections = options->connection_count > 0 ? options->connections[0] : CONNECTIONS,
		.pipeline = (uint32_t)options->pipeline,
		.per_connection = options->per_connection,
		.think_us = (uint64_t)options->think_us,
		.rate = (double)options->rate,
		.poisson = options->arrivals && strcmp(options->arrivals, "poisson") == 0,
		.burst = (uint32_t)options->burst,
	};
	struct crowd drippers = {
		.connections = (uint32_t)options->drippers, .pipeline = 1, .drips = true, .think_us = CLOCK_S,
	};

	load->crowds[0] = crowd;
	load->crowds[1] = drippers;
	load->threads = (uint32_t)options->threads;
	load->count = options->count;
	load->timeout_us = (uint64_t)options->timeout_us;
	load->seed = options->seed;
	load->interrupted = &interrupted;
	/* who counts questions wants them all counted */
	load->warmup_us = options->warmup_us >= 0 ? (uint64_t)options->warmup_us : options->count > 0 ? 0 : WARMUP_US;
	load->duration_us = (uint64_t)options->duration_us;
	if (load->duration_us == 0)
		load->duration_us = options->count > 0 ? no_end_us : DURATION_US;
}

/* Finds the server: an answer to connect is enough, the load itself comes later.  Returns an exit status. */
static int find(struct endpoint *endpoint, struct load *load, const struct options *options)
{
	const char *text = options->operand ? options->operand : ENDPOINT_LOCALHOST;
	const char *reason = endpoint_parse(endpoint, text, PORT);
	char why[ENDPOINT_REASON];
	int fd, status;

	if (reason) {
		plain_say(stderr, "aphorism-bench: %s: %s", text, reason);
		return EX_USAGE;
	}
	fd = endpoint_connect(endpoint, load->timeout_us, -1, why, &status);
	if (fd < 0) {
		plain_say(stderr, "aphorism-bench: %s", why);
		return status == EX_TEMPFAIL ? EX_UNAVAILABLE : status;
	}
	load->address_len = sizeof load->address;
	if (getpeername(fd, (struct sockaddr *)&load->address, &load->address_len) < 0) {
		perror("aphorism-bench: getpeername");
		status = EX_OSERR;
	}
	close(fd);
	return status;
}

static void show(void *arg, double share)
{
	progress_show(arg, share, "measuring");
}

static int publish(const struct load *load, const struct load_result *result, const struct endpoint *endpoint,
                   const struct options *options)
{
	struct cell cell;
	struct record record = { .complete = !interrupted && !result->gone, .cells = &cell, .cell_count = 1 };
	struct rounds *rounds = rounds_new("server", "run", &load->crowds[0]);

	if (!rounds) {
		fputs("aphorism-bench: no memory\n", stderr);
		return EX_OSERR;
	}
	rounds_add(rounds, result, NULL);
	rounds_fill(rounds, &cell);
	rounds_free(rounds);
	view_arrange(&record);
	publish_conditions(&record, options);
	plain_text(record.server, sizeof record.server, endpoint->name, strlen(endpoint->name));
	return publish_record(&record, options);
}

static int measure(struct load *load, const struct endpoint *endpoint, const struct options *options)
{
	static struct load_result result;
	static struct progress progress;
	uint64_t errors = 0;
	int status;

	progress_start(&progress, !options->no_progress);
	load->progress = show;
	load->arg = &progress;
	interrupt_catch();
	if (load_run(load, &result) < 0)
		return EX_OSERR;
	interrupt_release();
	progress_clear(&progress);
	if (result.gone)
		fprintf(stderr, "aphorism-bench: %s: nobody has listened there for %d s\n", endpoint->name,
		        LOAD_GONE_US / CLOCK_S);
	status = publish(load, &result, endpoint, options);
	for (size_t i = 0; i < LOAD_ERRORS; i++)
		errors += result.crowds[0].errors[i];
	if (interrupted)
		return EX_TEMPFAIL;
	if (status == EX_OK && result.gone)
		status = EX_UNAVAILABLE;
	if (status == EX_OK && (errors > 0 || result.crowds[0].never_served > 0))
		status = EX_WRONG;
	return status;
}

int run_main(const struct options *options)
{
	static struct load load;
	struct endpoint endpoint;
	int status = publish_try(options);

	make_load(&load, options);
	if (status == EX_OK)
		status = find(&endpoint, &load, options);
	return status == EX_OK ? measure(&load, &endpoint, options) : status;
}
