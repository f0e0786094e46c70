/*
 * test_kinds.c - what the conversation does for protocols that compute: answers of any length, greetings, prices, what
 * is skipped, what is no request.
 */
#include "orders.h"

enum { BIG = 64 };

/* Each test begins with one. */
static struct service service_for(const struct protocol *protocol)
{
	struct service service = service_of(protocol);

	orders_piece = 1;
	orders_greeting = 0;
	orders_framed = 0;
	service.greatest = BIG;
	return service;
}

/* Those without last words of their own. */
static struct protocol wordless(void)
{
	struct protocol protocol = orders;

	protocol.too_long = protocol.too_slow = (struct span){ NULL, 0 };
	return protocol;
}

/* The pump has said and done what the model says of the first len bytes, and holds what is needed, no more. */
static void expect(struct pump *p, const char *text, size_t len, bool ended)
{
	static struct outcome o;

	orders_model(&o, p->c.service, text, len);
	ck_assert_uint_eq(p->sent_len, o.len);
	ck_assert_int_eq(memcmp(p->sent, o.said, o.len), 0);
	ck_assert_int_eq(p->state, ended && o.state == CONVERSATION_READ ? CONVERSATION_CLOSE : o.state);
	ck_assert_int_eq(p->c.malformed, o.malformed);
	ck_assert_uint_eq(p->c.questions, o.questions);
	ck_assert_uint_eq(p->c.unknown, o.unknown);
	ck_assert_uint_eq(p->price_us, p->c.service->costly ? o.price_us : 0);
	if (o.state == CONVERSATION_READ) {
		ck_assert_uint_eq(p->in.len, o.unfinished);
		if (!ended)
			ck_assert_int_eq(p->c.asking, o.unfinished > 0);
	}
}

/* In three parts, then the end. */
static void play(const struct service *service, const char *text, size_t len, size_t cut, size_t cut2, uint32_t room)
{
	struct pump p;

	pump_start(&p, service, service->greatest + 1, room);
	pump_run(&p);
	pump_give(&p, text, cut);
	expect(&p, text, cut, false);
	pump_give(&p, text + cut, cut2 - cut);
	expect(&p, text, cut2, false);
	pump_give(&p, text + cut2, len - cut2);
	expect(&p, text, len, false);
	pump_end(&p);
	expect(&p, text, len, true);
	pump_stop(&p);
}

/* What nobody needs of the second and the fourth is 6 and 30 bytes; the last one is not whole. */
static const char transcript[] =
	"a\0\0\5" "  b\3\2\1xyz" "......" " l\n" "lines have ends\n" "u\0\12\0" ".............................."
	"c\2\0\40xy" "d\1\1\0x" "...  e\7\3\1xyz";
enum { LEN = sizeof transcript - 1 };

START_TEST(test_cut_everywhere)
{
	struct service service = service_for(&orders);

	for (size_t cut = 0; cut <= LEN; cut++)
		for (size_t cut2 = cut; cut2 <= LEN; cut2++) {
			service.costly = cut2 % 2;
			play(&service, transcript, LEN, cut, cut2, 1 + (uint32_t)cut2 % 7);
		}
}
END_TEST

START_TEST(test_byte_by_byte)
{
	struct service service = service_for(&orders);
	struct pump p;

	pump_start(&p, &service, BIG + 1, 3);
	for (size_t i = 0; i < LEN; i++) {
		pump_give(&p, transcript + i, 1);
		expect(&p, transcript, i + 1, false);
	}
	pump_stop(&p);
}
END_TEST

START_TEST(test_half_close)
{
	struct service service = service_for(&orders);

	for (size_t len = 0; len <= LEN; len++)
		play(&service, transcript, len, len, len, BIG);
}
END_TEST

