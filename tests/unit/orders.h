/*
 * orders.h - a protocol of the tests' own that computes, and a model of what it should say.
 *
 * Each byte of an order says what is to happen, so that any bytes are a transcript:
 *   space      nothing
 *   '!'        that is no request
 *   'l'        a line up to LF is a request; its answer is as long as the line
 *   any other  four bytes: a kind, how many more are of it, how many thirds of what is skipped behind these, how many
 *              thirds of the answer.  Of the kind '#' is no request after all, 'u' one without an answer of its own.
 */
#ifndef UNIT_ORDERS_H
#define UNIT_ORDERS_H

#include "pump.h"

enum { ORDERS_HEAD = 4, ORDERS_TIMES = 3, ORDERS_PRICE_US = 10 };

static uint32_t orders_piece = 1;         /* an answer is appended in whole pieces of so many bytes, and the rest */
static uint32_t orders_greeting;          /* bytes of it */
static unsigned orders_framed;            /* how often somebody asked for a frame */

/* ---- the protocol ---- */

static struct frame orders_frame(const char *at, size_t len, size_t most)
{
	const unsigned char *order;
	uint32_t begin = 0, end;
	const char *line_end;

	orders_framed++;
	while (begin < len && at[begin] == ' ')
		begin++;
	order = (const unsigned char *)at + begin;
	if (begin < len && *order == '!')
		return (struct frame){ .begin = begin, .verdict = FRAME_MALFORMED };
	if (begin < len && *order == 'l') {
		line_end = memchr(order, '\n', len - begin < most ? len - begin : most);
		if (!line_end)
			return (struct frame){ .begin = begin, .verdict = FRAME_MORE };
		return (struct frame){ .begin = begin, .end = (uint32_t)(line_end - at) + 1 };
	}
	if (len - begin < ORDERS_HEAD)
		return (struct frame){ .begin = begin, .verdict = FRAME_MORE, .end = begin + ORDERS_HEAD };
	end = begin + ORDERS_HEAD + order[1];
	if (len < end || end - begin > most)
		return (struct frame){ .begin = begin, .verdict = FRAME_MORE, .end = end };
	return (struct frame){ .begin = begin, .end = end, .skip = ORDERS_TIMES * order[2] };
}

/* Byte number `at` of the answer to that request: each of its bytes matters. */
static char orders_said(struct span request, size_t at)
{
	unsigned sum = 77;

	for (size_t i = 0; i < request.len; i++)
		sum = sum * 31 + (unsigned char)request.at[i];
	return (char)(sum + at * 7 + at / 251);
}

static uint32_t orders_len(struct span request)
{
	if (request.len == 0)
		return orders_greeting;
	return request.at[0] == 'l' ? (uint32_t)request.len : ORDERS_TIMES * (unsigned char)request.at[3];
}

static enum computed orders_compute(struct exchange *exchange, struct bytes *out)
{
	uint32_t len = orders_len(exchange->request);

	ck_assert_ptr_eq(exchange->data, block);
	ck_assert_uint_eq(exchange->wall_us, PUMP_WALL_US);
	ck_assert_uint_le(*exchange->at, len);
	if (exchange->request.len > 0 && exchange->request.at[0] == '#')
		return COMPUTED_MALFORMED;
	while (*exchange->at < len) {
		uint32_t left = len - (uint32_t)*exchange->at, piece = left < orders_piece ? left : orders_piece;

		if (out->size - out->len < piece)
			return COMPUTED_PART;
		for (; piece > 0; piece--)
			out->at[out->len++] = orders_said(exchange->request, (*exchange->at)++);
	}
	exchange->unknown = exchange->request.len > 0 && exchange->request.at[0] == 'u';
	return COMPUTED_ALL;
}

static uint64_t orders_cost_us(struct span request)
{
	return ORDERS_PRICE_US * request.len;
}

static const struct protocol orders = {
	.name = "orders",
	.frame = orders_frame,
	.compute = orders_compute,
	.cost_us = orders_cost_us,
	.too_long = { "long", 4 },
	.too_slow = { "slow", 4 },
};

/* ---- the model ---- */

static void orders_model_answer(struct outcome *o, struct span request)
{
	for (uint32_t i = 0, len = orders_len(request); i < len; i++)
		o->said[o->len++] = orders_said(request, i);
}

/* The bytes that are held of the request at hand, those of it in all, skipped ones too; 0 where there is none yet. */
static size_t orders_model_size(const char *at, size_t len, size_t *held)
{
	const char *line_end = memchr(at, '\n', len);

	if (*at == 'l')
		return *held = line_end ? (size_t)(line_end - at) + 1 : 0;
	if (len < ORDERS_HEAD)
		return *held = 0;
	*held = ORDERS_HEAD + (size_t)(unsigned char)at[1];
	return *held + ORDERS_TIMES * (size_t)(unsigned char)at[2];
}

static void orders_model_end(struct outcome *o, const struct protocol *protocol, bool malformed)
{
	o->state = CONVERSATION_LINGER;
	o->malformed = malformed;
	if (!malformed && protocol->too_long.len > 0)
		model_say(o, "long");
}

/* What is to be said of the transcript, and what is left of it. */
static void orders_model(struct outcome *o, const struct service *service, const char *at, size_t len)
{
	*o = (struct outcome){ .state = CONVERSATION_READ };
	if (service->protocol->greets)
		orders_model_answer(o, SPAN(""));
	while (len > 0 && o->state == CONVERSATION_READ) {
		size_t held, size = orders_model_size(at, len, &held);

		o->unfinished = 0;
		if (*at == ' ') {
			at++, len--;
			continue;
		}
		o->unfinished = size > 0 && held < len ? held : len;
		if (*at == '!') {
			orders_model_end(o, service->protocol, true);
		} else if (held > service->greatest || (size == 0 && len >= service->greatest)) {
			orders_model_end(o, service->protocol, false);
		} else if (size == 0 || size > len) {
			return;
		} else if (*at == '#') {
			o->price_us += orders_cost_us((struct span){ at, held });
			orders_model_end(o, service->protocol, true);
		} else {
			orders_model_answer(o, (struct span){ at, held });
			o->price_us += orders_cost_us((struct span){ at, held });
			o->unknown += *at == 'u';
			o->unfinished = 0;
			at += size, len -= size;
			if (++o->questions == service->max_questions)
				o->state = CONVERSATION_LINGER;
		}
	}
}

#endif
