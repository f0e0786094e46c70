/*
 * conversation.c - one connection's dialogue: bytes in, bytes out.
 */
#include <assert.h>
#include <string.h>

#include "protocol/conversation.h"

/* Within the common case each register that they need would cost it an instruction or two. */
#define SELDOM __attribute__((noinline))

enum { SHORT = 256 };                     /* bytes: to search these anew costs less than to remember that it was done */

static bool append(struct bytes *out, struct span words)
{
	if (words.len > out->size - out->len) {
		assert(out->len > 0 || out->size < CONVERSATION_OUT);
		return false;
	}
	memcpy(out->at + out->len, words.at, words.len);
	out->len += (uint32_t)words.len;
	return true;
}

static enum conversation_state finish(struct conversation *c, enum conversation_state state)
{
	c->over = (uint8_t)state;
	return state;
}

/* Ends with the protocol's last words, or without a word where it has none. */
static enum conversation_state dismiss(struct conversation *c, struct span words, struct bytes *out)
{
	if (words.len == 0)
		return finish(c, CONVERSATION_CLOSE);
	return append(out, words) ? finish(c, CONVERSATION_LINGER) : CONVERSATION_FLUSH;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Answers requests from in->at + *used on until input, room or payment is missing; moves *used along. */
static enum conversation_state answer_all(struct conversation *c, const struct bytes *in, uint32_t *used,
                                          struct bytes *out, uint64_t now_us)
{
	const struct service *service = c->service;
	const struct protocol *protocol = service->protocol;
	size_t most = protocol->limited ? service->max_question_length : least(out->size, CONVERSATION_PIECE);
	/* without a limit the count of questions may wrap, to 0 too */
	bool counted = service->max_questions > 0;

	while (*used < in->len) {
		const char *at = in->at + *used;
		struct frame frame = protocol->frame(at, in->len - *used, most);
		struct span request, answer;

		*used += (uint32_t)frame.begin;
		if (frame.end == 0) {
			if (in->len - *used < most)
				break;
			return dismiss(c, protocol->too_long, out);
		}
		if (service->costly && !c->paid)
			return CONVERSATION_PAY;
		request = (struct span){ at + frame.begin, frame.end - frame.begin };
		answer = protocol->answer(service->data, request);
		if (!append(out, answer))
			return CONVERSATION_FLUSH;
		*used += (uint32_t)request.len;
		c->asking = c->paid = false;
		c->since_us = now_us;
		c->questions++;
		if (answer.at == protocol->unknown.at)
			c->unknown++;
		if (counted && c->questions >= service->max_questions) {
			*used = in->len;
			return finish(c, CONVERSATION_LINGER);
		}
	}
	return CONVERSATION_READ;
}

/* What stays may lie where it is if it is looked at again before more comes. */
static void drop(struct conversation *c, struct bytes *in, uint32_t used, bool may_lie)
{
	in->len -= used;
	if (may_lie) {
		in->at += used;
		in->size -= used;
		in->skipped += used;
		c->resumes = true;
	} else {
		memmove(in->at, in->at + used, in->len);
	}
}

/* More of a question that has begun, and not its end: what came before was looked at already. */
static bool goes_on(const struct service *service, struct bytes *in)
{
	uint32_t searched = in->searched;

	in->searched = in->len;
	return in->len < service->max_question_length && service->protocol->may_end &&
	       !service->protocol->may_end(in->at + searched, in->len - searched);
}

void conversation_init(struct conversation *c, const struct service *service, uint64_t now_us)
{
	*c = (struct conversation){
		.service = service, .since_us = now_us, .unmet = service->proxied, .asking = service->proxied,
	};
}

static enum conversation_state SELDOM look_for_header(struct conversation *c, const struct bytes *in)
{
	struct proxy_header header;

	if (proxy_read(&header, in->at, in->len) != NULL)
		return finish(c, CONVERSATION_CLOSE);
	if (header.len > 0)
		return CONVERSATION_MEET;
	return c->ended ? finish(c, CONVERSATION_CLOSE) : CONVERSATION_READ;
}

void conversation_meet(struct conversation *c, struct bytes *in, struct proxy_header *header, uint64_t now_us)
{
	assert(c->unmet);
	proxy_read(header, in->at, in->len);
	drop(c, in, header->len, false);
	c->unmet = c->asking = false;
	c->since_us = now_us;
}

static enum conversation_state answer(struct conversation *c, struct bytes *in, struct bytes *out, uint64_t now_us)
{
	uint32_t used = 0;
	enum conversation_state state = answer_all(c, in, &used, out, now_us);

	if (used == in->len)
		in->len = 0;
	else if (used > 0)
		drop(c, in, used, state == CONVERSATION_FLUSH || state == CONVERSATION_PAY);
	if (state != CONVERSATION_READ)
		return state;
	if (c->ended)
		return finish(c, CONVERSATION_CLOSE);
	if (in->len == 0)
		return CONVERSATION_READ;
	if (in->len > SHORT) {
		in->searched = in->len;
		c->resumes = true;
	}
	if (!c->asking) {
		c->asking = true;
		c->since_us = now_us;
	}
	return CONVERSATION_READ;
}

/* Goes on as if the room behind what was skipped were all; before more comes what stays is moved to the beginning. */
static enum conversation_state SELDOM answer_more(struct conversation *c, struct bytes *in, struct bytes *out,
                                                  uint64_t now_us)
{
	uint32_t skipped = in->skipped;
	enum conversation_state state;

	if (in->searched > 0 && goes_on(c->service, in))
		return c->ended ? finish(c, CONVERSATION_CLOSE) : CONVERSATION_READ;
	in->skipped = in->searched = 0;
	c->resumes = false;
	state = answer(c, in, out, now_us);
	if (skipped == 0)
		return state;
	if (state == CONVERSATION_FLUSH || state == CONVERSATION_PAY) {
		in->skipped += skipped;
		c->resumes = true;
		return state;
	}
	memmove(in->at - skipped, in->at, in->len);
	in->at -= skipped;
	in->size += skipped;
	return state;
}

enum conversation_state conversation_answer(struct conversation *c, struct bytes *in, struct bytes *out,
                                            uint64_t now_us)
{
	if (c->over) {
		in->len = 0;
		return c->over;
	}
	if (c->unmet)
		return look_for_header(c, in);
	return c->resumes ? answer_more(c, in, out, now_us) : answer(c, in, out, now_us);
}

void conversation_end(struct conversation *c)
{
	c->ended = true;
}

void conversation_paid(struct conversation *c)
{
	c->paid = true;
}

void conversation_resume(struct conversation *c, uint64_t now_us)
{
	c->since_us = now_us;
}

uint64_t conversation_deadline_us(const struct conversation *c)
{
	return c->since_us + (c->asking ? c->service->question_us : c->service->idle_us);
}

enum conversation_state conversation_expire(struct conversation *c, struct bytes *out, uint64_t now_us)
{
	if (now_us < conversation_deadline_us(c))
		return CONVERSATION_READ;
	if (!c->asking || c->unmet)
		return finish(c, CONVERSATION_CLOSE);
	return dismiss(c, c->service->protocol->too_slow, out);
}
