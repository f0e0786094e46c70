#include "aphorism-bench/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>

#include "common/clock.h"
#include "common/cpus.h"
#include "common/nearest.h"
#include "common/options.h"
#include "common/plain.h"
#include "common/units.h"

enum command { RUN = 1, COMPARE = 2, REPORT = 4, EXPLAIN = 8, ALL = 15 };

struct command_row {
	const char *name, *operand;
	enum command command;
};

static const struct command_row commands[] = {
	{ "run", "[HOST:PORT]", RUN },
	{ "compare", NULL, COMPARE },
	{ "report", "FILE.json", REPORT },
	{ "explain", "MODEL", EXPLAIN },
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

/* How the text of an option becomes a value; a DURATION may be 0, a POSITIVE one not. */
enum kind { FLAG, TEXT, NAMES, CONNECTIONS, ARRIVALS, NUMBER, DURATION, POSITIVE, HELP, VERSION };

struct row {
	const char *name, *value;         /* NULL: takes none */
	char letter;
	enum kind kind;
	unsigned commands;
	size_t at;                        /* in struct options */
	uint64_t most;                    /* of a number */
	const char *help;
};

#define AT(member) offsetof(struct options, member)

static const struct row rows[] = {
	{ "connections", "N", 'c', CONNECTIONS, RUN, 0, 0, "clients, by default 64" },
	{ "connections", "LIST", 'c', CONNECTIONS, COMPARE, 0, 0, "numbers of clients, e.g. 1,16,64" },
	{ "duration", "TIME", 'd', POSITIVE, RUN, AT(duration_us), 0, "measured time, by default 10s" },
	{ "duration", "TIME", 'd', POSITIVE, COMPARE, AT(duration_us), 0, "measured time of each cell in a round" },
	{ "count", "COUNT", 'n', NUMBER, RUN, AT(count), UINT64_MAX / 2, "ends after so many questions" },
	{ "rate", "RATE", 'R', NUMBER, RUN, AT(rate), 10 * 1000 * 1000,
	  "open loop: questions a second over all connections, answered or not" },
	{ "arrivals", "HOW", 0, ARRIVALS, RUN, 0, 0, "of the open loop: uniform (even distances) or poisson" },
	{ "burst", "N", 0, NUMBER, RUN, AT(burst), 1000000, "of the open loop: N questions arrive at once" },
	{ "pipeline", "N", 0, NUMBER, RUN, AT(pipeline), 65536, "questions in flight on a connection, by default 1" },
	{ "per-connection", "N", 0, NUMBER, RUN, AT(per_connection), UINT64_MAX / 2,
	  "questions before a client connects anew" },
	{ "think", "TIME", 0, DURATION, RUN, AT(think_us), 0, "pause between an answer and the next question" },
	{ "drip", "N", 0, NUMBER, RUN, AT(drippers), 1000000,
	  "N clients more that send a byte a second and never end their question" },
	{ "threads", "THREADS", 't', NUMBER, RUN | COMPARE, AT(threads), 1024,
	  "of the generator, by default half of the CPUs" },
	{ "warmup", "TIME", 0, DURATION, RUN | COMPARE, AT(warmup_us), 0, "time before the measuring begins" },
	{ "timeout", "TIME", 0, POSITIVE, RUN | COMPARE, AT(timeout_us), 0,
	  "of a connection and of each answer, by default 10s" },
	{ "seed", "N", 0, NUMBER, RUN | COMPARE, AT(seed), UINT64_MAX / 2, "makes the random choices repeatable" },
	{ "models", "LIST", 0, NAMES, COMPARE, AT(models), 0, "by default all that aphorismd knows" },
	{ "scenarios", "LIST", 0, NAMES, COMPARE, AT(scenarios), 0, "by default all" },
	{ "list-scenarios", NULL, 0, FLAG, COMPARE, AT(list_scenarios), 0, "names and what they show" },
	{ "rounds", "N", 0, NUMBER, COMPARE, AT(rounds), 1000, "how often each model takes its turn" },
	{ "quick", NULL, 0, FLAG, COMPARE, AT(quick), 0, "ends within a minute" },
	{ "aphorismd", "FILE", 0, TEXT, COMPARE, AT(aphorismd), 0, "the server to start" },
	{ "json", "FILE", 0, TEXT, RUN | COMPARE | REPORT, AT(json), 0, "writes the figures; - is standard output" },
	{ "csv", "FILE", 0, TEXT, RUN | COMPARE | REPORT, AT(csv), 0, "the same as comma-separated values" },
	{ "report", "FILE.html", 0, TEXT, RUN | COMPARE | REPORT, AT(report), 0, "the same as a page with pictures" },
	{ "from", "FILE.json", 0, TEXT, EXPLAIN, AT(from), 0, "figures, by default those of the last comparison" },
	{ "no-progress", NULL, 0, FLAG, RUN | COMPARE, AT(no_progress), 0, "says nothing until the end" },
	{ "help", NULL, 'h', HELP, ALL, 0, 0, NULL },
	{ "version", NULL, 'V', VERSION, ALL, 0, 0, NULL },
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]), LONG_ONLY = 256 };

