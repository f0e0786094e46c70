/*
 * dialogue.h - what a protocol that computes its answers says to some bytes: a pump whose buffers are as small as they
 * may be, or smaller, and which is told where the bytes are cut.
 */
#ifndef UNIT_DIALOGUE_H
#define UNIT_DIALOGUE_H

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/conversation.h"

struct dialogue {
	struct conversation c;
	struct bytes in, out;
	char *said;
	size_t said_len, said_size;
	enum conversation_state state;
};

/* Buffers of their exact sizes, so that ASan sees a step beyond them. */
static void dialogue_begin(struct dialogue *d, const struct service *service, uint32_t out_size)
{
	*d = (struct dialogue){
		.in = { .at = malloc(service->greatest), .size = service->greatest },
		.out = { .at = malloc(out_size), .size = out_size },
		.said = malloc(out_size), .said_size = out_size,
	};
	conversation_init(&d->c, service, 0);
}

static void dialogue_end(struct dialogue *d)
{
	free(d->in.at - d->in.before);
	free(d->out.at);
	free(d->said);
}

static void dialogue_send(struct dialogue *d)
{
	if (d->said_len + d->out.len > d->said_size) {
		d->said_size = 2 * (d->said_len + d->out.len);
		d->said = realloc(d->said, d->said_size);
	}
	memcpy(d->said + d->said_len, d->out.at, d->out.len);
	d->said_len += d->out.len;
	d->out.len = 0;
}

static void dialogue_run(struct dialogue *d)
{
	do {
		d->state = conversation_compute(&d->c, &d->in, &d->out, 0, 0);
		ck_assert_uint_le(d->out.len, d->out.size);
		if (d->state == CONVERSATION_FLUSH)
			ck_assert_uint_gt(d->out.len, 0);
		if (d->state == CONVERSATION_PAY)
			conversation_paid(&d->c);
		dialogue_send(d);
	} while (d->state == CONVERSATION_FLUSH || d->state == CONVERSATION_PAY);
}

/* What comes when it is over is not read any more. */
static void dialogue_hear(struct dialogue *d, const char *at, size_t len)
{
	while (len > 0 && d->state < CONVERSATION_LINGER) {
		uint32_t room = d->in.size - d->in.len, take = len < room ? (uint32_t)len : room;

		ck_assert_uint_gt(room, 0);
		memcpy(d->in.at + d->in.len, at, take);
		d->in.len += take;
		dialogue_run(d);
		at += take;
		len -= take;
	}
}

#endif
