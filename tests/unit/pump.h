/*
 * pump.h - what drives a conversation in a unit test, and a model of what it should say.
 *
 * The pump's buffers are as small as they may be.  The model reads a whole transcript byte by byte and knows
 * nothing of tables, buffers and cuts.
 */
#ifndef UNIT_PUMP_H
#define UNIT_PUMP_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/conversation.h"
#include "protocol/table.h"

#ifndef PUMP_ROOM
#define PUMP_ROOM 8192
#endif
enum { ROOM = PUMP_ROOM, LIMIT = 32, LONGEST_ANSWER = 29, QUESTION_US = 100, IDLE_US = 1000, PUMP_WALL_US = 1060 };

static const char *const known[][2] = {
	{ "Beautiful is better than?", "Ugly." },
	{ "Explicit is better than?", "Implicit." },
	{ "Simple is better than?", "Complex." },
	{ "a\r\t b?", "." },
	{ "Long?", "An answer of that many bytes." },
};
enum { KNOWN = sizeof known / sizeof known[0] };

static _Alignas(8) char block[4096];

static void unexpected(void *arg, size_t line, const char *reason)
{
	(void)arg;
	ck_abort_msg("%zu: %s", line, reason);
}

static void build_table(void)
{
	struct table *table = (void *)block;
	char *text = table_text(table), *end = text;

	for (int i = 0; i < KNOWN; i++)
		end += sprintf(end, "%s %s\n", known[i][0], known[i][1]);
	table->text_len = (size_t)(end - text);
	ck_assert_uint_eq(table_build(table, KNOWN, LIMIT, unexpected, NULL), 0);
	ck_assert_uint_eq(table->longest_answer, LONGEST_ANSWER);
}

static struct service service_of(const struct protocol *protocol)
{
	return (struct service){
		.protocol = protocol, .data = block, .greatest = LIMIT,
		.question_us = QUESTION_US, .idle_us = IDLE_US,
	};
}

/* What a transcript is worth. */
struct outcome {
	char said[ROOM];
	size_t len, unfinished;
	enum conversation_state state;
	uint32_t questions, unknown;
	uint64_t price_us;                /* of all together */
	bool malformed;
};

static void model_say(struct outcome *o, const char *words)
{
	memcpy(o->said + o->len, words, strlen(words));
	o->len += strlen(words);
}

static const char *model_answer(const char *question, size_t len)
{
	for (int i = 0; i < KNOWN; i++)
		if (strlen(known[i][0]) == len && memcmp(known[i][0], question, len) == 0)
			return known[i][1];
	return "Error: unknown aphorism.";
}

static inline void model(struct outcome *o, const struct service *service, const char *at, size_t len)
{
	size_t begun = 0;

	*o = (struct outcome){ .state = CONVERSATION_READ };
	for (size_t i = 0; i < len && o->state == CONVERSATION_READ; i++) {
		if (o->unfinished == 0 && at[i] != '\0' && strchr(" \t\r\n", at[i]))
			continue;
		if (o->unfinished++ == 0)
			begun = i;
		if (at[i] == '?') {
			model_say(o, model_answer(at + begun, o->unfinished));
			o->unfinished = 0;
			if (++o->questions == service->max_questions)
				o->state = CONVERSATION_LINGER;
		} else if (o->unfinished == service->greatest) {
			model_say(o, "Error: question too long.");
			o->state = CONVERSATION_LINGER;
		}
	}
}

struct pump {
	struct conversation c;
	struct bytes in, out;
	char sent[ROOM];
	size_t sent_len;
	struct proxy_header header;
	uint64_t now_us, price_us;        /* what was paid so far, beside what every answer costs */
	enum conversation_state state;
};

/* Buffers of their exact sizes, so that ASan sees a step beyond them. */
static void pump_start(struct pump *p, const struct service *service, uint32_t in_size, uint32_t out_size)
{
	*p = (struct pump){
		.in = { .at = malloc(in_size), .size = in_size }, .out = { .at = malloc(out_size), .size = out_size },
	};
	conversation_init(&p->c, service, 0);
}

static void pump_stop(struct pump *p)
{
	free(p->in.at);
	free(p->out.at);
}

/* Sends what is in out. */
static void pump_send(struct pump *p)
{
	ck_assert_uint_le(p->out.len, p->out.size);
	memcpy(p->sent + p->sent_len, p->out.at, p->out.len);
	p->sent_len += p->out.len;
	p->out.len = 0;
}

/* Either kind. */
static enum conversation_state pump_answer(struct pump *p)
{
	if (p->c.service->protocol->compute)
		return conversation_compute(&p->c, &p->in, &p->out, p->now_us, PUMP_WALL_US);
	return conversation_answer(&p->c, &p->in, &p->out, p->now_us);
}

static void pump_pay(struct pump *p)
{
	p->price_us += conversation_price_us(&p->c);
	conversation_paid(&p->c);
	ck_assert_uint_eq(conversation_price_us(&p->c), 0);
}

static void pump_run(struct pump *p)
{
	for (;;) {
		uint32_t before = p->c.questions;
		bool paid = p->c.paid;

		p->state = pump_answer(p);
		if (p->c.service->costly)
			ck_assert_uint_le(p->c.questions - before, paid);
		if (p->state == CONVERSATION_FLUSH)
			ck_assert_uint_gt(p->out.len, 0);
		else if (p->state == CONVERSATION_PAY)
			pump_pay(p);
		else if (p->state == CONVERSATION_MEET)
			conversation_meet(&p->c, &p->in, &p->header, p->now_us);
		else
			break;
		pump_send(p);
	}
	pump_send(p);
	if (p->state == CONVERSATION_READ)
		ck_assert_uint_lt(p->in.len, p->in.size);
}

static void pump_give(struct pump *p, const char *at, size_t len)
{
	while (len > 0) {
		uint32_t room, take;

		if (p->state != CONVERSATION_READ)
			p->in.len = 0;
		room = p->in.size - p->in.len;
		take = len < room ? (uint32_t)len : room;
		memcpy(p->in.at + p->in.len, at, take);
		p->in.len += take;
		pump_run(p);
		at += take;
		len -= take;
	}
}

static void pump_end(struct pump *p)
{
	conversation_end(&p->c);
	pump_run(p);
}

#endif
