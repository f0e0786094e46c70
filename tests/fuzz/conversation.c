/*
 * conversation.c - fuzz target: any cut of the same bytes gives the same answers, which are those of a model that
 * knows no cuts.
 *
 * input: flags, question length, number of questions, sizes of the buffers, seed of the cuts; of a protocol that
 * computes the length of its greeting, and of the pieces that it says at once; then the transcript.
 */
#define PUMP_ROOM 131072
#include "../unit/orders.h"
#include "fuzz.h"

enum {
	MOST_TEXT = PUMP_ROOM / LONGEST_ANSWER,
	MOST_ORDERS = PUMP_ROOM / (ORDERS_TIMES * 256) * ORDERS_HEAD - ORDERS_HEAD,
	FLAG_ECHO = 1, FLAG_COSTLY = 2, FLAG_END = 4, FLAG_ORDERS = 8, FLAG_GREETS = 16, FLAG_WORDLESS = 32,
};

static struct protocol ordered;

static struct pump pump;
static struct outcome outcome;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	build_table();
	return 0;
}

/* What is a request is up to the cuts; how many there are is not. */
static void expect_echo(const char *text, size_t len, bool ended)
{
	bool over = pump.c.questions > 0 && pump.c.questions == pump.c.service->max_questions;

	REQUIRE(over ? pump.sent_len <= len : pump.sent_len == len);
	REQUIRE(memcmp(pump.sent, text, pump.sent_len) == 0);
	REQUIRE(pump.state == (over ? CONVERSATION_LINGER : ended ? CONVERSATION_CLOSE : CONVERSATION_READ));
	REQUIRE(over || pump.c.service->max_questions == 0 || pump.c.questions < pump.c.service->max_questions);
}

static void expect_orders(void)
{
	REQUIRE(pump.c.malformed == outcome.malformed);
	REQUIRE(pump.c.questions == outcome.questions && pump.c.unknown == outcome.unknown);
	REQUIRE(pump.price_us == (pump.c.service->costly ? outcome.price_us : 0));
}

static void expect(const char *text, size_t len, bool ended)
{
	enum conversation_state state;

	if (pump.c.service->protocol == &protocol_echo) {
		expect_echo(text, len, ended);
		return;
	}
	if (pump.c.service->protocol->compute) {
		orders_model(&outcome, pump.c.service, text, len);
		expect_orders();
	} else {
		model(&outcome, pump.c.service, text, len);
	}
	REQUIRE(pump.sent_len == outcome.len && memcmp(pump.sent, outcome.said, outcome.len) == 0);
	state = ended && outcome.state == CONVERSATION_READ ? CONVERSATION_CLOSE : outcome.state;
	REQUIRE(pump.state == state);
	if (outcome.state == CONVERSATION_READ)
		REQUIRE(pump.in.len == outcome.unfinished);
	if (pump.state == CONVERSATION_READ)
		REQUIRE(pump.c.asking == (outcome.unfinished > 0));
}

/* Time is up at the deadline and not before; then there is a last word for a question, and none for silence. */
static void expect_deadline(void)
{
	struct span too_slow = pump.c.service->protocol->too_slow;
	bool asking = pump.c.asking;
	uint64_t deadline_us = conversation_deadline_us(&pump.c);

	if (pump.state != CONVERSATION_READ)
		return;
	REQUIRE(conversation_expire(&pump.c, &pump.out, deadline_us - 1) == CONVERSATION_READ);
	pump.state = conversation_expire(&pump.c, &pump.out, deadline_us);
	REQUIRE(pump.state == (asking ? CONVERSATION_LINGER : CONVERSATION_CLOSE));
	REQUIRE(pump.out.len == (asking ? too_slow.len : 0));
	REQUIRE(pump.out.len == 0 || memcmp(pump.out.at, too_slow.at, pump.out.len) == 0);
}

static void play(const struct service *service, const char *text, size_t len, uint32_t in_size, uint32_t out_size,
                 uint32_t cuts, bool end)
{
	pump_start(&pump, service, in_size, out_size);
	pump_run(&pump);
	for (size_t at = 0, piece; at < len; at += piece) {
		cuts = cuts * 1664525 + 1013904223;
		piece = cuts == 0 ? len : 1 + (cuts >> 16) % (cuts >> 8 & 1 ? 3 : 100);
		if (piece > len - at)
			piece = len - at;
		pump_give(&pump, text + at, piece);
		pump.now_us += cuts >> 9 & 7;
		expect(text, at + piece, false);
	}
	if (end) {
		pump_end(&pump);
		expect(text, len, true);
	} else {
		expect_deadline();
	}
	pump_stop(&pump);
}

static void take_orders(struct feed *feed, uint8_t flags)
{
	ordered = orders;
	ordered.greets = flags & FLAG_GREETS;
	if (flags & FLAG_WORDLESS)
		ordered.too_long = ordered.too_slow = (struct span){ NULL, 0 };
	orders_greeting = feed_byte(feed);
	orders_piece = 1 + feed_byte(feed) % LIMIT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed feed = { data, data + size };
	uint8_t flags = feed_byte(&feed);
	bool computes = flags & FLAG_ORDERS;
	const struct protocol *quick = flags & FLAG_ECHO ? &protocol_echo : &protocol_aphorism;
	struct service service = service_of(computes ? &ordered : quick);
	size_t len, most = computes ? MOST_ORDERS : MOST_TEXT;
	uint32_t in_size, out_size, cuts;
	const char *text;

	service.costly = flags & FLAG_COSTLY;
	service.greatest = (computes ? ORDERS_HEAD : 2) + feed_byte(&feed) % (LIMIT - 1);
	service.max_questions = feed_byte(&feed);
	in_size = service.greatest + computes + feed_byte(&feed);     /* that much may be held while it is skipped */
	out_size = LIMIT + feed_byte(&feed);
	cuts = feed_byte(&feed);
	if (computes)
		take_orders(&feed, flags);
	text = (const char *)feed.at;
	len = feed_left(&feed) < most ? feed_left(&feed) : most;
	play(&service, text, len, in_size, out_size, cuts, flags & FLAG_END);
	play(&service, text, len, CONVERSATION_IN, CONVERSATION_OUT, ~cuts, flags & FLAG_END);
	return 0;
}