/* Through room of any size, all of which is used, or not. */
START_TEST(test_answers_of_any_length)
{
	struct service service = service_for(&orders);

	for (orders_piece = 1; orders_piece < 10; orders_piece += 4)
		for (int length = 0; length <= 255; length += 5)
			for (uint32_t room = orders_piece; room < 300; room += room / 4 + 1) {
				const char text[] = { 'a', 0, 0, (char)length, 'l', '\n', 'b', 0, 0, (char)length };

				play(&service, text, sizeof text, 0, sizeof text, room);
				play(&service, text, sizeof text, 2, 7, room);
			}
}
END_TEST

/* While an answer has no room nothing is read, and the request stays where it is until the last of it is said. */
START_TEST(test_cursor)
{
	static const char text[] = "a\0\0\12b\0\0\0l";
	struct service service = service_for(&orders);
	struct pump p;

	pump_start(&p, &service, BIG, 12);
	memcpy(p.in.at, text, p.in.len = sizeof text - 1);
	for (uint32_t said = 12; said <= 24; said += 12) {
		ck_assert_int_eq(pump_answer(&p), CONVERSATION_FLUSH);
		ck_assert_uint_eq(p.out.len, 12);
		ck_assert_int_eq(pump_answer(&p), CONVERSATION_FLUSH);    /* no room is no progress */
		ck_assert_uint_eq(p.c.at, said);
		ck_assert_uint_eq(p.c.questions, 0);
		ck_assert_uint_eq(p.in.len, sizeof text - 1);
		pump_send(&p);
	}
	ck_assert_int_eq(pump_answer(&p), CONVERSATION_READ);
	ck_assert_uint_eq(p.c.at, 0);
	ck_assert_uint_eq(p.c.questions, 2);
	ck_assert(p.in.len == 1 && *p.in.at == 'l');
	pump_send(&p);
	expect(&p, text, sizeof text - 1, false);
	pump_stop(&p);
}
END_TEST

/* ---- how much is needed ---- */

/* A request that comes byte by byte is framed when there are as many as it needs, and not before. */
START_TEST(test_needed)
{
	static const char text[] = "  a\50\0\1........................................";
	struct service service = service_for(&orders);
	struct pump p;

	pump_start(&p, &service, BIG, BIG);
	for (size_t i = 0; i < sizeof text - 1; i++)
		pump_give(&p, text + i, 1);
	expect(&p, text, sizeof text - 1, false);
	ck_assert_uint_eq(p.c.questions, 1);
	ck_assert_uint_eq(orders_framed, 5);      /* two spaces, one byte of four, the head, the whole */
	pump_stop(&p);
}
END_TEST

/* One that needs more than there may be is too long as soon as it says so. */
START_TEST(test_needs_too_much)
{
	struct protocol protocol = wordless();
	struct service services[] = { service_for(&orders), service_for(&protocol) };

	for (int i = 0; i < 2; i++)
		for (int held = BIG - ORDERS_HEAD - 1; held < BIG; held++) {
			const struct service *service = &services[i];
			char text[BIG + 10] = { 'l', '\n', ' ', 'a', (char)held };
			struct pump p;

			pump_start(&p, service, BIG + 1, BIG);
			pump_give(&p, text, 7);
			ck_assert_int_eq(p.state, held > BIG - ORDERS_HEAD ? CONVERSATION_LINGER : CONVERSATION_READ);
			ck_assert_uint_eq(p.in.len, ORDERS_HEAD);
			expect(&p, text, 7, false);
			pump_stop(&p);
			for (size_t cut = 0; cut <= sizeof text; cut++)
				play(service, text, sizeof text, cut, sizeof text, BIG);
		}
}
END_TEST

START_TEST(test_lines_too_long)
{
	struct protocol protocol = wordless();
	struct service services[] = { service_for(&orders), service_for(&protocol) };

	for (int i = 0; i < 2; i++)
		for (size_t line = BIG - 1; line <= BIG + 1; line++) {
			char text[2 * BIG] = "a\0\0\1 ";
			size_t len = 5 + line;

			memset(text + 5, 'l', line - 1);
			strcpy(text + len - 1, "\nl\n");
			for (size_t cut = 0; cut <= len + 2; cut++)
				play(&services[i], text, len + 2, cut, len + 2, BIG);
		}
}
END_TEST

