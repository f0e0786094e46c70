/*
 * aphorism - asks an aphorism server.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorism/client.h"
#include "aphorism/interactive.h"
#include "aphorism/questions.h"
#include "aphorism/show.h"
#include "common/clock.h"
#include "common/endpoint.h"
#include "common/options.h"
#include "common/plain.h"
#include "common/standard.h"
#include "common/units.h"

enum { DEFAULT_PORT = 1060, DEFAULT_TIMEOUT_US = 10 * CLOCK_S };

struct options {
	uint64_t port, count;
	int64_t timeout_us;
	bool half, interactive, json;
	const char *host;                 /* NULL: none was named */
};

#define AT(member) .at = offsetof(struct options, member)

static const struct options_row rows[] = {
	{ 'p', "port", "PORT", "the server's port, by default 1060", options_take_number, AT(port), 65535 },
	{ 'n', "count", "COUNT", "ask all the questions COUNT times on one connection", options_take_number, AT(count),
	  UINT32_MAX },
	{ 'w', "timeout", "TIMEOUT", "for the connection and for each answer, by default 10s", options_take_time,
	  AT(timeout_us) },
	{ 'i', "interactive", NULL, "ask what is typed, with line editing and a history", AT(interactive) },
	{ 0, "json", NULL, "print a JSON object for each answer, and for a failure", AT(json) },
	{ 'e', "half", NULL, "send half a question and leave", AT(half) },
	OPTIONS_LAST
};

static const struct options_program program = {
	.name = "aphorism",
	.argument = "[HOST] [QUESTION...]",
	.about = "Asks an aphorism server each QUESTION (an operand that ends in '?'), by default three.\n"
	         "HOST is a name, an address or unix:/path, by default localhost.\n"
	         "With neither of them it asks what a pipe or a file on standard input holds, if that is anything.\n"
	         "- reads questions from standard input, all that there are; -i a line at a time, with an answer to "
	         "each.",
	.rows = rows,
};

/* No host is named so: what was meant is a question. */
static bool is_sentence(const char *operand)
{
	return strncmp(operand, "unix:", 5) != 0 && strpbrk(operand, " \t\r\n?") != NULL;
}

/* Sorts the operands into the host and the questions, which take the place of the operands. */
static int parse_operands(const struct options_found *found, struct options *options, struct questions *questions)
{
	questions->list = (const char **)found->operands;
	for (char **operand = found->operands; operand < found->operands + found->count; operand++) {
		size_t len = strlen(*operand);

		if (strcmp(*operand, "-") == 0)
			questions->fd = STDIN_FILENO;
		else if (len > 0 && (*operand)[len - 1] == '?')
			questions->list[questions->count++] = *operand;
		else if (is_sentence(*operand))
			return standard_fail(EX_USAGE, "%s: no host is named so, and a question ends in '?'", *operand);
		else if (!options->host)
			options->host = *operand;
		else
			return standard_fail(EX_USAGE, "%s: a second host (a question ends in '?')", *operand);
	}
	if (questions->fd >= 0 && (questions->count > 0 || options->half || options->count > 1))
		return standard_fail(EX_USAGE, "-: goes with no QUESTION, -e or -n");
	if (options->interactive && (questions->fd >= 0 || questions->count > 0 || options->half || options->count > 1))
		return standard_fail(EX_USAGE, "-i: goes with no QUESTION, -, -e or -n");
	return EX_OK;
}

/* Whether questions are to be expected there unasked.  A terminal, /dev/null or a socket is there for other reasons. */
static bool may_tell(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISREG(st.st_mode)) &&
	       (fcntl(fd, F_GETFL) & O_ACCMODE) != O_WRONLY;
}

