/*
 * test_conversation.c - the conversation: the same answers however the bytes were cut, and the right wait.
 */
#include "pump.h"

/* The pump has sent what the model says of the first len bytes, and waits for the same. */
static void expect(struct pump *p, const char *text, size_t len, bool ended)
{
	static struct outcome o;

	model(&o, p->c.service, text, len);
	ck_assert_uint_eq(p->sent_len, o.len);
	ck_assert_int_eq(memcmp(p->sent, o.said, o.len), 0);
	if (o.state == CONVERSATION_READ) {
		ck_assert_uint_eq(p->in.len, o.unfinished);
		if (!ended)
			ck_assert_int_eq(p->c.asking, o.unfinished > 0);
	}
	ck_assert_int_eq(p->state, ended && o.state == CONVERSATION_READ ? CONVERSATION_CLOSE : o.state);
}

/* Plays text in three parts, then its end. */
static void play(const struct service *service, const char *text, size_t len, size_t cut, size_t cut2)
{
	struct pump p;

	pump_start(&p, service, 2 * LIMIT, 2 * LONGEST_ANSWER);
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

static const char transcript[] =
	"Beautiful is better than?Explicit is better than?\r\n Simple is better than?\n?"
	" \t\r\na\r\t b??What is your quest?Long?Long? Simple is better th\0n?\xff\xfe\x80? \n Unfinished \n";
enum { LEN = sizeof transcript - 1 };

START_TEST(test_rows)
{
	ck_assert_ptr_eq(protocols[0], &protocol_aphorism);
	ck_assert_ptr_eq(protocol_find("aphorism"), &protocol_aphorism);
	ck_assert_ptr_eq(protocol_find("echo"), &protocol_echo);
	ck_assert_ptr_null(protocol_find("ech"));
	ck_assert_ptr_null(protocol_find(""));
}
END_TEST

/* A first buffer may be too small for an answer: nothing of it is said there, and all of it in a larger one. */
START_TEST(test_lend_more)
{
	struct service service = service_of(&protocol_aphorism);
	struct pump p;
	char *small;

	pump_start(&p, &service, 2 * LIMIT, 8);
	small = p.out.at;
	strcpy(p.in.at, "Simple is better than?Long?");
	p.in.len = (uint32_t)strlen(p.in.at);
	ck_assert_int_eq(conversation_answer(&p.c, &p.in, &p.out, 0), CONVERSATION_FLUSH);
	ck_assert_uint_eq(p.out.len, strlen("Complex."));
	p.out.len = 0;
	ck_assert_int_eq(conversation_answer(&p.c, &p.in, &p.out, 0), CONVERSATION_FLUSH);
	ck_assert_uint_eq(p.out.len, 0);
	p.out = (struct bytes){ .at = malloc(LONGEST_ANSWER), .size = LONGEST_ANSWER };
	ck_assert_int_eq(conversation_answer(&p.c, &p.in, &p.out, 0), CONVERSATION_READ);
	ck_assert_uint_eq(p.out.len, LONGEST_ANSWER);
	free(small);
	pump_stop(&p);
}
END_TEST

START_TEST(test_cut_everywhere)
{
	struct service service = service_of(&protocol_aphorism);

	for (size_t cut = 0; cut <= LEN; cut++)
		for (size_t cut2 = cut; cut2 <= LEN; cut2++)
			play(&service, transcript, LEN, cut, cut2);
}
END_TEST

START_TEST(test_byte_by_byte)
{
	struct service service = service_of(&protocol_aphorism);
	struct pump p;

	pump_start(&p, &service, LIMIT, LONGEST_ANSWER);
	for (size_t i = 0; i < 2 * LEN; i++) {
		pump_give(&p, transcript + i % LEN, 1);
		if (i < LEN)
			expect(&p, transcript, i + 1, false);
	}
	pump_stop(&p);
}
END_TEST

START_TEST(test_half_close)
{
	struct service service = service_of(&protocol_aphorism);

	for (size_t len = 0; len <= LEN; len++)
		play(&service, transcript, len, 0, 0);
}
END_TEST

/* Each question alone, doubled, and amid white space. */
START_TEST(test_doubled)
{
	struct service service = service_of(&protocol_aphorism);
	char text[128];

	for (int i = 0; i < KNOWN; i++) {
		size_t len = (size_t)sprintf(text, "%s%s\n %s ", known[i][0], known[i][0], known[i][0]);

		for (size_t cut = 0; cut <= len; cut++)
			play(&service, text, len, cut, cut);
	}
}
END_TEST

/* Questions of LIMIT - 1, LIMIT and LIMIT + 1 bytes, behind an answer and white space, and more behind. */
START_TEST(test_too_long)
{
	struct service service = service_of(&protocol_aphorism);
	char text[256];

	for (size_t question = LIMIT - 1; question <= LIMIT + 1; question++) {
		size_t len = (size_t)sprintf(text, "Long?\r\n \t%*s?Long?", (int)question - 1, "x");

		memset(text + 9, 'x', question - 1);
		for (size_t cut = 0; cut <= len; cut++)
			for (size_t cut2 = cut; cut2 <= len; cut2++)
				play(&service, text, len, cut, cut2);
	}
}
END_TEST

START_TEST(test_too_long_said)
{
	struct service service = service_of(&protocol_aphorism);
	struct pump p;

	pump_start(&p, &service, LIMIT, LONGEST_ANSWER);
	pump_give(&p, "?", 1);
	for (int i = 0; i < LIMIT - 1; i++)
		pump_give(&p, "x", 1);
	ck_assert_int_eq(p.state, CONVERSATION_READ);
	pump_give(&p, "x", 1);
	ck_assert_int_eq(p.state, CONVERSATION_LINGER);
	ck_assert_str_eq(p.sent, "Error: unknown aphorism.Error: question too long.");
	ck_assert_uint_eq(p.in.len, LIMIT);
	pump_give(&p, "?Long?", 6);
	ck_assert_int_eq(p.state, CONVERSATION_LINGER);
	ck_assert_uint_eq(p.in.len, 0);
	ck_assert_str_eq(p.sent, "Error: unknown aphorism.Error: question too long.");
	pump_stop(&p);
}
END_TEST

START_TEST(test_max_questions)
{
	struct service service = service_of(&protocol_aphorism);

	for (service.max_questions = 1; service.max_questions <= 12; service.max_questions++)
		for (size_t cut = 0; cut <= LEN; cut++)
			play(&service, transcript, LEN, cut, LEN);
}
END_TEST

/* Without a limit the counter wraps and nothing ends; with the greatest one it ends there. */
START_TEST(test_questions_wrap)
{
	struct service service = service_of(&protocol_aphorism);
	struct pump p;

	pump_start(&p, &service, LIMIT, LONGEST_ANSWER);
	p.c.questions = UINT32_MAX - 1;
	pump_give(&p, "Long?Long?Long?", 15);
	ck_assert_int_eq(p.state, CONVERSATION_READ);
	ck_assert_uint_eq(p.c.questions, 1);
	service.max_questions = UINT32_MAX;
	p.c.questions = UINT32_MAX - 2;
	pump_give(&p, "Long?", 5);
	ck_assert_int_eq(p.state, CONVERSATION_READ);
	pump_give(&p, "Long?", 5);
	ck_assert_int_eq(p.state, CONVERSATION_LINGER);
	pump_stop(&p);
}
END_TEST

static void fill(struct bytes *in, const char *text)
{
	in->len = (uint32_t)strlen(text);
	memcpy(in->at, text, in->len);
}

static bool reads(const struct bytes *b, const char *text)
{
	return b->len == strlen(text) && memcmp(b->at, text, b->len) == 0;
}

/* Room for one answer only, and for one and a half. */
START_TEST(test_out_of_room)
{
	struct service service = service_of(&protocol_aphorism);
	struct pump p;

	for (uint32_t size = LONGEST_ANSWER; size < LONGEST_ANSWER + 5; size++) {
		pump_start(&p, &service, LIMIT, size);
		fill(&p.in, "Long?Long? Long?Simple is b");
		ck_assert_int_eq(pump_answer(&p), CONVERSATION_FLUSH);
		ck_assert(reads(&p.out, known[4][1]) && reads(&p.in, "Long? Long?Simple is b"));
		ck_assert_int_eq(pump_answer(&p), CONVERSATION_FLUSH);
		ck_assert(reads(&p.out, known[4][1]));
		pump_send(&p);
		ck_assert_int_eq(pump_answer(&p), CONVERSATION_FLUSH);
		ck_assert(reads(&p.out, known[4][1]) && reads(&p.in, "Long?Simple is b"));
		pump_send(&p);
		ck_assert_int_eq(pump_answer(&p), CONVERSATION_READ);
		ck_assert(reads(&p.out, known[4][1]) && reads(&p.in, "Simple is b"));
		pump_stop(&p);
	}
}
END_TEST

START_TEST(test_pay)
{
	struct service service = service_of(&protocol_aphorism);
	struct pump p;

	service.costly = true;
	pump_start(&p, &service, 2 * LIMIT, LONGEST_ANSWER + 6);
	fill(&p.in, " \nSimple is");
	ck_assert_int_eq(pump_answer(&p), CONVERSATION_READ);
	fill(&p.in, "Simple is better than?Long?Long?xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	ck_assert_int_eq(pump_answer(&p), CONVERSATION_PAY);
	ck_assert_int_eq(pump_answer(&p), CONVERSATION_PAY);
	ck_assert_uint_eq(p.out.len, 0);
	conversation_paid(&p.c);
	ck_assert_int_eq(pump_answer(&p), CONVERSATION_PAY);
	ck_assert(reads(&p.out, "Complex."));
	/* what was paid for is not paid for again after the want of room */
	conversation_paid(&p.c);
	ck_assert_int_eq(pump_answer(&p), CONVERSATION_FLUSH);
	pump_send(&p);
	ck_assert_int_eq(pump_answer(&p), CONVERSATION_PAY);
	ck_assert(reads(&p.out, known[4][1]));
	/* the end does not make the last one free, an error costs nothing */
	conversation_end(&p.c);
	pump_send(&p);
	ck_assert_int_eq(pump_answer(&p), CONVERSATION_PAY);
	conversation_paid(&p.c);
	ck_assert_int_eq(pump_answer(&p), CONVERSATION_FLUSH);
	ck_assert(reads(&p.out, known[4][1]));
	pump_send(&p);
	ck_assert_int_eq(pump_answer(&p), CONVERSATION_LINGER);
	ck_assert(reads(&p.out, "Error: question too long."));
	pump_stop(&p);
}
END_TEST

/* ---- long ones ---- */

static size_t scanned;

static struct frame frame_and_count(const char *at, size_t len, size_t most)
{
	scanned += len < most ? len : most;
	return protocol_aphorism.frame(at, len, most);
}

static bool may_end_and_count(const char *at, size_t len)
{
	scanned += len;
	return protocol_aphorism.may_end(at, len);
}

/* A question that comes byte by byte is not searched from its beginning for each of them. */
START_TEST(test_long_byte_by_byte)
{
	enum { MANY = 100000 };
	struct protocol counting = protocol_aphorism;
	struct service service = service_of(&counting);
	struct pump p;

	counting.frame = frame_and_count;
	counting.may_end = may_end_and_count;
	service.greatest = MANY;
	pump_start(&p, &service, MANY, CONVERSATION_OUT);
	scanned = 0;
	for (int i = 0; i < MANY - 1; i++)
		pump_give(&p, "x", 1);
	ck_assert_uint_eq(p.in.len, MANY - 1);
	ck_assert_uint_lt(scanned, 2 * MANY);
	pump_give(&p, "?", 1);
	ck_assert_str_eq(p.sent, "Error: unknown aphorism.");
	ck_assert_uint_lt(scanned, 3 * MANY);
	pump_stop(&p);
}
END_TEST

/* What that leaves out is not missed: questions of all lengths, a last one that has no end, or one that is too long. */
START_TEST(test_long_ones)
{
	enum { MOST = 1200 };
	static const size_t lengths[] = { 255, 1, 256, 257, 258, 3, 600, MOST };
	static const size_t pieces[] = { 1, 7, 255, 256, 257, 3000 };
	struct service service = service_of(&protocol_aphorism);
	char text[8192];

	service.greatest = MOST;
	for (size_t last = 0; last <= MOST; last += MOST / 2) {
		size_t len = 0;

		for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
			len += (size_t)sprintf(text + len, "Long? \n");
			memset(text + len, 'x', lengths[i] - 1);
			strcpy(text + len + lengths[i] - 1, "?");
			len += lengths[i];
		}
		memset(text + len, 'y', last);
		len += last;
		for (size_t i = 0; i < 2 * sizeof pieces / sizeof *pieces; i++) {
			size_t piece = pieces[i / 2];
			struct pump p;

			service.costly = i % 2;
			pump_start(&p, &service, 2 * MOST, LONGEST_ANSWER);
			for (size_t at = 0; at < len; at += piece) {
				size_t end = at + piece < len ? at + piece : len;

				pump_give(&p, text + at, end - at);
				expect(&p, text, end, false);
			}
			pump_end(&p);
			expect(&p, text, len, true);
			pump_stop(&p);
		}
	}
}
END_TEST

/* What is held back while others are paid for is not moved for each of them. */
START_TEST(test_what_is_held_back_lies_still)
{
	struct service service = service_of(&protocol_aphorism);
	struct pump p;
	char *begin, *end;

	service.costly = true;
	pump_start(&p, &service, CONVERSATION_IN, CONVERSATION_OUT);
	begin = p.in.at;
	for (int i = 0; i < 100; i++)
		p.in.len += (uint32_t)sprintf(begin + p.in.len, "Long?");
	p.in.len += (uint32_t)sprintf(begin + p.in.len, "Simple is");
	end = begin + p.in.len;
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(pump_answer(&p), CONVERSATION_PAY);
		ck_assert_ptr_eq(p.in.at, begin + 5 * i);
		ck_assert_ptr_eq(p.in.at + p.in.len, end);
		conversation_paid(&p.c);
	}
	ck_assert_int_eq(pump_answer(&p), CONVERSATION_READ);
	ck_assert_ptr_eq(p.in.at, begin);
	ck_assert_uint_eq(p.in.size, CONVERSATION_IN);
	ck_assert(reads(&p.in, "Simple is"));
	pump_stop(&p);
}
END_TEST