static int wrong(const char *option, const char *text, const char *reason)
{
	plain_say(stderr, "aphorism-bench: --%s%s%s: %s", option, *text ? " " : "", text, reason);
	return EX_USAGE;
}

static const struct command_row *find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

bool options_knows(const char *command, const char **nearest)
{
	struct nearest near = { .name = command };

	for (size_t i = 0; i < COMMANDS; i++)
		nearest_offer(&near, commands[i].name);
	*nearest = near.best;
	return find_command(command) != NULL;
}

static void help_command(const struct command_row *command)
{
	printf("\naphorism-bench %s [OPTION...]%s%s\n", command->name, command->operand ? " " : "",
	       command->operand ? command->operand : "");
	for (const struct row *row = rows; row < rows + ROWS; row++) {
		char letter[] = { '-', row->letter, ',', '\0' };

		if (!(row->commands & command->command) || !row->help)
			continue;
		printf("  %3s --%-14s %-10s %s\n", row->letter ? letter : "", row->name, row->value ? row->value : "",
		       row->help);
	}
}

void options_help(void)
{
	puts("usage: aphorism-bench run|compare|report|explain [OPTION...]\n"
	     "Loads an aphorism server, or compares the concurrency models of aphorismd.\n"
	     "TIME is e.g. 250us, 10ms, 30s; a LIST goes by commas.");
	for (size_t i = 0; i < COMMANDS; i++)
		help_command(&commands[i]);
	puts("\n  -h, --help\n  -V, --version");
}

/* Cuts the next element off a list by commas; NULL after the last one. */
static char *next_element(char **list)
{
	char *element = strsep(list, ",");

	if (!element)
		return NULL;
	element += strspn(element, " ");
	element[strcspn(element, " ")] = '\0';
	return element;
}

static const char *parse_names(struct options_names *names, char *list)
{
	char *name;

	names->count = 0;
	while ((name = next_element(&list))) {
		if (*name == '\0')
			return "an empty element";
		if (names->count == OPTIONS_LIST)
			return "too many elements";
		names->at[names->count++] = name;
	}
	return NULL;
}

static const char *parse_connections(struct options *options, char *list)
{
	char *text;

	options->connection_count = 0;
	while ((text = next_element(&list))) {
		uint32_t number = (uint32_t)options_number(text, 1000000);

		if (options->connection_count == OPTIONS_LIST)
			return "too many elements";
		if (number == 0)
			return "not a number from 1 to 1000000";
		for (size_t i = 0; i < options->connection_count; i++)
			if (options->connections[i] == number)
				return "the same number twice";
		options->connections[options->connection_count++] = number;
	}
	return NULL;
}

static int parse_number(const struct row *row, char *text, uint64_t *to)
{
	char reason[64];

	*to = options_number(text, row->most);
	if (*to != 0)
		return EX_OK;
	snprintf(reason, sizeof(reason), "not a number from 1 to %" PRIu64, row->most);
	return wrong(row->name, text, reason);
}

static const char *parse_duration(const char *text, enum kind kind, int64_t *us)
{
	const char *reason = units_duration(text, us);

	if (!reason && *us == 0 && kind == POSITIVE)
		reason = "no time at all";
	if (!reason && *us > INT64_C(24) * 3600 * CLOCK_S)
		reason = "longer than a day";
	return reason;
}

static int parse_value(struct options *options, const struct row *row, char *text)
{
	void *to = (char *)options + row->at;
	const char *reason = NULL;
	char as_typed[64];

	snprintf(as_typed, sizeof(as_typed), "%s", text ? text : "");     /* lists are cut up */
	switch (row->kind) {
	case FLAG:
		*(bool *)to = true;
		break;
	case TEXT:
		*(const char **)to = text;
		reason = *text == '\0' ? "a file without a name" : NULL;
		break;
	case NAMES:
		reason = parse_names(to, text);
		break;
	case CONNECTIONS:
		reason = parse_connections(options, text);
		break;
	case ARRIVALS:
		options->poisson = strcmp(text, "poisson") == 0;
		reason = !options->poisson && strcmp(text, "uniform") != 0 ? "neither uniform nor poisson" : NULL;
		break;
	case NUMBER:
		return parse_number(row, text, to);
	case DURATION:
	case POSITIVE:
		reason = parse_duration(text, row->kind, to);
		break;
	case HELP:
		options_help();
		exit(EX_OK);
	case VERSION:
		puts("aphorism-bench " PACKAGE_VERSION);
		exit(EX_OK);
	}
	return reason ? wrong(row->name, as_typed, reason) : EX_OK;
}

