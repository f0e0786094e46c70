/*
 * count.c - the table of protocols of the tests' own daemon: it has one row more, which shows what a row may do.
 *
 * A request is a line with the number of bytes that are to come back, and behind an '@', if there is one, what that
 * costs, in ms: "5000000@20".  Each byte goes by its position in the answer; tests/system/test_computed.py knows them.
 */
#include <string.h>

#include "protocol/protocol.h"

enum {
	LONGEST_LINE = 32,
	MOST_DIGITS = 10,
	PERIOD = 1000003,                 /* bytes after which they come again: a prime, so that it fits no buffer */
};

static const struct span greeting = SPAN("how many?\n");

/* Moves *at behind the digits there; false when there is none, or too many. */
static bool read_number(const char **at, uint64_t *number)
{
	int digits = 0;

	for (*number = 0; **at >= '0' && **at <= '9'; (*at)++, digits++)
		*number = *number * 10 + (uint64_t)(**at - '0');
	return digits > 0 && digits <= MOST_DIGITS;
}

/* Of a line with its end. */
static bool read_line(const char *at, uint64_t *count, uint64_t *cost_ms)
{
	*cost_ms = 0;
	return read_number(&at, count) && (*at != '@' || (at++, read_number(&at, cost_ms))) && *at == '\n';
}

static struct frame frame_line(const char *at, size_t len, size_t most)
{
	const char *end = memchr(at, '\n', len < most ? len : most);
	uint64_t count, cost_ms;

	if (!end)
		return (struct frame){ .verdict = FRAME_MORE };
	if (!read_line(at, &count, &cost_ms))
		return (struct frame){ .verdict = FRAME_MALFORMED };
	return (struct frame){ .end = (uint32_t)(end - at) + 1 };
}

static bool may_end(const char *at, size_t len)
{
	return memchr(at, '\n', len) != NULL;
}

static uint64_t cost_us(struct span request)
{
	uint64_t count, cost_ms;

	read_line(request.at, &count, &cost_ms);
	return cost_ms * 1000;
}

static char byte_at(uint32_t position)
{
	return (char)(position * 2654435761u >> 24);
}

/* As much as there is room for; what a greeting consists of, or so many bytes. */
static enum computed compute(struct exchange *exchange, struct bytes *out)
{
	uint64_t count = greeting.len, cost_ms, *at = exchange->at;
	uint32_t position = (uint32_t)(*at % PERIOD);

	if (exchange->request.len > 0)
		read_line(exchange->request.at, &count, &cost_ms);
	for (; *at < count && out->len < out->size; ++*at) {
		out->at[out->len++] = exchange->request.len > 0 ? byte_at(position) : greeting.at[*at];
		position = position + 1 < PERIOD ? position + 1 : 0;
	}
	return *at < count ? COMPUTED_PART : COMPUTED_ALL;
}

static const struct protocol count = {
	.name = "count",
	.summary = "sends as many bytes as it is asked for",
	.greatest = LONGEST_LINE,
	.greets = true,
	.frame = frame_line,
	.may_end = may_end,
	.compute = compute,
	.cost_us = cost_us,
};

const struct protocol *const protocols[] = { &protocol_aphorism, &count, NULL };

const struct protocol *protocol_find(const char *name)
{
	const struct protocol *const *row = protocols;

	while (*row && strcmp((*row)->name, name) != 0)
		row++;
	return *row;
}
