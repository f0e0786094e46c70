/*
 * aphorismctl - asks a running aphorismd, over its control socket.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
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
#include "common/options.h"
#include "common/plain.h"
#include "common/standard.h"
#include "common/units.h"

enum { ARGUMENT = 64, ANSWER_US = 10 * CLOCK_S, CHANGE_US = 300 * CLOCK_S };

struct options {
	const char *socket;
	const struct command *command;
	const char *argument;
	int64_t timeout_us;               /* 0: the command's own */
	bool json, now;
};

#define AT(member) .at = offsetof(struct options, member)

static struct options_command described[COMMAND_COUNT + 1];      /* as options_read has it */

static const struct options_row rows[] = {
	{ 's', "socket", "SOCKET", "the control socket's path", AT(socket) },
	{ 'w', "timeout", "TIMEOUT", "by default 10s, and 5m to wait for an outcome", options_take_time,
	  AT(timeout_us) },
	{ 0, "json", NULL, "answer with one JSON object; top: with one a second, a line each", AT(json) },
	{ 0, "now", NULL, "at once: what was received is not answered", AT(now), .commands = 1u << COMMAND_STOP },
	OPTIONS_LAST
};

static const struct options_program program = {
	.name = "aphorismctl",
	.about = "Asks a running aphorismd, over its control socket.",
	.rows = rows,
	.commands = described,
};

static int parse_command(const struct options_found *found, struct options *options)
{
	const struct command *command = options->command = &commands[found->command];

	options->argument = found->count > 0 ? found->operands[0] : options->now ? command->word : NULL;
	if (options->argument && (strlen(options->argument) > ARGUMENT || strpbrk(options->argument, "\r\n")))
		return standard_fail(EX_USAGE, "%s: not a %s", command->name, command->argument);
	if (command == &commands[COMMAND_TOP] && !options->json && top_lacks())
		return standard_fail(EX_USAGE, "top: %s", top_lacks());
	return EX_OK;
}

static int explain_connect(const char *path, int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		return standard_fail(EX_UNAVAILABLE, "aphorismd is not running: no socket at %s", path);
	case ECONNREFUSED:
		return standard_fail(EX_UNAVAILABLE, "aphorismd is not running: nobody listens at %s", path);
	case EACCES:
	case EPERM:
		return standard_fail(EX_NOPERM, "no permission to use %s", path);
	case ETIMEDOUT:
		return standard_fail(EX_TEMPFAIL, "%s: aphorismd takes no connection", path);
	default:
		return standard_fail(EX_UNAVAILABLE, "%s: %s", path, strerror(error));
	}
}

static int explain_answer(const struct options *options, int error)
{
	char limit[UNITS_TEXT];

	switch (error) {
	case ETIMEDOUT:
		return standard_fail(EX_TEMPFAIL, "%s: no answer within %s", options->command->name,
		            units_format_duration(limit, options->timeout_us));
	case ECONNRESET:
		return standard_fail(EX_UNAVAILABLE, "%s: aphorismd went away before it answered",
		            options->command->name);
	case EPROTO:
		return standard_fail(EX_UNAVAILABLE, "%s: this is no answer of aphorismd", options->socket);
	default:
		return standard_fail(EX_UNAVAILABLE, "%s: %s", options->socket, strerror(error));
	}
}

/* Errors of a configuration begin with the place in a file; others are the daemon's refusal. */
static void print_line(const struct options *options, const struct line *line)
{
	if (strcmp(line->key, "error") == 0 && options->command == &commands[COMMAND_RELOAD])
		plain_say(stderr, "%s", line->value);
	else if (strcmp(line->key, "error") == 0)
		plain_say(stderr, "aphorismctl: %s: %s", options->command->name, line->value);
	else if (strcmp(line->key, "notice") == 0)
		plain_say(stderr, "notice: %s", line->value);
	else
		plain_say(stdout, "%s%s%s", line->key, *line->value ? " " : "", line->value);
}

/* Returns how many lines that were. */
static size_t print_lines(const struct options *options, const struct line *line, size_t count)
{
	if (strcmp(line->key, "bucket") == 0)
		return show_histogram(line, count);
	if (strcmp(line->key, "finding") == 0)
		return show_finding(line);
	if (rows_are(line->key))
		return rows_print(line, count);
	print_line(options, line);
	return 1;
}

/* What the daemon said.  A failure that it gave no reason for is told at least by its status. */
static int show(const struct options *options, const struct reply *reply)
{
	bool explained = reply->status == 0;

	for (size_t i = 0, taken = 1; i < reply->count; i += taken) {
		bool error = strcmp(reply->lines[i].key, "error") == 0;

		explained = explained || error;
		taken = 1;
		if (!options->json || error)
			taken = print_lines(options, &reply->lines[i], reply->count - i);
	}
	if (!explained)
		plain_say(stderr, "aphorismctl: %s: %s (status %d)", options->command->name,
		          reply->status == EX_NOPERM ? "no permission" : "aphorismd refused", reply->status);
	if (options->json)
		json_reply(reply, reply->status == 0 ? options->command->list : NULL);
	else if (reply->status == 0 && options->command->done)
		puts(options->command->done);
	else if (reply->count == 0 && options->command->none)
		puts(options->command->none);
	return reply->status;
}

static int ask(const struct options *options)
{
	static struct reply reply;
	bool stop = options->command == &commands[COMMAND_STOP];
	uint64_t deadline_us = clock_now_us() + (uint64_t)options->timeout_us;
	int error, fd = dial_unix(options->socket, deadline_us, -1);
	char limit[UNITS_TEXT], line[ARGUMENT + 64];

	if (fd < 0)
		return explain_connect(options->socket, errno);
	snprintf(line, sizeof line, "%s%s%s\n", options->command->name, options->argument ? " " : "",
	         options->argument ? options->argument : "");
	error = control_ask(fd, line, &reply, deadline_us);
	if (error != 0)
		return explain_answer(options, error);
	if (stop && reply.status == 0 && control_wait_for_exit(fd, deadline_us) != 0)
		return standard_fail(EX_TEMPFAIL, "stop: aphorismd is still stopping after %s",
		            units_format_duration(limit, options->timeout_us));
	close(fd);
	return show(options, &reply);
}

/* Whoever is not there at all, or refuses, is told of as by the other commands. */
static int watch(const struct options *options)
{
	const struct reply *refusal;
	int fd = dial_unix(options->socket, clock_now_us() + (uint64_t)options->timeout_us, -1);

	if (fd < 0)
		return explain_connect(options->socket, errno);
	close(fd);
	if (top_fetch(options->socket, &refusal) == 0 && refusal)
		return show(options, refusal);
	return options->json ? top_stream(options->socket) : top_run(options->socket);
}

int main(int argc, char **argv)
{
	struct options options = { 0 };
	struct options_found found;
	const char *reason;
	char path[CONTROL_PATH];

	standard_open("aphorismctl");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		described[i] = (struct options_command){
			commands[i].name, commands[i].argument, commands[i].help, commands[i].choices,
		};
	if ((reason = options_read(&program, &options, argc, argv, &found)))
		return standard_fail(EX_USAGE, "%s", reason);
	if (parse_command(&found, &options) != EX_OK)
		return EX_USAGE;
	standard_json = options.json;
	if (!options.socket)
		options.socket = control_default_path(path);
	if (options.timeout_us == 0)
		options.timeout_us = options.command->waits ? CHANGE_US : ANSWER_US;
	return options.command == &commands[COMMAND_TOP] ? watch(&options) : ask(&options);
}