static void give_at(struct pump *p, uint64_t now_us, const char *text, uint64_t deadline_us)
{
	p->now_us = now_us;
	pump_give(p, text, strlen(text));
	ck_assert_int_eq(p->state, CONVERSATION_READ);
	ck_assert_uint_eq(conversation_deadline_us(&p->c), deadline_us);
}

START_TEST(test_deadlines)
{
	struct service service = service_of(&protocol_aphorism);
	struct pump p;

	pump_start(&p, &service, LIMIT, LONGEST_ANSWER);
	give_at(&p, 10, " \r\n", IDLE_US);                    /* white space neither begins nor renews */
	give_at(&p, 20, " S", 20 + QUESTION_US);
	give_at(&p, 70, "imple is better ", 20 + QUESTION_US);  /* a byte now and then does not renew */
	give_at(&p, 119, "than", 20 + QUESTION_US);
	give_at(&p, 119, "?", 119 + IDLE_US);
	give_at(&p, 200, "\n", 119 + IDLE_US);
	give_at(&p, 210, "Lon", 210 + QUESTION_US);
	give_at(&p, 250, "g?L", 250 + QUESTION_US);             /* the next one has a deadline of its own */
	conversation_resume(&p.c, 300);
	ck_assert_uint_eq(conversation_deadline_us(&p.c), 300 + QUESTION_US);
	give_at(&p, 310, "on", 300 + QUESTION_US);
	ck_assert_int_eq(conversation_expire(&p.c, &p.out, 399), CONVERSATION_READ);
	ck_assert_uint_eq(p.out.len, 0);
	give_at(&p, 399, "g?", 399 + IDLE_US);
	conversation_resume(&p.c, 500);
	ck_assert_uint_eq(conversation_deadline_us(&p.c), 500 + IDLE_US);
	ck_assert_int_eq(conversation_expire(&p.c, &p.out, 499 + IDLE_US), CONVERSATION_READ);
	ck_assert_int_eq(conversation_expire(&p.c, &p.out, 500 + IDLE_US), CONVERSATION_CLOSE);
	ck_assert_uint_eq(p.out.len, 0);
	fill(&p.in, "Long?");
	ck_assert_int_eq(pump_answer(&p), CONVERSATION_CLOSE);
	ck_assert_uint_eq(p.in.len + p.out.len, 0);
	pump_stop(&p);
}
END_TEST

