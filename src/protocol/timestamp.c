/*
 * timestamp.c - the timestamp protocol: bytes come back with the time of day in front.
 */
#include <string.h>

#include "common/calendar.h"
#include "protocol/protocol.h"

enum { PIECE = 1024, STAMP = CALENDAR_TEXT + 3 };     /* bytes: of a request; "[Sun Sep  6 14:10:08 2026] " */

static struct frame frame_bytes(const char *at, size_t len, size_t most)
{
	(void)at;
	return (struct frame){ .end = (uint32_t)(len < most ? len : most) };
}

static size_t longest(const void *data)
{
	(void)data;
	return STAMP + PIECE;
}

static enum computed stamp(struct exchange *exchange, struct bytes *out)
{
	struct span request = exchange->request;
	char *at = out->at + out->len;

	if (STAMP + request.len > out->size - out->len)
		return COMPUTED_PART;
	at[0] = '[';
	calendar_write(at + 1, exchange->wall_us);
	memcpy(at + 1 + CALENDAR_TEXT, "] ", 2);
	memcpy(at + STAMP, request.at, request.len);
	out->len += (uint32_t)(STAMP + request.len);
	return COMPUTED_ALL;
}

const struct protocol protocol_timestamp = {
	.name = "timestamp",
	.summary = "sends bytes back behind the time of day",
	.greatest = PIECE,
	.clock = true,
	.prepare = calendar_open,
	.frame = frame_bytes,
	.longest = longest,
	.compute = stamp,
};