/* Takes what standard input tells, if it does.  Returns an exit status. */
static int hear(struct questions *questions, const struct options *options)
{
	uint64_t deadline_us = clock_now_us() + (uint64_t)options->timeout_us;
	char limit[UNITS_TEXT];
	int reason;

	if (!may_tell(STDIN_FILENO))
		return EX_OK;
	reason = questions_hear(questions, STDIN_FILENO, deadline_us);
	if (reason == ETIMEDOUT) {
		plain_say(stderr, "aphorism: standard input: nothing within %s: asking the usual three "
		          "(- waits longer, </dev/null does not)",
		          units_format_duration(limit, options->timeout_us));
		return EX_OK;
	}
	if (reason != 0)
		return standard_fail(EX_IOERR, "standard input: %s", strerror(reason));
	if (questions->fd >= 0 && (options->half || options->count > 1))
		return standard_fail(EX_USAGE, "standard input: its questions go with no -e or -n "
		                     "(</dev/null asks the usual three)");
	return EX_OK;
}

/* Where no question was given: what is to be asked.  Returns an exit status. */
static int choose(struct questions *questions, const struct options *options)
{
	static const char *usual[] = {
		"Beautiful is better than?", "Explicit is better than?", "Simple is better than?",
	};
	int status = EX_OK;

	/* with a host it is a script's that goes through a list of hosts, more often than not */
	if (!options->host && !options->interactive)
		status = hear(questions, options);
	if (questions->fd >= 0 || status != EX_OK)
		return status;
	srandom((unsigned)clock_now_us() ^ (unsigned)getpid());
	questions->list = usual;
	questions->count = sizeof usual / sizeof *usual;
	questions->shuffled = true;
	return EX_OK;
}

/* Sends the first half of the first question. */
static int ask_half(const struct client *client, const struct questions *questions)
{
	size_t len = strlen(questions->list[0]) / 2;

	if (send(client->fd, questions->list[0], len, MSG_NOSIGNAL) == (ssize_t)len)
		return EX_OK;
	return standard_fail(EX_UNAVAILABLE, "%s: %s", client->endpoint->name, strerror(errno));
}

/* Asks what was wished for.  Returns the exit status. */
static int ask(struct client *client, struct questions *questions, const struct options *options)
{
	int status;

	if (options->interactive)
		return interactive_run(client, questions);
	status = client_connect(client);
	if (status != EX_OK)      /* who forgot a question mark has asked for a host */
		return standard_fail(status, "%s%s", client->reason,
		                     status == EX_NOHOST && options->host ? " (a question ends in '?')" : "");
	if (options->half)
		return ask_half(client, questions);
	status = client_ask(client, questions);
	return status > CLIENT_UNKNOWN ? standard_fail(status, "%s", client->reason) : status;
}

int main(int argc, char **argv)
{
	static struct questions questions;
	static struct client client;
	struct options options = { .port = DEFAULT_PORT, .count = 1, .timeout_us = DEFAULT_TIMEOUT_US };
	struct options_found found;
	struct endpoint endpoint;
	const char *host, *reason;
	int status;

	standard_open("aphorism");
	setlocale(LC_CTYPE, "");
	questions.fd = -1;        /* here, or the program's file would hold the whole buffer */
	if ((reason = options_read(&program, &options, argc, argv, &found)))
		return standard_fail(EX_USAGE, "%s", reason);
	if (parse_operands(&found, &options, &questions) != EX_OK)
		return EX_USAGE;
	host = options.host ? options.host : ENDPOINT_LOCALHOST;
	reason = endpoint_parse(&endpoint, host, (unsigned)options.port);
	if (reason)
		return standard_fail(EX_USAGE, "%s: %s", host, reason);
	standard_json = options.json;
	show_init(options.interactive);
	status = questions.count == 0 && questions.fd < 0 ? choose(&questions, &options) : EX_OK;
	if (status != EX_OK)
		return status;
	questions.rounds = options.count;
	client = (struct client){
		.endpoint = &endpoint, .timeout_us = (uint64_t)options.timeout_us,
		.tell = show_answer, .cancel = -1, .fd = -1,
	};
	status = ask(&client, &questions, &options);
	client_close(&client);
	return status;
}