START_TEST(test_too_slow)
{
	struct service service = service_of(&protocol_aphorism);
	struct pump p;

	pump_start(&p, &service, LIMIT, LONGEST_ANSWER);
	give_at(&p, 5, "Lo", 5 + QUESTION_US);
	p.out.len = LONGEST_ANSWER - 1;
	ck_assert_int_eq(conversation_expire(&p.c, &p.out, 105), CONVERSATION_FLUSH);
	p.out.len = 0;
	ck_assert_int_eq(conversation_expire(&p.c, &p.out, 104), CONVERSATION_READ);
	ck_assert_int_eq(conversation_expire(&p.c, &p.out, 105), CONVERSATION_LINGER);
	ck_assert(reads(&p.out, "Error: too slow."));
	pump_send(&p);
	pump_give(&p, "ng?", 3);
	ck_assert_int_eq(p.state, CONVERSATION_LINGER);
	ck_assert_str_eq(p.sent, "Error: too slow.");
	pump_stop(&p);
}
END_TEST

/* Any bytes, in any parts and through any room, come back as they were; no limit or deadline of questions. */
static const char header[] = "PROXY TCP4 192.0.2.7 203.0.113.9 56324 1060\r\n";
enum { HEADER = sizeof header - 1 };

/* A header before the transcript changes nothing of what comes, wherever it is cut; a half-close behind it neither. */
START_TEST(test_proxied)
{
	struct service service = service_of(&protocol_aphorism);
	char text[HEADER + LEN];

	memcpy(text, header, HEADER);
	memcpy(text + HEADER, transcript, LEN);
	service.proxied = true;
	for (size_t cut = 0; cut <= HEADER + LEN; cut++) {
		struct pump p;

		pump_start(&p, &service, CONVERSATION_IN, CONVERSATION_OUT);
		pump_give(&p, text, cut);
		if (cut < HEADER) {
			ck_assert_int_eq(p.state, CONVERSATION_READ);
			ck_assert_uint_eq(p.in.len, cut);
			ck_assert_uint_eq(p.sent_len, 0);
		} else {
			ck_assert_uint_eq(p.header.len, HEADER);
			ck_assert_uint_eq(p.header.port, 56324);
			expect(&p, transcript, cut - HEADER, false);
		}
		pump_give(&p, text + cut, HEADER + LEN - cut);
		pump_end(&p);
		expect(&p, transcript, LEN, true);
		pump_stop(&p);
	}
}
END_TEST

