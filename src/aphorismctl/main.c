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
#include "common/clock.h"
#include "common/dial.h"
#include "common/json.h"
#include "common/nearest.h"
#include "common/options.h"
#include "common/units.h"

struct command {
	const char *name, *line;          /* what is sent; NULL: a later version's */
	const char *done;                 /* what to say after a success */
	int64_t timeout_us;
};

enum { ANSWER_US = 10 * CLOCK_S, CHANGE_US = 300 * CLOCK_S };

static const struct command commands[] = {
	{ "status", "status\n", NULL, ANSWER_US },
	{ "reload", "reload\n", "reloaded", CHANGE_US },
	{ "upgrade", "upgrade\n", "upgraded", CHANGE_US },
	{ "stop", "stop\n", "stopped", CHANGE_US },
	{ "ping", "ping\n", NULL, ANSWER_US },
	{ "version", "version\n", NULL, ANSWER_US },
	{ .name = "workers" },
	{ .name = "stats" },
	{ .name = "doctor" },
	{ 0 }
};

struct wishes {
	const char *socket;
	const struct command *command;
	int64_t timeout_us;               /* 0: the command's own */
	bool json, now;
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

static const char help[] =
	"usage: aphorismctl [--json] [-s SOCKET] [-w TIMEOUT] COMMAND\n"
	"Asks a running aphorismd, over its control socket, to\n"
	"  status         say how it is\n"
	"  reload         read its configuration and table again, and wait for the outcome\n"
	"  upgrade        let the program as it is now on disk take over, and wait for the outcome\n"
	"  stop [--now]   finish (at once with --now), and wait until it is gone\n"
	"  ping           say that it is there\n"
	"  version        say its version\n"
	"Options:\n"
	"  -s, --socket SOCKET    the control socket's path\n"
	"  -w, --timeout TIMEOUT  by default 10s, for reload, upgrade and stop 5m\n"
	"      --json             answer with one JSON object\n"
	"  -h, --help\n"
	"  -V, --version\n";

static int __attribute__((format(printf, 1, 2))) wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("aphorismctl: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
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

/* Returns EX_OK to go on, EX_USAGE; --help and --version end the program. */
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
			fputs(help, stdout);
			exit(EX_OK);
		case 'V':
			puts("aphorismctl " PACKAGE_VERSION);
			exit(EX_OK);
		default:
			return options_complain("aphorismctl", argv, long_options, option);
		}
	}
	return EX_OK;
}

static int parse_command(char *const *operands, struct wishes *wishes)
{
	struct nearest nearest = { .name = operands[0] };
	const struct command *command = commands;

	if (!operands[0])
		return wrong("no command, see aphorismctl --help");
	for (; command->name && strcmp(command->name, operands[0]) != 0; command++)
		if (command->line)
			nearest_offer(&nearest, command->name);
	if (!command->name && nearest.best)
		return wrong("unknown command %s, did you mean %s?", operands[0], nearest.best);
	if (!command->name)
		return wrong("unknown command %s, see aphorismctl --help", operands[0]);
	if (!command->line)
		return wrong("%s: not in this version", command->name);
	if (operands[1])
		return wrong("%s: one word too many after %s", operands[1], command->name);
	if (wishes->now && strcmp(command->name, "stop") != 0)
		return wrong("--now goes with stop only");
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
	if (strcmp(line->key, "error") == 0 && strcmp(wishes->command->name, "reload") == 0)
		fprintf(stderr, "%s\n", line->value);
	else if (strcmp(line->key, "error") == 0)
		wrong("%s: %s", wishes->command->name, line->value);
	else if (strcmp(line->key, "notice") == 0)
		fprintf(stderr, "notice: %s\n", line->value);
	else
		printf("%s%s%s\n", line->key, *line->value ? " " : "", line->value);
}

/* What the daemon said.  A failure that it gave no reason for is told at least by its status. */
static int show(const struct wishes *wishes, const struct reply *reply)
{
	bool explained = reply->status == 0;

	for (size_t i = 0; i < reply->count; i++) {
		explained = explained || strcmp(reply->lines[i].key, "error") == 0;
		if (!wishes->json || strcmp(reply->lines[i].key, "error") == 0)
			print_line(wishes, &reply->lines[i]);
	}
	if (!explained)
		wrong("%s: %s (status %d)", wishes->command->name,
		      reply->status == EX_NOPERM ? "no permission" : "aphorismd refused", reply->status);
	if (wishes->json)
		json_reply(reply);
	else if (reply->status == 0 && wishes->command->done)
		puts(wishes->command->done);
	return reply->status;
}

static int ask(const struct wishes *wishes)
{
	static struct reply reply;
	bool stop = strcmp(wishes->command->name, "stop") == 0;
	uint64_t deadline_us = clock_now_us() + (uint64_t)wishes->timeout_us;
	int error, fd = dial_unix(wishes->socket, deadline_us);
	const char *line = stop && wishes->now ? "stop now\n" : wishes->command->line;
	char limit[UNITS_TEXT];

	if (fd < 0)
		return explain_connect(wishes, errno);
	error = control_ask(fd, line, &reply, deadline_us);
	if (error != 0)
		return explain_answer(wishes, error);
	if (stop && reply.status == 0 && control_wait_for_exit(fd, deadline_us) != 0)
		return fail(wishes, EX_TEMPFAIL, "stop: aphorismd is still stopping after %s",
		            units_format_duration(limit, wishes->timeout_us));
	close(fd);
	return show(wishes, &reply);
}

int main(int argc, char **argv)
{
	struct wishes wishes = { 0 };
	char path[CONTROL_PATH];
	int status;

	dial_init();
	if (parse_options(argc, argv, &wishes) != EX_OK || parse_command(argv + optind, &wishes) != EX_OK)
		return EX_USAGE;
	if (!wishes.socket)
		wishes.socket = control_default_path(path);
	if (wishes.timeout_us == 0)
		wishes.timeout_us = wishes.command->timeout_us;
	status = ask(&wishes);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		wrong("standard output: %s", strerror(errno));
		return EX_IOERR;
	}
	return status;
}
