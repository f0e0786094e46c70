/*
 * compare.c - the subcommand `compare`: turns, rounds and what becomes of their trials.
 */
#include "aphorism-bench/compare.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>

#include "aphorism-bench/interrupt.h"
#include "aphorism-bench/last.h"
#include "aphorism-bench/progress.h"
#include "aphorism-bench/publish.h"
#include "aphorism-bench/trial.h"
#include "aphorism-bench/verdict.h"
#include "aphorism-bench/view.h"
#include "common/clock.h"
#include "common/nearest.h"
#include "common/plain.h"

enum {
	EX_WRONG = 1,
	ROUNDS = 6, QUICK_ROUNDS = 3,     /* with 6, 95 % of a median's interval hold whatever the distribution */
	WHOLE_US = 570 * CLOCK_S, QUICK_WHOLE_US = 54 * CLOCK_S,  /* what is printed takes a moment, too */
	LONGEST_US = CLOCK_S, QUICK_LONGEST_US = CLOCK_S / 2, SHORTEST_US = CLOCK_S / 10,
	OVERHEAD_US = CLOCK_S / 4,        /* of a trial, beside its measured time: until it is known better */
	WARMUP_US = 150 * CLOCK_MS,       /* pools grow meanwhile */
	CONNECTION_WARMUP_US = CLOCK_MS,  /* for each on top: one may be a process that is to be forked */
	OTHER_DESCRIPTORS = 128,
};

/* Who meets whom: one scenario with one number of connections, and each model's figures. */
struct match {
	const struct scenario *scenario;
	uint32_t connections;
	struct rounds *rounds[CONTESTANT_MODELS];
};

struct comparison {
	const struct options *options;
	struct program program;
	const char *models[CONTESTANT_MODELS];
	size_t model_count;
	struct match *matches;
	size_t match_count;
	uint32_t rounds, round;
	uint64_t end_us;                  /* 0: however long it takes */
	uint64_t started_us, measured_us, window_us;
	size_t trials_done;
	struct progress progress;
	char label[64];
	int status;                       /* of what went wrong */
};

/* ---- what is to be compared ---- */

static bool is_wanted(const struct options_names *wanted, const char *name)
{
	for (size_t i = 0; i < wanted->count; i++)
		if (strcmp(wanted->at[i], name) == 0)
			return true;
	return wanted->count == 0;
}

static int check_scenarios(const struct options_names *wanted)
{
	for (size_t i = 0; i < wanted->count; i++) {
		struct nearest near = { .name = wanted->at[i] };

		for (const struct scenario *s = scenarios; s->name; s++)
			nearest_offer(&near, s->name);
		if (!scenario_find(wanted->at[i]))
			return options_unknown("scenario", &near, "aphorism-bench compare --list-scenarios");
	}
	return EX_OK;
}

/* In the program's own order, whatever the order of the list: from the simplest on. */
static int choose_models(struct comparison *c)
{
	const struct options_names *wanted = &c->options->models;

	for (size_t i = 0; i < wanted->count; i++) {
		struct nearest near = { .name = wanted->at[i] };
		bool known = false;

		for (size_t j = 0; j < c->program.model_count; j++) {
			nearest_offer(&near, c->program.models[j]);
			known = known || strcmp(wanted->at[i], c->program.models[j]) == 0;
		}
		if (!known)
			return options_unknown("model", &near, "aphorismd --list-models");
	}
	for (size_t i = 0; i < c->program.model_count; i++)
		if (is_wanted(wanted, c->program.models[i]))
			c->models[c->model_count++] = c->program.models[i];
	return EX_OK;
}

static int add_match(struct comparison *c, const struct scenario *scenario, uint32_t connections)
{
	struct match *more = realloc(c->matches, (c->match_count + 1) * sizeof *more), *match;
	struct crowd crowds[LOAD_CROWDS];

	if (!more)
		return EX_OSERR;
	c->matches = more;
	match = &more[c->match_count++];
	*match = (struct match){ .scenario = scenario, .connections = connections };
	trial_crowds(scenario, connections, crowds);
	for (size_t i = 0; i < c->model_count; i++)
		if (!(match->rounds[i] = rounds_new(c->models[i], scenario->name, &crowds[0])))
			return EX_OSERR;
	return EX_OK;
}