/* Options that contradict each other, and those that say nothing without another one. */
static int check(const struct options *options, const bool given[ROWS], const struct command_row *command)
{
	const char *files[] = { options->json, options->csv, options->report };
	unsigned to_stdout = 0;

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		to_stdout += files[i] && strcmp(files[i], "-") == 0;
	if (to_stdout > 1) {
		fputs("aphorism-bench: only one file can go to standard output\n", stderr);
		return EX_USAGE;
	}
	for (const struct row *row = rows; row < rows + ROWS; row++)
		if (given[row - rows] && options->rate == 0 && (row->kind == ARRIVALS || row->at == AT(burst)))
			return wrong(row->name, "", "belongs to the open loop, which needs a --rate");
	if (options->think_us > 0 && options->rate > 0)
		return wrong("think", "", "belongs to the closed loop, which has no --rate");
	if (options->per_connection != 0 && options->pipeline > options->per_connection)
		return wrong("pipeline", "", "more questions in flight than --per-connection allows");
	if (command->command == RUN && options->connection_count > 1)
		return wrong("connections", "", "one number, lists are for `compare`");
	return EX_OK;
}

static int parse_operands(struct options *options, const struct command_row *command, int count, char **operands)
{
	const char *reason = NULL;

	if (count > (command->operand ? 1 : 0))
		reason = "one operand too many";
	else if (count == 0 && command->operand && command->operand[0] != '[')
		reason = "not given";
	if (reason) {
		plain_say(stderr, "aphorism-bench: %s %s: %s", command->name,
		          count > 0 ? operands[count - 1] : command->operand, reason);
		return EX_USAGE;
	}
	options->operand = count > 0 ? operands[0] : NULL;
	return EX_OK;
}

/* What getopt_long needs, from the rows of a subcommand. */
static void prepare(const struct command_row *command, struct option known[ROWS + 1], char letters[2 * ROWS + 2])
{
	*letters++ = ':';
	for (const struct row *row = rows; row < rows + ROWS; row++) {
		if (!(row->commands & command->command))
			continue;
		*known++ = (struct option){ row->name, row->value ? required_argument : no_argument, NULL,
		                            row->letter ? row->letter : LONG_ONLY + (int)(row - rows) };
		if (row->letter)
			*letters++ = row->letter;
		if (row->letter && row->value)
			*letters++ = ':';
	}
	*known = (struct option){ 0 };
	*letters = '\0';
}

static const struct row *row_of(const struct command_row *command, int option)
{
	const struct row *row = rows;

	if (option >= LONG_ONLY)
		return &rows[option - LONG_ONLY];
	while (row->letter != option || !(row->commands & command->command))
		row++;
	return row;
}

static void set_defaults(struct options *options, int argc, char **argv)
{
	size_t len = 0;

	*options = (struct options){ .warmup_us = -1, .timeout_us = 10 * CLOCK_S, .pipeline = 1 };
	options->threads = cpus_usable() > 1 ? cpus_usable() / 2 : 1;
	if (getrandom(&options->seed, sizeof(options->seed), GRND_NONBLOCK) < 0)
		options->seed = clock_now_us();
	options->seed = options->seed % 1000000000 + 1;       /* easily typed again */
	len = (size_t)snprintf(options->command, sizeof(options->command), "aphorism-bench");
	for (int i = 0; i < argc && len < sizeof(options->command); i++)
		len += (size_t)snprintf(options->command + len, sizeof(options->command) - len, " %s", argv[i]);
}

int options_parse(struct options *options, int argc, char **argv)
{
	const struct command_row *command = find_command(argv[0]);
	struct option known[ROWS + 1];
	char letters[2 * ROWS + 2];
	bool given[ROWS] = { false };
	int option, status = EX_OK;

	set_defaults(options, argc, argv);
	prepare(command, known, letters);
	opterr = 0;
	while (status == EX_OK && (option = getopt_long(argc, argv, letters, known, NULL)) != -1) {
		const struct row *row;

		if (option == '?' || option == ':')
			return options_complain("aphorism-bench", argv, known, option);
		row = row_of(command, option);
		given[row - rows] = true;
		status = parse_value(options, row, optarg);
	}
	if (status == EX_OK)
		status = check(options, given, command);
	return status == EX_OK ? parse_operands(options, command, argc - optind, argv + optind) : status;
}