/* Closed without a word: what it got instead stays for a line in the log. */
START_TEST(test_no_header)
{
	static const char *const begins[] = { "Simple is better than?", "PROXY TCP4 \n", "\r\n\r\n?" };
	const struct protocol *const spoken[] = { &protocol_aphorism, &protocol_echo };

	for (size_t i = 0; i < 2 * sizeof begins / sizeof begins[0]; i++) {
		struct service service = service_of(spoken[i % 2]);
		size_t len = strlen(begins[i / 2]);
		struct pump p;

		service.proxied = true;
		pump_start(&p, &service, CONVERSATION_IN, CONVERSATION_OUT);
		pump_give(&p, begins[i / 2], len);
		ck_assert_int_eq(p.state, CONVERSATION_CLOSE);
		ck_assert(p.c.unmet && !p.c.ended);
		ck_assert_uint_eq(p.in.len, len);
		ck_assert_uint_eq(p.sent_len, 0);
		pump_give(&p, header, HEADER);
		ck_assert_int_eq(p.state, CONVERSATION_CLOSE);
		ck_assert(p.c.unmet);
		pump_stop(&p);
	}
}
END_TEST

START_TEST(test_half_a_header)
{
	struct service service = service_of(&protocol_aphorism);

	service.proxied = true;
	for (size_t len = 0; len < HEADER; len++) {
		struct pump p;

		pump_start(&p, &service, CONVERSATION_IN, CONVERSATION_OUT);
		pump_give(&p, header, len);
		pump_end(&p);
		ck_assert_int_eq(p.state, CONVERSATION_CLOSE);
		ck_assert(p.c.unmet && p.c.ended);
		ck_assert_uint_eq(p.in.len, len);
		ck_assert_uint_eq(p.sent_len, 0);
		pump_stop(&p);
	}
}
END_TEST

