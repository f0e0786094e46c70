/*
 * conversation.c - one connection's dialogue: bytes in, bytes out.
 *
 *              MEET                    its first byte        its last
 *   UNMET ----------> GREETS ----> IDLE ----------> ASKING ----------> ANSWERS ---> IDLE, ASKING or ANSWERS, by what
 *     |                             |                |  |                 |          has come of the next one
 *     | bad, late,        silent or | ended    ended |  | malformed,      | malformed,
 *     | ended                       |                |  | too long        | the last that it may ask
 *     v                             v                v  v or slow         v
 *   CLOSE <-------------------------+----------------+  LINGER <----------+
 *
 * Without a PROXY header or a greeting it begins further on; a request that comes whole goes from IDLE to ANSWERS.
 * READ is said in UNMET, IDLE and ASKING; FLUSH for want of room in GREETS and ANSWERS, and before LINGER's last word;
 * PAY in ANSWERS, before an answer that costs.  That the client has ended counts when all is answered.
 */
#include <assert.h>
#include <string.h>

#include "protocol/conversation.h"

/* Within their callers each register that they need would cost the common case an instruction or two. */
#define APART __attribute__((noinline))

/* Each kind of protocol has an entry point of its own over one body: one for both would cost the quick kind dearly. */
#define ALWAYS __attribute__((always_inline))

enum { SHORT = 256 };                     /* bytes: to search these anew costs less than to remember that it was done */

/* ---- answers ---- */

static inline ALWAYS bool append(struct bytes *out, struct span words)
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

/* What came is no request: the end without a word, behind what is owed. */
static enum conversation_state reject(struct conversation *c)
{
	c->malformed = true;
	return finish(c, CONVERSATION_LINGER);
}

/* Ends with the protocol's last words, or without a word where it has none, behind what is owed. */
static enum conversation_state APART dismiss(struct conversation *c, struct span words, struct bytes *out)
{
	return words.len == 0 || append(out, words) ? finish(c, CONVERSATION_LINGER) : CONVERSATION_FLUSH;
}

/* The answer that exists already. */
static inline ALWAYS enum conversation_state say(struct conversation *c, const struct service *service,
                                                 struct span request, struct bytes *out)
{
	const struct protocol *protocol = service->protocol;
	struct span answer = protocol->answer(service->data, request);

	if (!append(out, answer))
		return CONVERSATION_FLUSH;
	if (answer.at == protocol->unknown.at)
		c->unknown++;
	return CONVERSATION_READ;
}

/* As much as there is room for of one that does not. */
static enum conversation_state compute(struct conversation *c, struct span request, struct bytes *out,
                                       uint64_t wall_us)
{
	struct exchange exchange = { .request = request, .data = c->service->data, .wall_us = wall_us, .at = &c->at };
	uint64_t before = c->at;
	uint32_t len = out->len;

	switch (c->service->protocol->compute(&exchange, out)) {
	case COMPUTED_PART:
		assert(c->at != before || len > 0 || out->size < CONVERSATION_OUT);
		return CONVERSATION_FLUSH;
	case COMPUTED_MALFORMED:
		return reject(c);
	default:
		c->at = 0;
		c->unknown += exchange.unknown;
		return CONVERSATION_READ;
	}
}

/* ---- requests ---- */

/* Drops what is to be skipped behind the request that ends there, so far as it has come; false when that is not all. */
static bool skip(struct bytes *in, uint32_t end)
{
	uint32_t come = in->len - end, now = come < in->skip ? come : in->skip;

	if (now > 0)
		memmove(in->at + end, in->at + end + now, come - now);
	in->len -= now;
	in->skip -= now;
	return in->skip == 0;
}

static bool APART begin_to_skip(struct conversation *c, struct bytes *in, uint32_t at, struct frame frame)
{
	assert(frame.end > frame.begin);
	c->skips = true;
	in->searched = frame.end - frame.begin;
	in->skip = frame.skip;
	return skip(in, at + in->searched);
}

/* There is no request at that place, or it is known where it will end. */
static enum conversation_state APART unframed(struct conversation *c, struct bytes *in, uint32_t at,
                                              struct frame frame, struct bytes *out)
{
	const struct service *service = c->service;
	uint32_t come = in->len - at, whole = frame.end - frame.begin;

	if (frame.verdict == FRAME_MALFORMED)
		return reject(c);
	if (come >= service->greatest || whole > service->greatest)
		return dismiss(c, service->protocol->too_long, out);
	if (come > 0)
		in->searched = whole - 1;
	return CONVERSATION_READ;
}

/*
 * Answers requests from in->at + *used on until input, room or payment is missing; moves *used along.  wall_us is NULL
 * for the quick kind, here and below.
 */
static inline ALWAYS enum conversation_state answer_all(struct conversation *c, struct bytes *in, uint32_t *used,
                                                        struct bytes *out, uint64_t now_us, const uint64_t *wall_us)
{
	const struct service *service = c->service;
	const struct protocol *protocol = service->protocol;