/* The numbers of connections: those asked for, else the scenario's; with --quick the fewer ones, which may be none. */
static int add_matches(struct comparison *c, const struct scenario *scenario)
{
	const struct options *options = c->options;
	bool quick = options->quick && options->scenarios.count == 0;
	const uint32_t *counts = options->connection_count > 0 ? options->connections :
	                         options->quick && scenario->quick[0] ? scenario->quick : scenario->counts;
	size_t count = options->connection_count;
	int status = EX_OK;

	if (!is_wanted(&options->scenarios, scenario->name) || (quick && scenario->quick[0] == 0))
		return EX_OK;
	for (; options->connection_count == 0 && counts[count]; count++)
		;
	for (size_t i = 0; i < count && status == EX_OK; i++)
		status = add_match(c, scenario, counts[i]);
	return status;
}

/* Before the first minute is spent, not after the ninth. */
static int check_descriptors(const struct comparison *c)
{
	uint64_t most = 0, needed;
	struct rlimit limit;

	for (size_t i = 0; i < c->match_count; i++) {
		uint32_t connections = scenario_connections(c->matches[i].scenario, c->matches[i].connections);

		most = connections > most ? connections : most;
	}
	needed = most + OTHER_DESCRIPTORS;
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return EX_OK;
	if (needed > limit.rlim_max) {
		fprintf(stderr, "aphorism-bench: %" PRIu64 " connections need %" PRIu64 " file descriptors, the hard "
		        "limit is %" PRIu64 ": raise it (ulimit -Hn, as root), or ask for fewer with --connections\n",
		        most, needed, (uint64_t)limit.rlim_max);
		return EX_OSERR;
	}
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit); /* for the daemons too: they inherit it */
	return EX_OK;
}

static size_t trials_a_round(const struct comparison *c)
{
	return c->match_count * c->model_count;
}

static int plan(struct comparison *c)
{
	int status = choose_models(c);

	for (const struct scenario *s = scenarios; s->name && status == EX_OK; s++)
		status = add_matches(c, s);
	if (status == EX_OK && trials_a_round(c) > CELL_MOST) {
		fprintf(stderr, "aphorism-bench: %zu models, scenarios and numbers of connections to combine: "
		        "a file holds at most %d\n", trials_a_round(c), CELL_MOST);
		return EX_USAGE;
	}
	if (status == EX_OSERR)
		fputs("aphorism-bench: no memory\n", stderr);
	return status == EX_OK ? check_descriptors(c) : status;
}

/* ---- time ---- */

/*
 * The measured time of the next round's trials: what is left of the whole, shared among those that are still to come,
 * less what starting and stopping has been seen to take.  Returns false when that is too little to be worth a round.
 */
static bool plan_round(struct comparison *c)
{
	uint64_t now_us = clock_now_us(), longest_us = c->options->quick ? QUICK_LONGEST_US : LONGEST_US;
	uint64_t overhead_us = OVERHEAD_US, share_us;

	c->window_us = c->options->duration_us > 0 ? (uint64_t)c->options->duration_us : longest_us;
	if (c->end_us == 0)
		return true;
	if (c->trials_done > 0)
		overhead_us = (now_us - c->started_us - c->measured_us) / c->trials_done;
	share_us = now_us < c->end_us ? (c->end_us - now_us) / ((c->rounds - c->round) * trials_a_round(c)) : 0;
	if (share_us < overhead_us + SHORTEST_US) {
		c->window_us = SHORTEST_US;
		return c->round == 0;
	}
	c->window_us = share_us - overhead_us < longest_us ? share_us - overhead_us : longest_us;
	return true;
}

static void plan_time(struct comparison *c)
{
	const struct options *options = c->options;

	c->rounds = options->rounds > 0 ? (uint32_t)options->rounds : options->quick ? QUICK_ROUNDS : ROUNDS;
	c->started_us = clock_now_us();
	/* who says how often and how long has said how long it takes */
	if (options->rounds == 0 && options->duration_us == 0)
		c->end_us = c->started_us + (options->quick ? QUICK_WHOLE_US : WHOLE_US);
}

/* ---- measuring ---- */

static void show(void *arg, double share)
{
	struct comparison *c = arg;
	double all = (double)c->rounds * (double)trials_a_round(c);

	progress_show(&c->progress, ((double)c->trials_done + share) / all, c->label);
}