/* A header has the time of a question, from the connection's beginning on, and gets no last word. */
START_TEST(test_header_deadline)
{
	struct service service = service_of(&protocol_aphorism);
	struct pump p;

	service.proxied = true;
	pump_start(&p, &service, CONVERSATION_IN, CONVERSATION_OUT);
	ck_assert_uint_eq(conversation_deadline_us(&p.c), QUESTION_US);
	p.now_us = 50;
	pump_give(&p, header, HEADER - 1);
	ck_assert_uint_eq(conversation_deadline_us(&p.c), QUESTION_US);
	ck_assert_int_eq(conversation_expire(&p.c, &p.out, QUESTION_US - 1), CONVERSATION_READ);
	pump_give(&p, "\n", 1);
	ck_assert(!p.c.unmet);
	ck_assert_uint_eq(conversation_deadline_us(&p.c), 50 + IDLE_US);
	pump_stop(&p);

	pump_start(&p, &service, CONVERSATION_IN, CONVERSATION_OUT);
	pump_give(&p, header, HEADER - 1);
	ck_assert_int_eq(conversation_expire(&p.c, &p.out, QUESTION_US), CONVERSATION_CLOSE);
	ck_assert_uint_eq(p.out.len, 0);
	ck_assert(p.c.unmet);
	pump_stop(&p);
}
END_TEST

