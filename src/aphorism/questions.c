/*
 * questions.c - what is to be asked, and how far the asking is.
 */
#include "aphorism/questions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/dial.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Makes room behind the text by moving it to the front, seldom enough to cost next to nothing per byte. */
static void compact(struct questions *q)
{
	if (q->first < q->len && q->first < sizeof q->at / 2)
		return;
	memmove(q->at, q->at + q->first, q->len - q->first);
	q->sent -= q->first;
	q->whole -= q->first;
	q->len -= q->first;
	q->first = 0;
}

/* Appends bytes that fit, without the white space in front of a question. */
static void append(struct questions *q, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (q->len == q->whole && is_space(bytes[i]))
			continue;
		q->at[q->len++] = bytes[i];
		if (bytes[i] == '?')
			q->whole = q->len;
	}
}

static void shuffle(const char **list, size_t count)
{
	for (size_t i = count; i > 1; i--) {
		size_t other = (size_t)random() % i;
		const char *taken = list[other];

		list[other] = list[i - 1];
		list[i - 1] = taken;
	}
}

void questions_set(struct questions *q, const char **list, size_t count, uint64_t rounds)
{
	q->list = list;
	q->count = count;
	q->rounds = rounds;
	q->next = q->first = q->sent = q->whole = q->len = 0;
	q->shuffled = q->ended = false;
	q->fd = -1;
}

void questions_refill(struct questions *q)
{
	if (q->fd >= 0 || q->ended)
		return;
	compact(q);
	while (q->rounds > 0) {
		if (q->next == 0 && q->shuffled)
			shuffle(q->list, q->count);
		for (; q->next < q->count; q->next++) {
			size_t len = strlen(q->list[q->next]);

			if (len > sizeof q->at - q->len)
				return;
			append(q, q->list[q->next], len);
		}
		q->next = 0;
		q->rounds--;
	}
	q->ended = true;
}

bool questions_want(struct questions *q)
{
	compact(q);
	return q->fd >= 0 && !q->ended && q->len < sizeof q->at;
}

int questions_read(struct questions *q)
{
	char bytes[16384];
	size_t room = sizeof q->at - q->len;
	ssize_t got = read(q->fd, bytes, room < sizeof bytes ? room : sizeof bytes);
	if (got < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : errno;
	if (got == 0)
		q->ended = true;
	append(q, bytes, (size_t)got);
	return 0;
}

int questions_hear(struct questions *q, int fd, uint64_t deadline_us)
{
	struct pollfd polled = { .fd = fd, .events = POLLIN };
	int reason = 0;

	q->fd = fd;
	while (reason == 0 && q->len == 0 && !q->ended) {
		int ready = dial_wait(&polled, 1, deadline_us);

		if (ready > 0)
			reason = questions_read(q);
		else
			reason = ready < 0 ? errno : ETIMEDOUT;
	}
	if (q->len == 0) {
		q->fd = -1;
		q->ended = false;
	}
	return reason;
}

size_t questions_oldest(const struct questions *q)
{
	const char *begin = q->at + q->first;
	const char *end = q->whole > q->first ? memchr(begin, '?', q->whole - q->first) : NULL;

	return end ? (size_t)(end - begin) + 1 : 0;
}

bool questions_unfinished(const struct questions *q)
{
	return q->whole == q->first && q->len > q->whole && (q->ended || q->len == sizeof q->at);
}
