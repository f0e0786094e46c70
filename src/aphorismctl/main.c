/*
 * aphorismctl - asks a running aphorismd, over its control socket.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismctl/control.h"
#include "aphorismctl/json.h"
#include "aphorismctl/rows.h"
#include "aphorismctl/show.h"
#include "aphorismctl/top.h"
#include "common/clock.h"
#include "common/command.h"
#include "common/dial.h"
#include "common/json.h"
#include "common/nearest.h"
#include "common/options.h"
#include "common/plain.h"
#include "common/standard.h"
#include "common/units.h"

enum { ARGUMENT = 64, ANSWER_US = 10 * CLOCK_S, CHANGE_US = 300 * CLOCK_S };

struct wishes {
	const char *socket;
	const struct command *command;
	const char *argument;
	int64_t timeout_us;               /* 0: the command's own */
	bool json, now, help;
};

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 's' },
	{ "json", no_argument, NULL, 'j' },
	{ "timeout", required_argument, NULL, 'w' },
	{ "now", no_argument, NULL, 'n' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 }
};

static void print_command(const struct command *command)
{
	char call[ARGUMENT];

	snprintf(call, sizeof call, "%s%s%s%s", command->name, command->word ? " [--" : " ",
	         command->word ? command->word : command->argument ? command->argument : "",
	         command->word ? "]" : "");
	printf("  %-14s %s\n", call, command->help);
}

/* Of that command, or with NULL of all.  Returns EX_OK. */
static int print_help(const struct command *command)
{
	puts("usage: aphorismctl [--json] [-s SOCKET] [-w TIMEOUT] COMMAND\n"
	     "Asks a running aphorismd, over its control socket, to");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (!command || command == &commands[i])
			print_command(&commands[i]);
	if (command && command->choices)
		printf("%s: %s\n", command->argument, command->choices);
	printf("Options:\n"
	       "  -s, --socket SOCKET    the control socket's path\n"
	       "  -w, --timeout TIMEOUT  by default %s\n"
	       "      --json             answer with one JSON object; top: with one a second\n"
	       "  -h, --help\n"
	       "  -V, --version\n",
	       !command ? "10s, and 5m to wait for an outcome" : command->waits ? "5m" : "10s");
	return EX_OK;
}

static int __attribute__((format(printf, 1, 2))) wrong(const char *format, ...)
{
	char said[CONTROL_PATH + 1024];
	va_list args;

	va_start(args, format);
	vsnprintf(said, sizeof said, format, args);
	va_end(args);
	plain_say(stderr, "aphorismctl: %s", said);
	return EX_USAGE;
}

/* Tells the end of an attempt that the daemon's own words do not explain.  Returns status. */
static int __attribute__((format(printf, 3, 4)))
fail(const struct wishes *wishes, int status, const char *format, ...)
{
	char reason[CONTROL_PATH + 256];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	wrong("%s", reason);
	if (wishes->json)
		json_failure(status, reason);
	return status;
}

/* Returns EX_OK to go on, EX_USAGE; --version ends the program. */
static int parse_options(int argc, char **argv, struct wishes *wishes)
{
	const char *reason;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":s:w:hV", long_options, NULL)) != -1) {
		switch (option) {
		case 's':
			wishes->socket = optarg;
			break;
		case 'j':
			wishes->json = true;
			break;
		case 'w':
			reason = units_duration(optarg, &wishes->timeout_us);
			if (!reason && wishes->timeout_us == 0)
				reason = "a time-out of 0 leaves no time";
			if (reason)
				return wrong("%s: %s", optarg, reason);
			break;
		case 'n':
			wishes->now = true;
			break;
		case 'h':
			wishes->help = true;
			break;
		case 'V':
			puts("aphorismctl " PACKAGE_VERSION);
			exit(EX_OK);
		default:
			return options_complain("aphorismctl", argv, long_options, option);
		}
	}
	return EX_OK;
}

static int explain_unknown(const char *name)
{
	struct nearest nearest = { .name = name };

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		nearest_offer(&nearest, commands[i].name);
	if (nearest.best)
		return wrong("unknown command %s, did you mean %s?", name, nearest.best);
	return wrong("unknown command %s, see aphorismctl --help", name);
}

static int parse_command(char *const *operands, struct wishes *wishes)
{
	const struct command *command = command_of(*operands);

	if (!*operands)
		return wrong("no command, see aphorismctl --help");
	if (!command)
		return explain_unknown(*operands);
	if (*++operands && command->argument)
		wishes->argument = *operands++;
	else if (command->argument && command->argument[0] != '[')
		return wrong("%s: what %s?", command->name, command->argument);
	if (*operands)
		return wrong("%s: one word too many after %s", *operands, command->name);
	if (wishes->argument && (strlen(wishes->argument) > ARGUMENT || strpbrk(wishes->argument, "\r\n")))
		return wrong("%s: not a %s", command->name, command->argument);
	if (wishes->now && command != &commands[COMMAND_STOP])
		return wrong("--now goes with stop only");
	if (wishes->now)
		wishes->argument = command->word;
	if (command == &commands[COMMAND_HELP] && wishes->argument && !command_of(wishes->argument))
		return explain_unknown(wishes->argument);
	if (command == &commands[COMMAND_TOP] && !wishes->json && top_lacks())
		return wrong("top: %s", top_lacks());
	wishes->command = command;
	return EX_OK;
}