START_TEST(test_echo)
{
	struct service service = service_of(&protocol_echo);
	struct pump p;

	for (size_t cut = 0; cut <= LEN; cut++) {
		service.costly = cut & 1;
		for (uint32_t size = 1; size < 40; size += 13) {
			service.greatest = size < 3 ? size : 3;
			pump_start(&p, &service, LIMIT, size);
			pump_give(&p, transcript, cut);
			ck_assert_uint_eq(p.sent_len, cut);
			pump_give(&p, transcript + cut, LEN - cut);
			ck_assert_uint_eq(p.sent_len, LEN);
			ck_assert_int_eq(memcmp(p.sent, transcript, LEN), 0);
			ck_assert_int_eq(p.state, CONVERSATION_READ);
			pump_end(&p);
			ck_assert_int_eq(p.state, CONVERSATION_CLOSE);
			pump_stop(&p);
		}
	}
	pump_start(&p, &service, LIMIT, LIMIT);
	give_at(&p, 10, " ", 10 + IDLE_US);
	give_at(&p, 700, "x", 700 + IDLE_US);
	ck_assert_int_eq(conversation_expire(&p.c, &p.out, 699 + IDLE_US), CONVERSATION_READ);
	ck_assert_int_eq(conversation_expire(&p.c, &p.out, 700 + IDLE_US), CONVERSATION_CLOSE);
	ck_assert_uint_eq(p.out.len, 0);
	pump_stop(&p);
}
END_TEST