/* ---- what is skipped ---- */

enum { SKIPPED = 3 * 255, HELD = ORDERS_HEAD + 3, SKIP_LEN = 4 + HELD + SKIPPED + 6 };

/* An order, one of which most is skipped, and two more. */
static const char *skip_text(void)
{
	static char text[SKIP_LEN + 1] = "a\0\0\2b\3\377\4xyz";

	memset(text + 4 + HELD, '!', SKIPPED);
	memcpy(text + 4 + HELD + SKIPPED, "l\nc\0\0\1", 6);
	return text;
}

/* Nothing of it is ever held: there is room for one byte of it. */
START_TEST(test_skipped_is_not_held)
{
	static const size_t pieces[] = { 1, 2, 7, 100, 764, 765, 766, 2000 };
	struct service service = service_for(&orders);
	const char *text = skip_text();

	service.greatest = HELD;
	for (size_t i = 0; i < 2 * sizeof pieces / sizeof *pieces; i++) {
		struct pump p;

		service.costly = i % 2;
		pump_start(&p, &service, HELD + 1, 5);
		for (size_t at = 0, end; at < SKIP_LEN; at = end) {
			end = at + pieces[i / 2] < SKIP_LEN ? at + pieces[i / 2] : SKIP_LEN;
			pump_give(&p, text + at, end - at);
			expect(&p, text, end, false);
		}
		ck_assert_uint_eq(p.c.questions, 4);
		pump_stop(&p);
	}
}
END_TEST

START_TEST(test_skipped_cut_everywhere)
{
	struct service service = service_for(&orders);
	const char *text = skip_text();

	for (size_t cut = 0; cut <= SKIP_LEN; cut++)
		for (uint32_t size = BIG + 1; size < 1000; size += 300) {
			struct pump p;

			service.costly = cut % 2;
			pump_start(&p, &service, size, 1 + (uint32_t)cut % 7);
			pump_give(&p, text, cut);
			expect(&p, text, cut, false);
			pump_give(&p, text + cut, SKIP_LEN - cut);
			expect(&p, text, SKIP_LEN, false);
			pump_stop(&p);
		}
}
END_TEST

/* The client's end amid it: no answer, and what was held stays for a line in the log. */
START_TEST(test_end_amid_the_skipped)
{
	struct service service = service_for(&orders);
	const char *text = skip_text();

	for (size_t len = 5; len < 4 + HELD + SKIPPED; len++) {
		struct pump p;

		pump_start(&p, &service, BIG, BIG);
		pump_give(&p, text, len);
		pump_end(&p);
		expect(&p, text, len, true);
		ck_assert_int_eq(p.state, CONVERSATION_CLOSE);
		ck_assert_uint_eq(p.in.len, len - 4 < HELD ? len - 4 : HELD);
		pump_stop(&p);
	}
}
END_TEST

