/*
 * aphorism - asks an aphorism server.
 */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorism/client.h"
#include "aphorism/interactive.h"
#include "aphorism/questions.h"
#include "aphorism/show.h"
#include "common/clock.h"
#include "common/options.h"
#include "common/place.h"
#include "common/plain.h"
#include "common/standard.h"
#include "common/units.h"

enum { DEFAULT_PORT = 1060, DEFAULT_TIMEOUT_US = 10 * CLOCK_S };

struct wishes {
	unsigned port;
	uint64_t count;
	int64_t timeout_us;
	bool half, interactive, json;
	const char *host;
};

static const struct option long_options[] = {
	{ "port", required_argument, NULL, 'p' },
	{ "half", no_argument, NULL, 'e' },
	{ "interactive", no_argument, NULL, 'i' },
	{ "json", no_argument, NULL, 'j' },
	{ "count", required_argument, NULL, 'n' },
	{ "timeout", required_argument, NULL, 'w' },
	{ "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'V' },
	{ 0 }
};

static const char help[] =
	"usage: aphorism [-ei] [--json] [-n COUNT] [-p PORT] [-w TIMEOUT] [HOST] [QUESTION...]\n"
	"Asks an aphorism server each QUESTION (an operand that ends in '?'), by default three.\n"
	"HOST is a name, an address or unix:/path, by default localhost.\n"
	"- reads questions from standard input, all that there are; -i a line at a time, with an answer to each.\n"
	"  -p, --port PORT        the server's port, by default 1060\n"
	"  -n, --count COUNT      ask all the questions COUNT times on one connection\n"
	"  -w, --timeout TIMEOUT  for the connection and for each answer, by default 10s\n"
	"  -i, --interactive      ask what is typed, with line editing and a history\n"
	"      --json             print a JSON object for each answer, and for a failure\n"
	"  -e, --half             send half a question and leave\n"
	"  -h, --help\n"
	"  -V, --version\n";

static int wrong(const char *what, const char *reason)
{
	plain_say(stderr, "aphorism: %s: %s", what, reason);
	return EX_USAGE;
}

static int parse_timeout(const char *text, int64_t *us)
{
	const char *reason = units_duration(text, us);

	if (!reason && *us == 0)
		reason = "a time-out of 0 leaves no time";
	return reason ? wrong(text, reason) : EX_OK;
}

/* Returns EX_OK to go on, EX_USAGE; --help and --version end the program. */
static int parse_options(int argc, char **argv, struct wishes *wishes)
{
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":p:ein:w:hV", long_options, NULL)) != -1) {
		switch (option) {
		case 'p':
			wishes->port = (unsigned)options_number(optarg, 65535);
			if (wishes->port == 0)
				return wrong(optarg, "a port is a number from 1 to 65535");
			break;
		case 'n':
			wishes->count = options_number(optarg, UINT32_MAX);
			if (wishes->count == 0)
				return wrong(optarg, "a count is a number from 1 to 4294967295");
			break;
		case 'w':
			if (parse_timeout(optarg, &wishes->timeout_us) != EX_OK)
				return EX_USAGE;
			break;
		case 'e':
			wishes->half = true;
			break;
		case 'i':
			wishes->interactive = true;
			break;
		case 'j':
			wishes->json = true;
			break;
		case 'h':
			fputs(help, stdout);
			exit(EX_OK);
		case 'V':
			puts("aphorism " PACKAGE_VERSION);
			exit(EX_OK);
		default:
			return options_complain("aphorism", argv, long_options, option);
		}
	}
	return EX_OK;
}

/* Sorts the operands into the host and the questions, which take the place of the operands. */
static int parse_operands(const char **operands, struct wishes *wishes, struct questions *questions)
{
	questions->list = operands;
	for (const char **operand = operands; *operand; operand++) {
		size_t len = strlen(*operand);

		if (strcmp(*operand, "-") == 0)
			questions->fd = STDIN_FILENO;
		else if (len > 0 && (*operand)[len - 1] == '?')
			questions->list[questions->count++] = *operand;
		else if (!wishes->host)
			wishes->host = *operand;
		else
			return wrong(*operand, "a second host (a question ends in '?')");
	}
	if (questions->fd >= 0 && (questions->count > 0 || wishes->half || wishes->count > 1))
		return wrong("-", "goes with no QUESTION, -e or -n");
	if (wishes->interactive && (questions->fd >= 0 || questions->count > 0 || wishes->half || wishes->count > 1))
		return wrong("-i", "goes with no QUESTION, -, -e or -n");
	return EX_OK;
}

/* Sends the first half of the first question. */
static int ask_half(struct client *client, const struct questions *questions)
{
	size_t len = strlen(questions->list[0]) / 2;

	if (send(client->fd, questions->list[0], len, MSG_NOSIGNAL) == (ssize_t)len)
		return EX_OK;
	snprintf(client->reason, sizeof client->reason, "%s: %s", client->place->name, strerror(errno));
	return show_failure(EX_UNAVAILABLE, client->reason);
}

/* Asks what was wished for.  Returns the exit status. */
static int ask(struct client *client, struct questions *questions, const struct wishes *wishes)
{
	int status;

	if (wishes->interactive)
		return interactive_run(client, questions);
	status = client_connect(client);
	if (status != EX_OK)
		return show_failure(status, client->reason);
	if (wishes->half)
		return ask_half(client, questions);
	status = client_ask(client, questions);
	return status > CLIENT_UNKNOWN ? show_failure(status, client->reason) : status;
}

int main(int argc, char **argv)
{
	static const char *usual[] = {
		"Beautiful is better than?", "Explicit is better than?", "Simple is better than?",
	};
	static struct questions questions;
	static struct client client;
	struct wishes wishes = { .port = DEFAULT_PORT, .count = 1, .timeout_us = DEFAULT_TIMEOUT_US };
	struct place place;
	const char *reason;
	int status;

	standard_open("aphorism");
	setlocale(LC_CTYPE, "");
	questions.fd = -1;        /* here, or the program's file would hold the whole buffer */
	if (parse_options(argc, argv, &wishes) != EX_OK ||
	    parse_operands((const char **)(argv + optind), &wishes, &questions) != EX_OK)
		return EX_USAGE;
	show_init(wishes.json);
	if (!wishes.host)
		wishes.host = "localhost";
	reason = place_parse(&place, wishes.host, wishes.port);
	if (reason)
		return wrong(wishes.host, reason);
	if (questions.count == 0 && questions.fd < 0) {
		srandom((unsigned)clock_now_us() ^ (unsigned)getpid());
		questions.list = usual;
		questions.count = sizeof(usual) / sizeof(usual[0]);
		questions.shuffled = true;
	}
	questions.rounds = wishes.count;
	client = (struct client){
		.place = &place, .timeout_us = (uint64_t)wishes.timeout_us,
		.tell = wishes.interactive ? show_answer : show_pair, .cancel = -1, .fd = -1,
	};
	status = ask(&client, &questions, &wishes);
	client_close(&client);
	return status;
}
