/*
 * echo.c - the echo protocol: bytes come back as they were.
 */
#include "protocol/protocol.h"

static struct frame frame_bytes(const char *at, size_t len, size_t most)
{
	(void)at;
	return (struct frame){ .end = (uint32_t)(len < most ? len : most) };
}

static struct span answer_bytes(const void *data, struct span request)
{
	(void)data;
	return request;
}

const struct protocol protocol_echo = {
	.name = "echo",
	.summary = "sends every byte back",
	.greatest = PROTOCOL_PIECE,
	.frame = frame_bytes,
	.answer = answer_bytes,
};