/* It is whole, and has to wait for room, and for its price; what is behind it lies still, and is answered then. */
START_TEST(test_skipped_waits)
{
	static const char text[] = "a\0\0\2b\3\1\4xyz...l\nc\0\0\1l";
	struct service service = service_for(&orders);

	for (size_t cut = 4; cut < 4 + HELD + 3; cut++) {
		const char *end;
		struct pump p;

		service.costly = true;
		pump_start(&p, &service, BIG, 12);
		pump_give(&p, text, cut);
		memcpy(p.in.at + p.in.len, text + cut, sizeof text - 1 - cut);
		p.in.len += (uint32_t)(sizeof text - 1 - cut);
		ck_assert_int_eq(pump_answer(&p), CONVERSATION_PAY);
		ck_assert_int_eq(pump_answer(&p), CONVERSATION_PAY);
		ck_assert_uint_eq(conversation_price_us(&p.c), ORDERS_PRICE_US * HELD);
		ck_assert_uint_eq(p.in.len, HELD + 7);
		end = p.in.at + p.in.len;
		pump_pay(&p);
		p.out.len = 12;
		ck_assert_int_eq(pump_answer(&p), CONVERSATION_FLUSH);
		ck_assert_int_eq(pump_answer(&p), CONVERSATION_FLUSH);
		ck_assert_uint_eq(p.c.at, 0);
		p.out.len = 2;
		ck_assert_int_eq(pump_answer(&p), CONVERSATION_FLUSH);
		ck_assert_uint_eq(p.c.at, 10);
		ck_assert_uint_eq(p.in.len, HELD + 7);
		ck_assert_ptr_eq(p.in.at + p.in.len, end);
		memmove(p.out.at, p.out.at + 2, p.out.len = 10);
		pump_send(&p);
		ck_assert_int_eq(pump_answer(&p), CONVERSATION_PAY);
		ck_assert_ptr_eq(p.in.at + p.in.len, end);
		pump_send(&p);
		pump_run(&p);
		expect(&p, text, sizeof text - 1, false);
		ck_assert_uint_eq(p.in.size, BIG);
		ck_assert_uint_eq(p.in.before, 0);
		pump_stop(&p);
	}
}
END_TEST

/* ---- time ---- */

static void give_at(struct pump *p, uint64_t now_us, const char *text, size_t len, uint64_t deadline_us)
{
	p->now_us = now_us;
	pump_give(p, text, len);
	ck_assert_int_eq(p->state, CONVERSATION_READ);
	ck_assert_uint_eq(conversation_deadline_us(&p->c), deadline_us);
}

/* From the first byte of a request on, whatever is needed or skipped meanwhile. */
START_TEST(test_deadlines)
{
	struct service service = service_for(&orders);
	const char *text = skip_text();
	struct pump p;

	pump_start(&p, &service, BIG, BIG);
	give_at(&p, 10, "  ", 2, IDLE_US);
	give_at(&p, 20, " b", 2, 20 + QUESTION_US);
	give_at(&p, 30, "\3\377", 2, 20 + QUESTION_US);
	give_at(&p, 40, "\4xy", 3, 20 + QUESTION_US);
	give_at(&p, 50, "z", 1, 20 + QUESTION_US);
	give_at(&p, 60, text + 4 + HELD, 1, 20 + QUESTION_US);
	give_at(&p, 70, text + 4 + HELD, SKIPPED - 2, 20 + QUESTION_US);
	give_at(&p, 80, "!", 1, 80 + IDLE_US);
	give_at(&p, 90, "a\0\0\1", 4, 90 + IDLE_US);
	give_at(&p, 100, "a\0\0\1b\0\1\1.", 9, 100 + QUESTION_US);    /* one behind another has one of its own */
	give_at(&p, 110, ".", 1, 100 + QUESTION_US);
	pump_stop(&p);
}
END_TEST

/* Too slow, at any byte of it: the last word, or the end without one; not before its time. */
START_TEST(test_too_slow)
{
	struct protocol protocol = wordless();
	struct service services[] = { service_for(&orders), service_for(&protocol) };
	const char *text = skip_text();

	for (size_t len = 5; len < 4 + HELD + SKIPPED; len++) {
		const struct service *service = &services[len % 2];
		struct pump p;

		pump_start(&p, service, BIG, BIG);
		pump_give(&p, text, len);
		ck_assert_int_eq(conversation_expire(&p.c, &p.out, QUESTION_US - 1), CONVERSATION_READ);
		ck_assert_int_eq(pump_answer(&p), CONVERSATION_READ);
		expect(&p, text, len, false);
		p.out.len = p.out.size - 3;
		if (service->protocol == &orders)
			ck_assert_int_eq(conversation_expire(&p.c, &p.out, QUESTION_US), CONVERSATION_FLUSH);
		p.out.len = 0;
		ck_assert_int_eq(pump_answer(&p), CONVERSATION_READ);
		ck_assert_int_eq(conversation_expire(&p.c, &p.out, QUESTION_US), CONVERSATION_LINGER);
		ck_assert_uint_eq(p.out.len, service->protocol->too_slow.len);
		ck_assert_int_eq(memcmp(p.out.at, "slow", p.out.len), 0);
		ck_assert(!p.c.malformed);
		pump_give(&p, text + len, SKIP_LEN - len);
		ck_assert_int_eq(p.state, CONVERSATION_LINGER);
		ck_assert_uint_eq(p.in.len, 0);
		pump_stop(&p);
	}
}
END_TEST

