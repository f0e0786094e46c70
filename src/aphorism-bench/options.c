/*
 * options.c - the command line of all commands.
 */
#include "aphorism-bench/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

#include "common/clock.h"
#include "common/cpus.h"
#include "common/options.h"
#include "common/standard.h"

static const struct options_command commands[] = {
	{ "run", "[HOST:PORT]", "load a server that is up, by default localhost:1060", NULL },
	{ "compare", NULL, "start aphorismd under each model in turn, and measure all of them", NULL },
	{ "report", "FILE.json", "show the figures of an earlier run or comparison again", NULL },
	{ "explain", "MODEL", "print what is to be known of a model, and what was measured of it", NULL },
	{ "help", "[COMMAND]", "print this text, or how to use a command", NULL },
	{ 0 }
};
enum { OF_RUN = 1 << RUN, OF_COMPARE = 1 << COMPARE, OF_REPORT = 1 << REPORT, OF_EXPLAIN = 1 << EXPLAIN };

static const char *take_names(const struct options_row *row, void *to, char *list)
{
	struct options_names *names = to;
	char *name;

	(void)row;
	names->count = 0;
	while ((name = strsep(&list, ","))) {
		name += strspn(name, " ");
		name[strcspn(name, " ")] = '\0';
		if (*name == '\0')
			return "an empty element";
		if (names->count == OPTIONS_LIST)
			return "too many elements";
		names->at[names->count++] = name;
	}
	return NULL;
}

static const char *take_connections(const struct options_row *row, void *to, char *list)
{
	struct options *options = to;
	struct options_names numbers;
	const char *why = take_names(row, &numbers, list);

	options->connection_count = 0;
	for (size_t n = 0; !why && n < numbers.count; n++) {
		uint32_t number = (uint32_t)options_number(numbers.at[n], 1000000);

		if (number == 0)
			return "not a number from 1 to 1000000";
		for (size_t i = 0; i < options->connection_count; i++)
			if (options->connections[i] == number)
				return "the same number twice";
		options->connections[options->connection_count++] = number;
	}
	return why;
}

static const char *take_file(const struct options_row *row, void *to, char *text)
{
	(void)row;
	*(const char **)to = text;
	return *text == '\0' ? "a file without a name" : NULL;
}

#define AT(member) .at = offsetof(struct options, member)
#define DAY (INT64_C(24) * 3600 * CLOCK_S)

static const struct options_row rows[] = {
	{ 'c', "connections", "N", "clients, by default 64; compare: a LIST, e.g. 1,16,64",
	  take_connections, .at = 0, 0, OF_RUN | OF_COMPARE },
	{ 'd', "duration", "TIME", "measured time, by default 10s; compare: of each cell in a round",
	  options_take_time, AT(duration_us), DAY, OF_RUN | OF_COMPARE },
	{ 'n', "count", "COUNT", "ends after so many questions",
	  options_take_number, AT(count), UINT64_MAX / 2, OF_RUN },
	{ 'R', "rate", "RATE", "open loop: questions a second over all connections, answered or not",
	  options_take_number, AT(rate), 10 * 1000 * 1000, OF_RUN },
	{ 0, "arrivals", "HOW", "of the open loop: uniform (even distances) or poisson",
	  NULL, AT(arrivals), 0, OF_RUN, "uniform|poisson" },
	{ 0, "burst", "N", "of the open loop: N questions arrive at once",
	  options_take_number, AT(burst), 1000000, OF_RUN },
	{ 0, "pipeline", "N", "questions in flight on a connection, by default 1",
	  options_take_number, AT(pipeline), 65536, OF_RUN },
	{ 0, "per-connection", "N", "questions before a client connects anew",
	  options_take_number, AT(per_connection), UINT64_MAX / 2, OF_RUN },
	{ 0, "think", "TIME", "pause between an answer and the next question",
	  options_take_pause, AT(think_us), DAY, OF_RUN },
	{ 0, "drip", "N", "N clients more that send a byte a second and never end their question",
	  options_take_number, AT(drippers), 1000000, OF_RUN },
	{ 't', "threads", "THREADS", "of the generator, by default half of the CPUs",
	  options_take_number, AT(threads), 1024, OF_RUN | OF_COMPARE },
	{ 0, "warmup", "TIME", "time before the measuring begins",
	  options_take_pause, AT(warmup_us), DAY, OF_RUN | OF_COMPARE },
	{ 0, "timeout", "TIME", "of a connection and of each answer, by default 10s",
	  options_take_time, AT(timeout_us), DAY, OF_RUN | OF_COMPARE },
	{ 0, "seed", "N", "makes the random choices repeatable",
	  options_take_number, AT(seed), UINT64_MAX / 2, OF_RUN | OF_COMPARE },
	{ 0, "models", "LIST", "by default all that aphorismd knows", take_names, AT(models), 0, OF_COMPARE },
	{ 0, "scenarios", "LIST", "by default all", take_names, AT(scenarios), 0, OF_COMPARE },
	{ 0, "list-scenarios", NULL, "names and what they show", NULL, AT(list_scenarios), 0, OF_COMPARE },
	{ 0, "rounds", "N", "how often each model takes its turn", options_take_number, AT(rounds), 1000, OF_COMPARE },
	{ 0, "quick", NULL, "ends within a minute", NULL, AT(quick), 0, OF_COMPARE },
	{ 0, "aphorismd", "FILE", "the server to start", take_file, AT(aphorismd), 0, OF_COMPARE },
	{ 0, "json", "FILE", "writes the figures; - is standard output",
	  take_file, AT(json), 0, OF_RUN | OF_COMPARE | OF_REPORT },
	{ 0, "csv", "FILE", "the same as comma-separated values",
	  take_file, AT(csv), 0, OF_RUN | OF_COMPARE | OF_REPORT },
	{ 0, "report", "FILE.html", "the same as a page with pictures",
	  take_file, AT(report), 0, OF_RUN | OF_COMPARE | OF_REPORT },
	{ 0, "from", "FILE.json", "figures, by default those of the last comparison",
	  take_file, AT(from), 0, OF_EXPLAIN },
	{ 0, "no-progress", NULL, "says nothing until the end", NULL, AT(no_progress), 0, OF_RUN | OF_COMPARE },
	OPTIONS_LAST
};

