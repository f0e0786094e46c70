#include "aphorism/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "aphorism/show.h"
#include "common/clock.h"
#include "common/dial.h"
#include "common/units.h"
#include "protocol/table.h"

enum { GO_ON = -1 };                      /* else an exit status: this is the end */

struct exchange {
	int fd;
	const char *server;
	struct questions *questions;
	uint64_t timeout_us, deadline_us; /* of the next answer; 0: none is due */
	int status;
	bool mute;                        /* the server takes no more; what it has said is still to be read */
	size_t len;
	char answer[TABLE_LONGEST_ANSWER + 1];
};

static int fail(const struct exchange *x, int status, const char *reason)
{
	fprintf(stderr, "aphorism: %s: %s\n", x->server, reason);
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

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (len == strlen(words[i].text) && memcmp(answer, words[i].text, len) == 0)
			return words[i].status;
	return GO_ON;
}

/* One whole answer: belongs to the oldest question, or ends it all. */
static int take(struct exchange *x, const char *answer, size_t len)
{
	static const char error[] = "Error: ";
	struct questions *q = x->questions;
	size_t asked = questions_oldest(q);
	int status = last_word(answer, len);

	if (status != GO_ON) {
		fprintf(stderr, "aphorism: %s: %.*s\n", x->server, (int)len, answer);
		return status;
	}
	if (asked == 0 || q->first + asked > q->sent)
		return fail(x, EX_UNAVAILABLE, "an answer came without a question");
	show_bytes(q->at + q->first, asked);
	putchar(' ');
	show_bytes(answer, len);
	putchar('\n');
	if (len >= sizeof(error) - 1 && memcmp(answer, error, sizeof(error) - 1) == 0)
		x->status = EXCHANGE_UNKNOWN;
	q->first += asked;
	x->deadline_us = 0;
	return GO_ON;
}

static int receive(struct exchange *x)
{
	ssize_t got = recv(x->fd, x->answer + x->len, sizeof(x->answer) - x->len, 0);
	const char *next = x->answer, *end;
	int status = GO_ON;

	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? GO_ON : fail(x, EX_UNAVAILABLE, strerror(errno));
	if (got == 0)
		return fail(x, EX_UNAVAILABLE, questions_oldest(x->questions) > 0 ?
		            "the server closed the connection before it answered" :
		            "the server closed the connection");
	x->len += (size_t)got;
	while (status == GO_ON && (end = memchr(next, '.', x->len))) {
		size_t len = (size_t)(end + 1 - next);

		status = take(x, next, len);
		next += len;
		x->len -= len;
	}
	memmove(x->answer, next, x->len);
	if (status == GO_ON && x->len == sizeof(x->answer))
		return fail(x, EX_UNAVAILABLE, "an answer has no end");
	return status;
}

static void send_some(struct exchange *x)
{
	struct questions *q = x->questions;
	ssize_t done = send(x->fd, q->at + q->sent, q->whole - q->sent, MSG_NOSIGNAL);

	if (done >= 0)
		q->sent += (size_t)done;
	else if (errno != EAGAIN && errno != EINTR)
		x->mute = true;           /* the last answers, or the reason, can still be read */
}

/* Waits for whatever can happen, and lets it happen. */
static int step(struct exchange *x)
{
	struct questions *q = x->questions;
	struct pollfd polls[] = {
		{ .fd = x->fd, .events = POLLIN | (!x->mute && q->sent < q->whole ? POLLOUT : 0) },
		{ .fd = questions_want(q) ? q->fd : -1, .events = POLLIN },
	};

	if (q->whole == q->first)
		x->deadline_us = 0;
	else if (x->deadline_us == 0)
		x->deadline_us = clock_now_us() + x->timeout_us;
	fflush(stdout);
	if (dial_wait(polls, 2, x->deadline_us) < 0)
		return fail(x, EX_OSERR, strerror(errno));
	if (polls[1].revents) {
		int reason = questions_read(q);

		if (reason != 0) {
			fprintf(stderr, "aphorism: standard input: %s\n", strerror(reason));
			return EX_IOERR;
		}
	}
	if (polls[0].revents & POLLOUT)
		send_some(x);
	if (polls[0].revents & ~POLLOUT)
		return receive(x);
	return GO_ON;
}

static int timed_out(const struct exchange *x)
{
	char limit[UNITS_TEXT];

	fprintf(stderr, "aphorism: %s: no answer within %s\n", x->server,
	        units_format_duration(limit, (int64_t)x->timeout_us));
	return EX_TEMPFAIL;
}

int exchange_run(int fd, struct questions *q, const char *server, uint64_t timeout_us)
{
	static struct exchange x;

	x = (struct exchange){ .fd = fd, .server = server, .questions = q, .timeout_us = timeout_us };
	for (;;) {
		int status;

		questions_refill(q);
		if (questions_unfinished(q)) {
			fprintf(stderr, "aphorism: standard input: %s\n", q->ended ?
			        "it ended inside a question" : "a question is too long");
			return EX_USAGE;
		}
		if (q->ended && q->whole == q->first)
			return x.status;
		status = step(&x);
		if (status != GO_ON)
			return status;
		if (x.deadline_us != 0 && clock_now_us() >= x.deadline_us)
			return timed_out(&x);
	}
}
