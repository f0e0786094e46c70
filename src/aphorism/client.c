/*
 * client.c - a client of an aphorism server: connects, asks, and asks again where that can do no harm.
 */
#include "aphorism/client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/dial.h"
#include "common/units.h"

enum {
	GO_ON = -1,                       /* else a status: this is the end */
	PAUSE_US = 100 * CLOCK_MS,        /* before the third try; another one more before each later one */
};

static int __attribute__((format(printf, 3, 4)))
fail(struct client *client, int status, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(client->reason, sizeof client->reason, format, args);
	va_end(args);
	return status;
}

static int fail_server(struct client *client, int status, const char *reason)
{
	return fail(client, status, "%s: %s", client->endpoint->name, reason);
}

void client_close(struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	client->mute = false;
	client->len = 0;
}

int client_connect(struct client *client)
{
	uint64_t limit_us = client->timeout_us, now_us = clock_now_us();
	int status;

	if (client->deadline_us != 0)
		limit_us = client->deadline_us > now_us ? client->deadline_us - now_us : 0;
	client_close(client);
	client->fd = endpoint_connect(client->endpoint, limit_us, client->cancel, client->reason, &status);
	if (client->fd >= 0)
		endpoint_address(client->endpoint, client->fd, client->server);
	else if (errno == ECANCELED)
		return CLIENT_CANCELLED;
	return status;
}

/* The answers after which a server closes, and what becomes of them. */
static int last_word(const char *answer, size_t len)
{
	static const struct {
		const char *text;
		int status;
	} words[] = {
		{ "Error: question too long.", EX_USAGE },
		{ "Error: too slow.", EX_TEMPFAIL },
		{ "Error: too busy.", EX_UNAVAILABLE },
	};

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (len == strlen(words[i].text) && memcmp(answer, words[i].text, len) == 0)
			return words[i].status;
	return GO_ON;
}

/* An answer has its time from when it is the next one to come. */
static void start_time(struct client *client, uint64_t now_us)
{
	const struct questions *q = client->questions;

	client->begin_us = now_us;
	client->deadline_us = q->whole > q->first ? now_us + client->timeout_us : 0;
	client->tries = 1;
}

/* One whole answer: belongs to the oldest question, or ends it all. */
static int take(struct client *client, const char *text, size_t len, bool more)
{
	static const char error[] = "Error: ";
	struct questions *q = client->questions;
	uint64_t now_us = clock_now_us();
	struct client_answer answer = {
		.question = q->at + q->first, .question_len = questions_oldest(q), .text = text, .len = len,
		.known = len < sizeof error - 1 || memcmp(text, error, sizeof error - 1) != 0,
		.more = more, .server = client->server, .tries = client->tries,
		.took_us = now_us - client->begin_us,
	};
	int status = last_word(text, len);

	if (status != GO_ON)
		return fail(client, status, "%s: %.*s", client->endpoint->name, (int)len, text);
	if (answer.question_len == 0 || q->first + answer.question_len > q->sent)
		return fail_server(client, EX_UNAVAILABLE, "an answer came without a question");
	client->tell(&answer);
	if (!answer.known)
		client->unknown = true;
	q->first += answer.question_len;
	start_time(client, now_us);
	return GO_ON;
}

/* The server has closed, and all that it had sent was read. */
static int ended(struct client *client)
{
	struct pollfd cancel = { .fd = client->cancel, .events = POLLIN };
	struct questions *q = client->questions;
	bool begun = client->len > 0;
	uint64_t until_us;

	client_close(client);
	q->sent = q->first;
	if (begun)
		return fail_server(client, EX_UNAVAILABLE, "the server closed the connection inside an answer");
	if (client->deadline_us == 0)
		return GO_ON;             /* no answer was due: the next question connects again */
	if (client->tries == CLIENT_TRIES)
		return fail(client, EX_UNAVAILABLE, "%s: the server closed the connection before it answered, %u times",
		            client->endpoint->name, client->tries);
	client->tries++;
	until_us = clock_now_us() + (client->tries - 2) * (uint64_t)PAUSE_US;
	dial_wait(&cancel, 1, until_us < client->deadline_us ? until_us : client->deadline_us);
	return GO_ON;
}