static const struct options_program program = {
	.name = "aphorism-bench",
	.about = "Loads an aphorism server, or compares the concurrency models of aphorismd.",
	.rows = rows,
	.commands = commands,
	.more = "TIME is e.g. 250us, 10ms, 30s; a LIST goes by commas.",
};

/* Options that contradict each other, and those that say nothing without another one. */
static int check(const struct options *options)
{
	const char *files[] = { options->json, options->csv, options->report };
	unsigned to_stdout = 0;

	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		to_stdout += files[i] && strcmp(files[i], "-") == 0;
	if (to_stdout > 1)
		return standard_fail(EX_USAGE, "only one file can go to standard output");
	if (options->rate == 0 && (options->arrivals || options->burst > 0))
		return standard_fail(EX_USAGE, "--%s: belongs to the open loop, which needs a --rate",
		                     options->arrivals ? "arrivals" : "burst");
	if (options->think_us > 0 && options->rate > 0)
		return standard_fail(EX_USAGE, "--think: belongs to the closed loop, which has no --rate");
	if (options->per_connection != 0 && options->pipeline > options->per_connection)
		return standard_fail(EX_USAGE, "--pipeline: more questions in flight than --per-connection allows");
	if (options->asked == RUN && options->connection_count > 1)
		return standard_fail(EX_USAGE, "--connections: one number, lists are for `compare`");
	return EX_OK;
}

static void set_defaults(struct options *options, int argc, char **argv)
{
	size_t len = 0;

	*options = (struct options){ .warmup_us = -1, .timeout_us = 10 * CLOCK_S, .pipeline = 1 };
	options->threads = cpus_usable() > 1 ? cpus_usable() / 2 : 1;
	if (getrandom(&options->seed, sizeof options->seed, GRND_NONBLOCK) < 0)
		options->seed = clock_now_us();
	options->seed = options->seed % 1000000000 + 1;       /* easily typed again */
	len = (size_t)snprintf(options->command, sizeof options->command, "aphorism-bench");
	for (int i = 1; i < argc && len < sizeof options->command; i++)
		len += (size_t)snprintf(options->command + len, sizeof options->command - len, " %s", argv[i]);
}

int options_parse(struct options *options, int argc, char **argv)
{
	struct options_found found;
	const char *reason;

	set_defaults(options, argc, argv);
	if ((reason = options_read(&program, options, argc, argv, &found)))
		return standard_fail(EX_USAGE, "%s", reason);
	options->asked = (enum task)found.command;
	options->operand = found.count > 0 ? found.operands[0] : NULL;
	return check(options);
}

int options_unknown(const char *what, const struct nearest *name, const char *see)
{
	return standard_fail(EX_USAGE, "unknown %s %s, %s %s%s", what, name->name, name->best ? "did you mean" : "see",
	                     name->best ? name->best : see, name->best ? "?" : "");
}