/* Of any protocol; with what it takes for a request, which does not go by the pump. */
START_TEST(test_once)
{
	struct service echo = service_of(&protocol_echo), service = service_of(&protocol_aphorism);
	static char much[CONVERSATION_IN];
	struct pump p;

	echo.max_questions = service.max_questions = 1;
	echo.greatest = PROTOCOL_PIECE;
	pump_start(&p, &echo, LIMIT, LIMIT);
	pump_give(&p, "abc", 3);
	ck_assert_int_eq(p.state, CONVERSATION_LINGER);
	ck_assert(p.sent_len == 3 && memcmp(p.sent, "abc", 3) == 0);
	pump_stop(&p);
	for (uint32_t room = PROTOCOL_PIECE; room <= CONVERSATION_OUT; room *= 2) {
		pump_start(&p, &echo, sizeof much, room);
		pump_give(&p, much, sizeof much);
		ck_assert_int_eq(p.state, CONVERSATION_LINGER);
		ck_assert_uint_eq(p.sent_len, PROTOCOL_PIECE);
		pump_stop(&p);
	}
	pump_start(&p, &service, CONVERSATION_IN, CONVERSATION_OUT);
	pump_give(&p, transcript, LEN);
	ck_assert_int_eq(p.state, CONVERSATION_LINGER);
	ck_assert_uint_eq(p.c.questions, 1);
	pump_stop(&p);
}
END_TEST

static size_t random_piece(char *to)
{
	size_t len = 0;

	switch (rand() % 6) {
	case 0:
		return (size_t)sprintf(to, "%s", known[rand() % KNOWN][0]);
	case 1:
		return (size_t)sprintf(to, "%.*s", rand() % 20, known[rand() % KNOWN][0]);
	case 2:
		return (size_t)sprintf(to, "%*s", rand() % 3, &"\r\n\t ?"[rand() % 5]);
	case 3:
		len = (size_t)rand() % (rand() % 8 ? 8 : LIMIT + 4);
		memset(to, 'x', len);
		return len;
	case 4:
		for (size_t more = (size_t)rand() % 8; len < more; len++)
			to[len] = (char)rand();
		return len;
	default:
		to[0] = '?';
		return 1;
	}
}

/* Random transcripts in random parts through random buffers, with and without limits and costs. */
START_TEST(test_random)
{
	struct service service = service_of(&protocol_aphorism);

	srand(1060);
	for (int round = 0; round < 20000; round++) {
		char text[1024];
		size_t len = 0, given = 0;
		struct pump p;

		for (int pieces = rand() % 20; pieces > 0; pieces--)
			len += random_piece(text + len);
		service.greatest = (uint32_t)(rand() % 4 ? LIMIT : 1 + rand() % LIMIT);
		service.max_questions = rand() % 4 ? 0 : (uint32_t)rand() % 5;
		service.costly = rand() % 2;
		pump_start(&p, &service, service.greatest + (uint32_t)rand() % 9,
		           LONGEST_ANSWER + (uint32_t)(rand() % 50));
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
	Suite *suite = suite_create("conversation");
	TCase *tests = tcase_create("conversation");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_unchecked_fixture(tests, build_table, NULL);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, test_rows);
	tcase_add_test(tests, test_lend_more);
	tcase_add_test(tests, test_cut_everywhere);
	tcase_add_test(tests, test_byte_by_byte);
	tcase_add_test(tests, test_half_close);
	tcase_add_test(tests, test_doubled);
	tcase_add_test(tests, test_too_long);
	tcase_add_test(tests, test_too_long_said);
	tcase_add_test(tests, test_max_questions);
	tcase_add_test(tests, test_once);
	tcase_add_test(tests, test_questions_wrap);
	tcase_add_test(tests, test_out_of_room);
	tcase_add_test(tests, test_long_byte_by_byte);
	tcase_add_test(tests, test_long_ones);
	tcase_add_test(tests, test_what_is_held_back_lies_still);
	tcase_add_test(tests, test_pay);
	tcase_add_test(tests, test_deadlines);
	tcase_add_test(tests, test_too_slow);
	tcase_add_test(tests, test_proxied);
	tcase_add_test(tests, test_no_header);
	tcase_add_test(tests, test_half_a_header);
	tcase_add_test(tests, test_header_deadline);
	tcase_add_test(tests, test_echo);
	tcase_add_test(tests, test_random);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