/* Whether this error is how a UNIX socket shows a close before the peer had read all: nothing it sent is lost. */
static bool is_close(const struct client *client, int error)
{
	return error == ECONNRESET && client->endpoint->port[0] == '\0';
}

static int receive(struct client *client)
{
	ssize_t got = recv(client->fd, client->answer + client->len, sizeof client->answer - client->len, 0);
	const char *next = client->answer, *end;
	int status = GO_ON;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return GO_ON;
	if (got == 0 || (got < 0 && is_close(client, errno)))
		return ended(client);
	if (got < 0)
		return fail_server(client, EX_UNAVAILABLE, strerror(errno));
	client->len += (size_t)got;
	end = memchr(next, '.', client->len);
	while (status == GO_ON && end) {
		const char *answer = next;
		size_t len = (size_t)(end + 1 - answer);

		next = end + 1;
		client->len -= len;
		end = memchr(next, '.', client->len);
		status = take(client, answer, len, end != NULL);
	}
	memmove(client->answer, next, client->len);
	if (status == GO_ON && client->len == sizeof client->answer)
		return fail_server(client, EX_UNAVAILABLE, "an answer has no end");
	return status;
}

static void send_some(struct client *client)
{
	struct questions *q = client->questions;
	ssize_t done = send(client->fd, q->at + q->sent, q->whole - q->sent, MSG_NOSIGNAL);

	if (done >= 0)
		q->sent += (size_t)done;
	else if (errno != EAGAIN && errno != EINTR)
		client->mute = true;      /* the last answers, or the reason, can still be read */
}

/* Waits for whatever can happen, and lets it happen. */
static int step(struct client *client)
{
	struct questions *q = client->questions;
	bool sends = !client->mute && q->sent < q->whole;
	struct pollfd polls[] = {
		{ .fd = client->fd, .events = POLLIN | (sends ? POLLOUT : 0) },
		{ .fd = questions_want(q) ? q->fd : -1, .events = POLLIN },
		{ .fd = client->cancel, .events = POLLIN },
	};

	if (dial_wait(polls, 3, client->deadline_us) < 0)
		return fail_server(client, EX_OSERR, strerror(errno));
	if (polls[2].revents)
		return CLIENT_CANCELLED;
	if (polls[1].revents) {
		int reason = questions_read(q);

		if (reason != 0)
			return fail(client, EX_IOERR, "standard input: %s", strerror(reason));
	}
	if (polls[0].revents & POLLOUT)
		send_some(client);
	if (polls[0].revents & ~POLLOUT)
		return receive(client);
	return GO_ON;
}

static int timed_out(struct client *client)
{
	char limit[UNITS_TEXT];

	return fail(client, EX_TEMPFAIL, "%s: no answer within %s", client->endpoint->name,
	            units_format_duration(limit, (int64_t)client->timeout_us));
}

/* Returns GO_ON as long as there is something to ask. */
static int go_on(struct client *client)
{
	struct questions *q = client->questions;
	int status;

	questions_refill(q);
	if (questions_unfinished(q))
		return fail(client, EX_USAGE, "standard input: %s", q->ended ?
		            "it ended inside a question, which ends in '?'" : "a question is too long");
	if (q->ended && q->whole == q->first)
		return client->unknown ? CLIENT_UNKNOWN : EX_OK;
	if (client->deadline_us == 0)
		start_time(client, clock_now_us());
	if (client->fd < 0 && q->whole > q->first) {
		status = client_connect(client);
		return status == EX_OK ? GO_ON : status;
	}
	status = step(client);
	if (status == GO_ON && client->deadline_us != 0 && clock_now_us() >= client->deadline_us)
		return timed_out(client);
	return status;
}

int client_ask(struct client *client, struct questions *q)
{
	int status;

	client->questions = q;
	client->deadline_us = 0;
	client->unknown = false;
	do
		status = go_on(client);
	while (status == GO_ON);
	if (status != EX_OK && status != CLIENT_UNKNOWN)
		client_close(client);     /* late answers would be taken for those to the next questions */
	return status;
}