START_TEST(test_idle)
{
	struct service service = service_for(&orders);
	struct pump p;

	pump_start(&p, &service, BIG, BIG);
	give_at(&p, 10, "a\0\0\1", 4, 10 + IDLE_US);
	ck_assert_int_eq(conversation_expire(&p.c, &p.out, 9 + IDLE_US), CONVERSATION_READ);
	ck_assert_int_eq(conversation_expire(&p.c, &p.out, 10 + IDLE_US), CONVERSATION_CLOSE);
	ck_assert_uint_eq(p.out.len, 0);
	pump_stop(&p);
}
END_TEST

/* ---- what is no request ---- */

/* The end without a word, behind what is owed, wherever it is cut; what came instead stays for a line in the log. */
START_TEST(test_malformed)
{
	static const char *const begins[] = { "", "l\n", "a\0\0\24", "b\2\2\1xy......", " l\n  " };
	static const size_t lengths[] = { 0, 2, 4, 12, 5 };
	static const char *const none[] = { "!l\n", "#\0\0\0l\n", "#\1\1\0x...l\n", "#\0\0\1l\n" };
	static const size_t none_lengths[] = { 3, 6, 10, 6 };
	struct service service = service_for(&orders);

	for (size_t i = 0; i < 20; i++) {
		size_t at = lengths[i / 4], len = at + none_lengths[i % 4];
		struct pump p;
		char text[32];

		memcpy(text, begins[i / 4], at);
		memcpy(text + at, none[i % 4], none_lengths[i % 4]);
		for (size_t cut = 0; cut <= len; cut++)
			for (service.costly = false;; service.costly = true) {
				play(&service, text, len, cut, len, 3);
				if (service.costly)
					break;
			}
		pump_start(&p, &service, BIG, BIG);
		pump_give(&p, text, len);
		ck_assert_int_eq(p.state, CONVERSATION_LINGER);
		ck_assert(p.c.malformed);
		ck_assert_uint_gt(p.in.len, 0);
		ck_assert_int_eq(*p.in.at, *none[i % 4]);
		pump_give(&p, "l\n", 2);
		ck_assert_int_eq(p.state, CONVERSATION_LINGER);
		ck_assert_uint_eq(p.in.len, 0);
		pump_stop(&p);
	}
}
END_TEST

/* ---- greetings ---- */

/* Of any length, through any room, before all else; it is no question, and costs nothing. */
START_TEST(test_greeting)
{
	static const uint32_t lengths[] = { 0, 1, 3, 20, 21, 300 };
	struct protocol greeting = orders;
	struct service service = service_for(&greeting);

	greeting.greets = true;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		orders_greeting = lengths[i];
		for (uint32_t room = 1; room < 40; room += 3) {
			struct pump p;

			service.costly = room % 2;
			service.max_questions = room % 3;
			play(&service, transcript, LEN, room, LEN, room);
			pump_start(&p, &service, BIG, room);
			pump_run(&p);
			expect(&p, "", 0, false);
			ck_assert_uint_eq(p.sent_len, orders_greeting);
			ck_assert_uint_eq(conversation_deadline_us(&p.c), IDLE_US);
			pump_stop(&p);
			pump_start(&p, &service, BIG, room);
			pump_end(&p);                     /* who says nothing is greeted, too */
			expect(&p, "", 0, true);
			pump_stop(&p);
		}
	}
}
END_TEST