static int try_one(struct comparison *c, struct match *match, size_t model)
{
	static struct load_result result;
	uint32_t connections = scenario_connections(match->scenario, match->connections);
	struct trial trial = {
		.program = &c->program,
		.model = c->models[model],
		.scenario = match->scenario,
		.connections = match->connections,
		.threads = (uint32_t)c->options->threads,
		.warmup_us = WARMUP_US + (uint64_t)CONNECTION_WARMUP_US * connections,
		.duration_us = c->window_us,
		.timeout_us = (uint64_t)c->options->timeout_us,
		.seed = c->options->seed + c->trials_done,
		.interrupted = &interrupted,
		.progress = show,
		.arg = c,
	};
	char reason[CONTESTANT_REASON];
	struct cost cost;
	int status;

	if (c->options->warmup_us >= 0)
		trial.warmup_us = (uint64_t)c->options->warmup_us;
	status = trial_run(&trial, &result, &cost, reason);
	c->trials_done++;
	c->measured_us += c->window_us;
	if (*reason) {
		progress_clear(&c->progress);
		plain_say(stderr, "aphorism-bench: %s", reason);
	}
	if (interrupted)
		return EX_TEMPFAIL;       /* half a measurement is none */
	if (status == EX_OK || status == EX_SOFTWARE)
		rounds_add(match->rounds[model], &result, &cost);
	return status;
}

/*
 * Each scenario's models right after one another, and each time another one begins: what drifts hits all of them
 * alike.
 */
static int run_round(struct comparison *c)
{
	for (size_t m = 0; m < c->match_count; m++) {
		struct match *match = &c->matches[m];

		snprintf(c->label, sizeof c->label, "round %u of %u: %s, %u connections", c->round + 1, c->rounds,
		         match->scenario->name, match->connections);
		for (size_t i = 0; i < c->model_count; i++) {
			int status = try_one(c, match, (i + c->round + m) % c->model_count);

			if (status == EX_SOFTWARE)
				c->status = EX_WRONG;
			else if (status != EX_OK)
				return status;
		}
	}
	return EX_OK;
}

static void run_rounds(struct comparison *c)
{
	int status = EX_OK;

	progress_start(&c->progress, !c->options->no_progress);
	for (c->round = 0; c->round < c->rounds && status == EX_OK; c->round++) {
		if (!plan_round(c)) {
			progress_clear(&c->progress);
			fprintf(stderr, "aphorism-bench: %u rounds instead of %u: the time is over\n", c->round,
			        c->rounds);
			break;
		}
		status = run_round(c);
	}
	progress_clear(&c->progress);
	if (status != EX_OK)
		c->status = status;
}

/* ---- the end ---- */

static int publish(struct comparison *c, struct record *record)
{
	int status = c->status, published;

	publish_conditions(record, c->options);
	snprintf(record->server, sizeof record->server, "%s", c->program.version);
	for (size_t m = 0; m < c->match_count; m++)
		for (size_t i = 0; i < c->model_count; i++)
			if (rounds_count(c->matches[m].rounds[i]) > 0)
				rounds_fill(c->matches[m].rounds[i], &record->cells[record->cell_count++]);
	view_arrange(record);
	record->complete = status == EX_OK || status == EX_WRONG;
	if (record->cell_count == 0)
		return status;
	published = publish_record(record, c->options);
	if (record->complete)
		last_keep(record);
	for (size_t i = 0; i < record->cell_count && status == EX_OK; i++)
		if (verdict_standing(&record->cells[i]) == VERDICT_FAILS)
			status = EX_WRONG;
	return status == EX_OK ? published : status;
}

static int finish(struct comparison *c)
{
	struct record record = { .cells = calloc(trials_a_round(c), sizeof *record.cells) };
	int status = EX_OSERR;

	if (record.cells)
		status = publish(c, &record);
	else
		fputs("aphorism-bench: no memory\n", stderr);
	free(record.cells);
	return status;
}

static void release(struct comparison *c)
{
	for (size_t m = 0; m < c->match_count; m++)
		for (size_t i = 0; i < c->model_count; i++)
			rounds_free(c->matches[m].rounds[i]);
	free(c->matches);
}

static int list_scenarios(void)
{
	for (const struct scenario *s = scenarios; s->name; s++)
		printf("%-12s %s\n", s->name, s->story);
	return EX_OK;
}

int compare_main(const struct options *options)
{
	static struct comparison c;
	int status = check_scenarios(&options->scenarios);

	if (options->list_scenarios)
		return list_scenarios();
	if (status == EX_OK)
		status = publish_try(options);
	if (status != EX_OK)
		return status;
	c.options = options;
	interrupt_catch();
	signal(SIGPIPE, SIG_IGN);
	status = program_find(&c.program, options->aphorismd);
	if (status == EX_OK)
		status = plan(&c);
	if (status == EX_OK) {
		plan_time(&c);
		run_rounds(&c);
	}
	program_forget(&c.program);
	interrupt_release();
	if (status == EX_OK)
		status = finish(&c);
	release(&c);
	return status;
}