	while (*used < in->len) {
		const char *at = in->at + *used;
		struct frame frame = { .end = in->searched };
		enum conversation_state state;
		struct span request;

		if (!wall_us || !c->skips)
			frame = protocol->frame(at, in->len - *used, service->greatest);
		*used += frame.begin;
		/* most of those of whose end nothing is known are to go on */
		if (frame.end == 0 && frame.verdict == FRAME_MORE && in->len - *used < service->greatest)
			return CONVERSATION_READ;
		if (wall_us ? frame.verdict != FRAME_WHOLE : frame.end == 0)
			return unframed(c, in, *used, frame, out);
		if (wall_us && frame.skip > 0 && !begin_to_skip(c, in, *used, frame))
			return CONVERSATION_READ;
		request = (struct span){ at + frame.begin, frame.end - frame.begin };
		if (service->costly && !c->paid) {
			c->at = protocol->cost_us ? protocol->cost_us(request) : 0;
			return CONVERSATION_PAY;
		}
		state = wall_us ? compute(c, request, out, *wall_us) : say(c, service, request, out);
		if (state != CONVERSATION_READ)
			return state;
		*used += (uint32_t)request.len;
		c->asking = c->paid = false;
		if (wall_us && c->skips) {
			c->skips = false;
			in->searched = 0;
		}
		c->since_us = now_us;
		c->questions++;
		/* without a limit the count may wrap, to 0 too */
		if (c->questions == service->max_questions && c->questions > 0) {
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
		in->before += used;
		c->resumes = true;
	} else {
		memmove(in->at, in->at + used, in->len);
	}
}

/* More of a question that has begun, and not its end: what came before was looked at already. */
static bool goes_on(const struct conversation *c, struct bytes *in)
{
	const struct service *service = c->service;
	uint32_t searched = in->searched;

	if (c->skips)
		return !skip(in, searched);
	if (in->len <= searched)
		return true;
	in->searched = in->len;
	return in->len < service->greatest && service->protocol->may_end &&
	       !service->protocol->may_end(in->at + searched, in->len - searched);
}

static enum conversation_state over(const struct conversation *c, struct bytes *in)
{
	in->len = 0;
	return c->over;
}

void conversation_init(struct conversation *c, const struct service *service, uint64_t now_us)
{
	*c = (struct conversation){
		.service = service, .since_us = now_us, .unmet = service->proxied, .asking = service->proxied,
		.greets = service->protocol->greets,
	};
}

static enum conversation_state APART find_header(struct conversation *c, const struct bytes *in)
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

static inline ALWAYS enum conversation_state answer(struct conversation *c, struct bytes *in, struct bytes *out,
                                                    uint64_t now_us, const uint64_t *wall_us)
{
	uint32_t used = 0;
	enum conversation_state state = answer_all(c, in, &used, out, now_us, wall_us);

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
	if (in->len > SHORT && in->searched == 0) {
		in->searched = in->len;
		c->resumes = true;
	}
	if (!c->asking) {
		c->asking = true;
		c->since_us = now_us;
	}
	return CONVERSATION_READ;
}

/* Goes on as if the room behind what is done were all; before more comes what stays is moved to the beginning. */
static inline ALWAYS enum conversation_state answer_more(struct conversation *c, struct bytes *in, struct bytes *out,
                                                         uint64_t now_us, const uint64_t *wall_us)
{
	uint32_t before = in->before;
	enum conversation_state state;

	if (in->searched > 0 && goes_on(c, in))
		return c->ended ? finish(c, CONVERSATION_CLOSE) : CONVERSATION_READ;
	in->before = 0;
	if (!c->skips)
		in->searched = 0;
	c->resumes = false;
	state = answer(c, in, out, now_us, wall_us);
	if (before == 0)
		return state;
	if (state == CONVERSATION_FLUSH || state == CONVERSATION_PAY) {
		in->before += before;
		c->resumes = true;
		return state;
	}
	memmove(in->at - before, in->at, in->len);
	in->at -= before;
	in->size += before;
	return state;
}

static enum conversation_state APART say_all(struct conversation *c, struct bytes *in, struct bytes *out,
                                             uint64_t now_us)
{
	return answer(c, in, out, now_us, NULL);
}

static enum conversation_state APART say_otherwise(struct conversation *c, struct bytes *in, struct bytes *out,
                                                   uint64_t now_us)
{
	if (c->over)
		return over(c, in);
	if (c->unmet)
		return find_header(c, in);
	return answer_more(c, in, out, now_us, NULL);
}

enum conversation_state conversation_answer(struct conversation *c, struct bytes *in, struct bytes *out,
                                            uint64_t now_us)
{
	if (c->over || c->unmet || c->resumes)
		return say_otherwise(c, in, out, now_us);
	return say_all(c, in, out, now_us);
}

static enum conversation_state greet(struct conversation *c, struct bytes *out, uint64_t wall_us)
{
	enum conversation_state state = compute(c, SPAN(""), out, wall_us);

	c->greets = state == CONVERSATION_FLUSH;
	return state;
}

enum conversation_state conversation_compute(struct conversation *c, struct bytes *in, struct bytes *out,
                                             uint64_t now_us, uint64_t wall_us)
{
	enum conversation_state state;

	if (c->over)
		return over(c, in);
	if (c->unmet)
		return find_header(c, in);
	if (c->greets && (state = greet(c, out, wall_us)) != CONVERSATION_READ)
		return state;
	return answer_more(c, in, out, now_us, &wall_us);
}

void conversation_end(struct conversation *c)
{
	c->ended = true;
}

uint64_t conversation_price_us(const struct conversation *c)
{
	return c->at;
}

void conversation_paid(struct conversation *c)
{
	c->paid = true;
	c->at = 0;
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