/* Input waits, where it is, until all of the greeting has been said. */
START_TEST(test_greeting_first)
{
	struct protocol greeting = orders;
	struct service service = service_for(&greeting);
	struct pump p;

	greeting.greets = true;
	orders_greeting = 10;
	pump_start(&p, &service, BIG, 10);
	p.out.len = 5;
	memcpy(p.in.at, "l\n", p.in.len = 2);
	ck_assert_int_eq(pump_answer(&p), CONVERSATION_FLUSH);
	ck_assert_uint_eq(p.in.len, 2);
	ck_assert_uint_eq(p.c.questions, 0);
	ck_assert_uint_eq(p.c.at, 5);
	p.out.len = 0;
	ck_assert_int_eq(pump_answer(&p), CONVERSATION_READ);
	ck_assert_uint_eq(p.out.len, 5 + 2);
	ck_assert_uint_eq(p.c.questions, 1);
	pump_stop(&p);
}
END_TEST

START_TEST(test_greeting_behind_a_header)
{
	static const char header[] = "PROXY TCP4 192.0.2.7 203.0.113.9 56324 1060\r\n";
	enum { HEADER = sizeof header - 1 };
	struct protocol greeting = orders;
	struct service service = service_for(&greeting);
	char text[HEADER + LEN];

	memcpy(text, header, HEADER);
	memcpy(text + HEADER, transcript, LEN);
	greeting.greets = service.proxied = true;
	orders_greeting = 100;
	for (size_t cut = 0; cut <= HEADER + LEN; cut++) {
		struct pump p;

		service.costly = cut % 2;
		pump_start(&p, &service, CONVERSATION_IN, 16);
		pump_run(&p);
		pump_give(&p, text, cut);
		if (cut < HEADER) {
			ck_assert_int_eq(p.state, CONVERSATION_READ);
			ck_assert_uint_eq(p.sent_len, 0);
			ck_assert_uint_eq(p.in.len, cut);
		} else {
			ck_assert_uint_eq(p.header.port, 56324);
			expect(&p, transcript, cut - HEADER, false);
		}
		pump_give(&p, text + cut, HEADER + LEN - cut);
		expect(&p, transcript, LEN, false);
		pump_stop(&p);
	}
	/* whoever is not named is not greeted */
	for (int late = 0; late < 2; late++) {
		struct pump p;

		pump_start(&p, &service, CONVERSATION_IN, BIG);
		pump_give(&p, header, HEADER - 1);
		if (late)
			p.state = conversation_expire(&p.c, &p.out, QUESTION_US);
		else
			pump_end(&p);
		ck_assert_int_eq(p.state, CONVERSATION_CLOSE);
		ck_assert_uint_eq(p.sent_len + p.out.len, 0);
		pump_stop(&p);
	}
}
END_TEST

/* ---- prices and limits ---- */

/* Each of many that come at once is paid for by itself, once, before it is answered. */
START_TEST(test_prices)
{
	struct service service = service_for(&orders);
	struct pump p;

	service.costly = true;
	pump_start(&p, &service, BIG, BIG);
	memcpy(p.in.at, "l\nlonger\na\0\0\0", p.in.len = 13);
	for (int i = 0; i < 3; i++) {
		static const uint64_t lengths[] = { 2, 7, 4 };

		ck_assert_int_eq(pump_answer(&p), CONVERSATION_PAY);
		ck_assert_uint_eq(conversation_price_us(&p.c), ORDERS_PRICE_US * lengths[i]);
		ck_assert_uint_eq(p.c.questions, i);
		pump_pay(&p);
	}
	ck_assert_int_eq(pump_answer(&p), CONVERSATION_READ);
	ck_assert_uint_eq(p.c.questions, 3);
	pump_stop(&p);
}
END_TEST