static int explain_connect(const struct wishes *wishes, int error)
{
	const char *path = wishes->socket;

	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return fail(wishes, EX_UNAVAILABLE, "aphorismd is not running: no socket at %s", path);
	case ECONNREFUSED:
		return fail(wishes, EX_UNAVAILABLE, "aphorismd is not running: nobody listens at %s", path);
	case EACCES:
	case EPERM:
		return fail(wishes, EX_NOPERM, "no permission to use %s", path);
	case ETIMEDOUT:
		return fail(wishes, EX_TEMPFAIL, "%s: aphorismd takes no connection", path);
	default:
		return fail(wishes, EX_UNAVAILABLE, "%s: %s", path, strerror(error));
	}
}

static int explain_answer(const struct wishes *wishes, int error)
{
	char limit[UNITS_TEXT];

	switch (error) {
	case ETIMEDOUT:
		return fail(wishes, EX_TEMPFAIL, "%s: no answer within %s", wishes->command->name,
		            units_format_duration(limit, wishes->timeout_us));
	case ECONNRESET:
		return fail(wishes, EX_UNAVAILABLE, "%s: aphorismd went away before it answered",
		            wishes->command->name);
	case EPROTO:
		return fail(wishes, EX_UNAVAILABLE, "%s: this is no answer of aphorismd", wishes->socket);
	default:
		return fail(wishes, EX_UNAVAILABLE, "%s: %s", wishes->socket, strerror(error));
	}
}

/* Errors of a configuration begin with the place in a file; others are the daemon's refusal. */
static void print_line(const struct wishes *wishes, const struct line *line)
{
	if (strcmp(line->key, "error") == 0 && wishes->command == &commands[COMMAND_RELOAD])
		plain_say(stderr, "%s", line->value);
	else if (strcmp(line->key, "error") == 0)
		wrong("%s: %s", wishes->command->name, line->value);
	else if (strcmp(line->key, "notice") == 0)
		plain_say(stderr, "notice: %s", line->value);
	else
		plain_say(stdout, "%s%s%s", line->key, *line->value ? " " : "", line->value);
}

/* Returns how many lines that were. */
static size_t print_lines(const struct wishes *wishes, const struct line *line, size_t count)
{
	if (strcmp(line->key, "bucket") == 0)
		return show_histogram(line, count);
	if (strcmp(line->key, "finding") == 0)
		return show_finding(line);
	if (rows_are(line->key))
		return rows_print(line, count);
	print_line(wishes, line);
	return 1;
}

/* What the daemon said.  A failure that it gave no reason for is told at least by its status. */
static int show(const struct wishes *wishes, const struct reply *reply)
{
	bool explained = reply->status == 0;

	for (size_t i = 0, taken = 1; i < reply->count; i += taken) {
		bool error = strcmp(reply->lines[i].key, "error") == 0;

		explained = explained || error;
		taken = 1;
		if (!wishes->json || error)
			taken = print_lines(wishes, &reply->lines[i], reply->count - i);
	}
	if (!explained)
		wrong("%s: %s (status %d)", wishes->command->name,
		      reply->status == EX_NOPERM ? "no permission" : "aphorismd refused", reply->status);
	if (wishes->json)
		json_reply(reply, reply->status == 0 ? wishes->command->list : NULL);
	else if (reply->status == 0 && wishes->command->done)
		puts(wishes->command->done);
	else if (reply->count == 0 && wishes->command->none)
		puts(wishes->command->none);
	return reply->status;
}

static int ask(const struct wishes *wishes)
{
	static struct reply reply;
	bool stop = wishes->command == &commands[COMMAND_STOP];
	uint64_t deadline_us = clock_now_us() + (uint64_t)wishes->timeout_us;
	int error, fd = dial_unix(wishes->socket, deadline_us, -1);
	char limit[UNITS_TEXT], line[ARGUMENT + 64];

	if (fd < 0)
		return explain_connect(wishes, errno);
	snprintf(line, sizeof line, "%s%s%s\n", wishes->command->name, wishes->argument ? " " : "",
	         wishes->argument ? wishes->argument : "");
	error = control_ask(fd, line, &reply, deadline_us);
	if (error != 0)
		return explain_answer(wishes, error);
	if (stop && reply.status == 0 && control_wait_for_exit(fd, deadline_us) != 0)
		return fail(wishes, EX_TEMPFAIL, "stop: aphorismd is still stopping after %s",
		            units_format_duration(limit, wishes->timeout_us));
	close(fd);
	return show(wishes, &reply);
}

/* Whoever is not there at all, or refuses, is told of as by the other commands. */
static int watch(const struct wishes *wishes)
{
	const struct reply *refusal;
	int fd = dial_unix(wishes->socket, clock_now_us() + (uint64_t)wishes->timeout_us, -1);

	if (fd < 0)
		return explain_connect(wishes, errno);
	close(fd);
	if (top_look(wishes->socket, &refusal) == 0 && refusal)
		return show(wishes, refusal);
	return wishes->json ? top_stream(wishes->socket) : top_run(wishes->socket);
}

int main(int argc, char **argv)
{
	struct wishes wishes = { 0 };
	char path[CONTROL_PATH];

	standard_open("aphorismctl");
	if (parse_options(argc, argv, &wishes) != EX_OK)
		return EX_USAGE;
	if (wishes.help)
		return print_help(command_of(argv[optind]));
	if (parse_command(argv + optind, &wishes) != EX_OK)
		return EX_USAGE;
	if (wishes.command == &commands[COMMAND_HELP])
		return print_help(command_of(wishes.argument));
	if (!wishes.socket)
		wishes.socket = control_default_path(path);
	if (wishes.timeout_us == 0)
		wishes.timeout_us = wishes.command->waits ? CHANGE_US : ANSWER_US;
	return wishes.command == &commands[COMMAND_TOP] ? watch(&wishes) : ask(&wishes);
}