/* A question without a price of its own, of either kind: what every answer costs is the caller's to know. */
START_TEST(test_no_price)
{
	struct protocol free_of_charge = orders;
	struct service services[] = { service_for(&free_of_charge), service_for(&protocol_aphorism) };

	free_of_charge.cost_us = NULL;
	for (int i = 0; i < 2; i++) {
		struct pump p;

		services[i].costly = true;
		pump_start(&p, &services[i], BIG, BIG);
		memcpy(p.in.at, "l?\nl?\n", p.in.len = 6);
		ck_assert_int_eq(pump_answer(&p), CONVERSATION_PAY);
		ck_assert_uint_eq(conversation_price_us(&p.c), 0);
		pump_run(&p);
		ck_assert_uint_eq(p.c.questions, 2);
		ck_assert_uint_eq(p.price_us, 0);
		pump_stop(&p);
	}
}
END_TEST

START_TEST(test_max_questions)
{
	struct service service = service_for(&orders);

	for (service.max_questions = 1; service.max_questions < 10; service.max_questions++)
		for (size_t cut = 0; cut <= LEN; cut++) {
			service.costly = cut % 2;
			play(&service, transcript, LEN, cut, LEN, 3);
		}
}
END_TEST

/* Random transcripts in random parts through random buffers. */
START_TEST(test_random)
{
	static const char kinds[] = "aabbulll!# ";
	struct protocol protocols_tried[] = { orders, wordless() };
	struct service service;

	srand(1060);
	for (int round = 0; round < 20000; round++) {
		char text[512];
		size_t len = 0, given = 0;
		struct pump p;

		while (len < sizeof text - 40 && rand() % 20 > 0) {
			text[len++] = kinds[rand() % (int)(sizeof kinds - 1)];
			for (int n = rand() % 3 * (rand() % 20); n > 0; n--)
				text[len++] = (char)(rand() % 4 ? rand() % 16 : rand());
		}
		service = service_for(&protocols_tried[round % 2]);
		protocols_tried[round % 2].greets = rand() % 2;
		orders_greeting = (uint32_t)rand() % 50;
		orders_piece = 1 + (uint32_t)rand() % 9;
		service.greatest = ORDERS_HEAD + (uint32_t)(rand() % BIG);
		service.max_questions = rand() % 4 ? 0 : (uint32_t)rand() % 5;
		service.costly = rand() % 2;
		pump_start(&p, &service, service.greatest + 1 + (uint32_t)rand() % 90, 9 + (uint32_t)(rand() % 50));
		pump_run(&p);
		while (given < len) {
			size_t take = 1 + (size_t)rand() % (rand() % 2 ? 3 : len - given);

			take = take < len - given ? take : len - given;
			pump_give(&p, text + given, take);
			given += take;
			expect(&p, text, given, false);
		}
		pump_end(&p);
		expect(&p, text, len, true);
		pump_stop(&p);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("kinds");
	TCase *tests = tcase_create("kinds");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_unchecked_fixture(tests, build_table, NULL);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, test_cut_everywhere);
	tcase_add_test(tests, test_byte_by_byte);
	tcase_add_test(tests, test_half_close);
	tcase_add_test(tests, test_answers_of_any_length);
	tcase_add_test(tests, test_cursor);
	tcase_add_test(tests, test_needed);
	tcase_add_test(tests, test_needs_too_much);
	tcase_add_test(tests, test_lines_too_long);
	tcase_add_test(tests, test_skipped_is_not_held);
	tcase_add_test(tests, test_skipped_cut_everywhere);
	tcase_add_test(tests, test_end_amid_the_skipped);
	tcase_add_test(tests, test_skipped_waits);
	tcase_add_test(tests, test_deadlines);
	tcase_add_test(tests, test_too_slow);
	tcase_add_test(tests, test_idle);
	tcase_add_test(tests, test_malformed);
	tcase_add_test(tests, test_greeting);
	tcase_add_test(tests, test_greeting_first);
	tcase_add_test(tests, test_greeting_behind_a_header);
	tcase_add_test(tests, test_prices);
	tcase_add_test(tests, test_no_price);
	tcase_add_test(tests, test_max_questions);
	tcase_add_test(tests, test_random);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
