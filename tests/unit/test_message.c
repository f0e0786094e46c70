/*
 * test_message.c - messages of a JSON header and a body: where they end, what is none, and what is said to the byte.
 */
#include <stdio.h>

#include "dialogue.h"
#include "protocol/table.h"

#define JSON_HEADER "\"byteorder\": \"little\", \"content-type\": \"text/json\", \"content-encoding\": \"utf-8\", "
#define BINARY_HEADER "\"byteorder\": \"big\", \"content-type\": \"binary/x\", \"content-encoding\": \"binary\", "
#define SEARCH(value) "{\"action\": \"search\", \"value\": \"" value "\"}"
#define FOUND "In the caves \xf0\x9f\x92\x8d."
#define BAD "\xef\xbf\xbd"
#define BYTEORDER (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? "big" : "little")

enum { ROOM = 1 << 17, LONG = 65535, MOST_HEADER = 4096, MOST_JSON = 16384, MOST_BODY = 1 << 20, WIDE = 65536 };

static _Alignas(8) char block[WIDE * 3];
static char text[ROOM], wanted[8 * LONG];

static void unexpected(void *arg, size_t line, const char *reason)
{
	(void)arg;
	ck_abort_msg("%zu: %s", line, reason);
}

static void build_table(void)
{
	struct table *table = (void *)block;
	char *at = table_text(table), *end = at;

	end += sprintf(end, "ring? " FOUND "\n\"\\\t? \x01\x1f\x7f\x8f\xf0\x9f\x92\xff\xc0\x80\"\\.\nlong? ");
	memset(end, '"', LONG - 1);
	end += LONG - 1;
	end += sprintf(end, ".\n");
	table->text_len = (size_t)(end - at);
	ck_assert_uint_eq(table_build(table, 3, 100, unexpected, NULL), 0);
}

static struct service service_of_messages(void)
{
	return (struct service){
		.protocol = &protocol_message, .data = block, .greatest = protocol_message.greatest,
		.question_us = 1000, .idle_us = 1000,
	};
}

/* ---- making messages ---- */

/* A header's length, and the header; returns where it ends. */
static char *put_header(char *to, const char *header, size_t len)
{
	to[0] = (char)(len >> 8);
	to[1] = (char)len;
	memcpy(to + 2, header, len);
	return to + 2 + len;
}

static char *put_headed(char *to, const char *beginning, size_t len)
{
	char header[256];

	return put_header(to, header, (size_t)sprintf(header, "{%s\"content-length\": %zu}", beginning, len));
}

static char *put_json(char *to, const char *body)
{
	to = put_headed(to, JSON_HEADER, strlen(body));
	return stpcpy(to, body);
}

static char *put_bytes(char *to, size_t len)
{
	to = put_headed(to, BINARY_HEADER, len);
	for (size_t i = 0; i < len; i++)
		*to++ = (char)i;
	return to;
}

/* An answer as it is to be; a result below that. */
static char *put_answer(char *to, const char *type, const char *encoding, const char *body, size_t len)
{
	char header[256];

	to = put_header(to, header, (size_t)sprintf(header, "{\"byteorder\": \"%s\", \"content-type\": \"%s\", "
	                "\"content-encoding\": \"%s\", \"content-length\": %zu}", BYTEORDER, type, encoding, len));
	memcpy(to, body, len);
	return to + len;
}

static char *put_result(char *to, const char *body)
{
	return put_answer(to, "text/json", "utf-8", body, strlen(body));
}

static char *put_first(char *to, size_t len)
{
	char body[64];
	size_t count = (size_t)sprintf(body, "First 10 bytes of request: ");

	for (size_t i = 0; i < len && i < 10; i++)
		body[count++] = (char)i;
	return put_answer(to, "binary/custom-server-binary-type", "binary", body, count);
}

/* ---- where a message ends ---- */

static struct frame frame(size_t len)
{
	char *copy = malloc(len);
	struct frame found;

	memcpy(copy, text, len);
	found = protocol_message.frame(copy, len, protocol_message.greatest);
	free(copy);
	return found;
}

/* What is held of a message whose header and whose body end there. */
static void expect_frames(size_t header, size_t held, size_t skip)
{
	for (size_t len = 1; len <= held + 5; len++) {
		struct frame found = frame(len);

		ck_assert_int_eq(found.verdict, len < held ? FRAME_MORE : FRAME_WHOLE);
		ck_assert_uint_eq(found.begin, 0);
		ck_assert_uint_eq(found.end, len < 2 ? 2 : len < header ? header : held);
		ck_assert_uint_eq(found.skip, len < held ? 0 : skip);
	}
}

START_TEST(test_where_a_message_ends)
{
	static const size_t lens[] = { 0, 1, 9, 10, 11, 300, MOST_BODY };
	static const char body[] = SEARCH("ring");
	size_t header;

	put_json(text, body);
	header = (size_t)(put_headed(text + ROOM / 2, JSON_HEADER, strlen(body)) - (text + ROOM / 2));
	expect_frames(header, header + strlen(body), 0);
	for (size_t i = 0; i < sizeof lens / sizeof *lens; i++) {
		size_t held = lens[i] < 10 ? lens[i] : 10;

		header = (size_t)(put_headed(text, BINARY_HEADER, lens[i]) - text);
		expect_frames(header, header + held, lens[i] - held);
	}
}
END_TEST

/* A header of that many bytes, filled up with white space. */
static void fill_header(size_t len, size_t body_len)
{
	char header[2 * MOST_HEADER];
	int count = sprintf(header, "{" JSON_HEADER "\"content-length\": %zu", body_len);

	memset(header + count, ' ', len - 1 - (size_t)count);
	header[len - 1] = '}';
	put_header(text, header, len);
}

START_TEST(test_the_greatest)
{
	fill_header(MOST_HEADER, MOST_JSON);
	ck_assert_uint_eq(frame(2).end, 2 + MOST_HEADER);
	ck_assert_uint_eq(frame(2 + MOST_HEADER).end, protocol_message.greatest);
	ck_assert_int_eq(frame(protocol_message.greatest - 1).verdict, FRAME_MORE);
	ck_assert_int_eq(frame(protocol_message.greatest).verdict, FRAME_WHOLE);
	fill_header(MOST_HEADER + 1, 0);
	ck_assert_int_eq(frame(1).verdict, FRAME_MORE);
	ck_assert_int_eq(frame(2).verdict, FRAME_MALFORMED);
	fill_header(300, MOST_JSON + 1);
	ck_assert_int_eq(frame(301).verdict, FRAME_MORE);
	ck_assert_int_eq(frame(302).verdict, FRAME_MALFORMED);
}
END_TEST

#define DEEP_31 "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"

static const char *const no_headers[] = {
	"", "nope", "null", "7", "[]", "\"x\"", "{}", "{", "\xff\xfe", "{" BINARY_HEADER "\"content-length\": 1} x",
	"{\"content-type\": \"binary/x\", \"content-encoding\": \"binary\", \"content-length\": 1}",
	"{\"byteorder\": \"big\", \"content-encoding\": \"binary\", \"content-length\": 1}",
	"{\"byteorder\": \"big\", \"content-type\": \"binary/x\", \"content-length\": 1}",
	"{\"byteorder\": \"big\", \"content-type\": \"binary/x\", \"content-encoding\": \"binary\"}",
	"{" BINARY_HEADER "\"content-length\": \"1\"}", "{" BINARY_HEADER "\"content-length\": null}",
	"{" BINARY_HEADER "\"content-length\": true}", "{" BINARY_HEADER "\"content-length\": 1.0}",
	"{" BINARY_HEADER "\"content-length\": 1e3}", "{" BINARY_HEADER "\"content-length\": -1}",
	"{" BINARY_HEADER "\"content-length\": 01}", "{" BINARY_HEADER "\"content-length\": [1]}",
	"{" BINARY_HEADER "\"content-length\": 1048577}", "{" BINARY_HEADER "\"content-length\": 1099511627776}",
	"{" BINARY_HEADER "\"content-length\": 18446744073709551617}",
	"{" BINARY_HEADER "\"content-length\": 1, \"content-length\": 1}",
	"{" BINARY_HEADER "\"content-length\": 1, \"x\": {\"a\": 1, \"a\": 2}}",
	"{" BINARY_HEADER "\"content-length\": 1, \"x\": [" DEEP_31 "]}",
	"{" BINARY_HEADER "\"content-length\": 1, \"x\": \"\\u0000\"}",
	"{" BINARY_HEADER "\"content-length\": 1, \"x\": \"\\ud800\"}",
	"{" BINARY_HEADER "\"content-length\": 1, \"x\": \"\xff\"}",
	"{\"byteorder\": 1, \"content-type\": \"text/json\", \"content-encoding\": \"klingon\", \"content-length\": 1}",
	"{\"byteorder\": 1, \"content-type\": \"text/json\", \"content-encoding\": null, \"content-length\": 1}",
};

START_TEST(test_no_headers)
{
	for (size_t i = 0; i < sizeof no_headers / sizeof *no_headers; i++) {
		size_t end = (size_t)(put_header(text, no_headers[i], strlen(no_headers[i])) - text);

		for (size_t len = 1; len < end; len++)
			ck_assert_int_eq(frame(len).verdict, FRAME_MORE);
		ck_assert_msg(frame(end).verdict == FRAME_MALFORMED, "%s", no_headers[i]);
	}
}
END_TEST

/* Whatever else it holds: what is required may be of any type where nothing depends on it. */
START_TEST(test_odd_headers)
{
	static const char *const headers[] = {
		" {" BINARY_HEADER "\"content-length\": -0} ",
		("{" BINARY_HEADER "\"content-length\": 0, \"x\": " DEEP_31 ","
		 " \"y\": \"[[" DEEP_31 "\\\"[[" DEEP_31 "\"}"),
		"{\"byteorder\": null, \"content-type\": null, \"content-encoding\": [], \"content-length\": 0}",
		"{\"byteorder\": {}, \"content-type\": \"Text/json\", \"content-encoding\": 1, \"content-length\": 0}",
		("{\"byteorder\": \"\", \"content-type\": \"text/jso\\u006e\", \"content-encoding\": \"utf-8\","
		 " \"content-length\": 0}"),
	};

	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
		size_t end = (size_t)(put_header(text, headers[i], strlen(headers[i])) - text);

		ck_assert_msg(frame(end).verdict == FRAME_WHOLE, "%s", headers[i]);
	}
}
END_TEST

/* ---- what is said ---- */

/* All of the text at once, where there is room for so much: what was wanted must be said. */
static struct conversation expect(const char *end, const char *wanted_end, uint32_t out_size)
{
	struct service service = service_of_messages();
	struct conversation after;
	struct dialogue d;

	dialogue_begin(&d, &service, out_size);
	dialogue_hear(&d, text, (size_t)(end - text));
	ck_assert_uint_eq(d.said_len, (size_t)(wanted_end - wanted));
	ck_assert_int_eq(memcmp(d.said, wanted, d.said_len), 0);
	after = d.c;
	dialogue_end(&d);
	return after;
}

START_TEST(test_said_to_the_byte)
{
	static const char said[] =
		"\0\x67{\"byteorder\": \"little\", \"content-type\": \"text/json\", \"content-encoding\": \"utf-8\", "
		"\"content-length\": 32}{\"result\": \"In the caves \xf0\x9f\x92\x8d.\"}";
	struct conversation c;
	char *end;

	if (BYTEORDER[0] == 'l') {
		memcpy(wanted, said, sizeof said);
		c = expect(put_json(text, SEARCH("ring")), wanted + sizeof said - 1, WIDE);
		ck_assert_uint_eq(c.questions, 1);
	}
	end = put_first(wanted, 300);
	expect(put_bytes(text, 300), end, WIDE);
}
END_TEST

static const struct {
	const char *body, *result;
	int unknown;
} results[] = {
	{ SEARCH("ring"), FOUND, 0 },
	{ SEARCH("ring?"), FOUND, 0 },
	{ "{\"value\": \"\\u0072ing\", \"x\": [1.5, null], \"action\": \"s\\u0065arch\"}", FOUND, 0 },
	{ SEARCH("ring??"), "No match for 'ring?\?'.", 1 },
	{ SEARCH("ring?x"), "No match for 'ring?x'.", 1 },
	{ SEARCH("?ring"), "No match for '?ring'.", 1 },
	{ SEARCH("?"), "No match for '?'.", 1 },
	{ SEARCH(""), "No match for ''.", 1 },
	{ SEARCH(" ring"), "No match for ' ring'.", 1 },
	{ SEARCH("\\u0001\\u001f\\u007f\\b\\f\\n\\r\\t\\u000b\\/"),
	  "No match for '\\u0001\\u001f\x7f\\b\\f\\n\\r\\t\\u000b/'.", 1 },
	{ SEARCH("\\u00e9\xc3\xa9\\u2028\\ud83d\\udc36"),
	  "No match for '\xc3\xa9\xc3\xa9\xe2\x80\xa8\xf0\x9f\x90\xb6'.", 1 },
	/* what of a table is no UTF-8 */
	{ SEARCH("\\\"\\\\\\t"),
	  "\\u0001\\u001f\x7f" BAD BAD BAD BAD BAD BAD BAD "\\\"\\\\.", 0 },
	{ "{\"action\": \"destroy\", \"value\": \"ring\"}", "Error: invalid action 'destroy'.", 0 },
	{ "{\"action\": \"\\\"\\n\"}", "Error: invalid action '\\\"\\n'.", 0 },
	{ "{\"action\": \"\"}", "Error: invalid action ''.", 0 },
	{ "{}", "Error: no action.", 0 },
	{ "{\"action\": null, \"value\": \"ring\"}", "Error: no action.", 0 },
	{ "{\"action\": [\"search\"]}", "Error: no action.", 0 },
	{ "{\"action\": \"search\"}", "Error: no value.", 0 },
	{ "{\"action\": \"search\", \"value\": 7}", "Error: no value.", 0 },
	{ "{\"action\": \"search\", \"value\": \"ring\", \"x\": " DEEP_31 "}", FOUND, 0 },
};

START_TEST(test_results)
{
	for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
		char *end = put_json(text, results[i].body), body[512];
		struct conversation c;

		sprintf(body, "{\"result\": \"%s\"}", results[i].result);
		c = expect(end, put_result(wanted, body), WIDE);
		ck_assert_int_eq(c.unknown, results[i].unknown);
		ck_assert_uint_eq(c.questions, 1);
		ck_assert(!c.malformed);
	}
}
END_TEST

static const char *const no_bodies[] = {
	"", "nope", "null", "7", "\"search\"", "[1]", "[]", "{", "{\"action\": \"search\"} x",
	"{\"\xff\": 1}", "{\"a\": \"\xed\xa0\x80\"}",
	"{\"action\": \"search\", \"action\": \"search\"}", "{\"value\": \"\\u0000\"}", "{\"value\": \"\\ud83d\"}",
	"{\"value\": NaN}", "{'a': 1}", "{\"a\": [" DEEP_31 "]}", "{\"a\": \"\n\"}", "\xef\xbb\xbf{}",
};

/* What was answered before is said, and nothing of that. */
START_TEST(test_no_bodies)
{
	for (size_t i = 0; i < sizeof no_bodies / sizeof *no_bodies; i++) {
		char *end = put_json(put_json(put_bytes(text, 5), no_bodies[i]), SEARCH("ring"));
		struct conversation c = expect(end, put_first(wanted, 5), WIDE);

		ck_assert_msg(c.malformed && c.over == CONVERSATION_LINGER, "%s", no_bodies[i]);
		ck_assert_uint_eq(c.questions, 1);
	}
}
END_TEST

/* An answer that is twice as long as that of the table, which is as long as may be: however little room there is. */
START_TEST(test_a_long_answer)
{
	static const uint32_t sizes[] = { 1000, CONVERSATION_OUT, 65536, 200000 };
	static char body[2 * LONG + 64];
	char *at = stpcpy(body, "{\"result\": \""), *end;

	for (int i = 0; i < LONG - 1; i++)
		at = stpcpy(at, "\\\"");
	strcpy(at, ".\"}");
	end = put_json(put_json(text, SEARCH("long")), SEARCH("long?"));
	at = put_result(put_result(wanted, body), body);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		ck_assert_uint_eq(expect(end, at, sizes[i]).questions, 2);
}
END_TEST

/* ---- cuts ---- */

/* Several messages; the last but one is none.  Returns their end. */
static char *put_transcript(void)
{
	char *end = put_json(text, SEARCH("needle"));

	end = put_bytes(end, 300);
	end = put_json(end, SEARCH("ring"));
	end = put_bytes(end, 0);
	end = put_bytes(end, 11);
	end = put_json(end, "{}");
	end = put_json(end, "[]");
	return put_json(end, SEARCH("ring"));
}

/* What is to be said to all of them, or to the first; returns its end. */
static char *put_wanted(bool once)
{
	char *end = put_result(wanted, "{\"result\": \"No match for 'needle'.\"}");

	if (once)
		return end;
	end = put_first(end, 300);
	end = put_result(end, "{\"result\": \"" FOUND "\"}");
	end = put_first(end, 0);
	end = put_first(end, 11);
	return put_result(end, "{\"result\": \"Error: no action.\"}");
}

static void play(const struct service *service, size_t len, size_t wanted_len, size_t first, size_t piece,
                 uint32_t out_size)
{
	struct dialogue d;

	dialogue_begin(&d, service, out_size);
	dialogue_hear(&d, text, first);
	for (size_t at = first; at < len; at += piece)
		dialogue_hear(&d, text + at, piece < len - at ? piece : len - at);
	ck_assert_int_eq(d.state, CONVERSATION_LINGER);
	ck_assert_int_eq(d.c.malformed, service->max_questions == 0);
	ck_assert_uint_eq(d.said_len, wanted_len);
	ck_assert_int_eq(memcmp(d.said, wanted, wanted_len), 0);
	dialogue_end(&d);
}

/* At any two places, or everywhere; and whatever the room. */
static void play_all(bool once, bool costly)
{
	static const uint32_t sizes[] = { 19, 300, CONVERSATION_OUT };
	struct service service = service_of_messages();
	size_t len = (size_t)(put_transcript() - text), wanted_len = (size_t)(put_wanted(once) - wanted);

	service.max_questions = once;
	service.costly = costly;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		for (size_t cut = 0; cut <= len; cut++)
			play(&service, len, wanted_len, cut, len, sizes[i]);
		for (size_t piece = 1; piece < 400; piece += 1 + piece / 20)
			play(&service, len, wanted_len, 0, piece, sizes[i]);
	}
}

START_TEST(test_cuts)
{
	play_all(_i & 1, _i & 2);
}
END_TEST

/* The end of input cuts off a message that has begun, what is skipped of it as well. */
START_TEST(test_the_end_of_input)
{
	struct service service = service_of_messages();
	size_t first = (size_t)(put_json(text, SEARCH("ring")) - text);
	size_t len = (size_t)(put_bytes(text + first, 50) - text);
	size_t wanted_len = (size_t)(put_result(wanted, "{\"result\": \"" FOUND "\"}") - wanted);

	for (size_t cut = first; cut < len; cut++) {
		struct dialogue d;

		dialogue_begin(&d, &service, WIDE);
		dialogue_hear(&d, text, cut);
		ck_assert_int_eq(d.state, CONVERSATION_READ);
		ck_assert_int_eq(d.c.asking, cut > first);
		conversation_end(&d.c);
		dialogue_run(&d);
		ck_assert_int_eq(d.state, CONVERSATION_CLOSE);
		ck_assert_uint_eq(d.said_len, wanted_len);
		dialogue_end(&d);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("message");
	TCase *tests = tcase_create("message");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_unchecked_fixture(tests, build_table, NULL);
	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, test_where_a_message_ends);
	tcase_add_test(tests, test_the_greatest);
	tcase_add_test(tests, test_no_headers);
	tcase_add_test(tests, test_odd_headers);
	tcase_add_test(tests, test_said_to_the_byte);
	tcase_add_test(tests, test_results);
	tcase_add_test(tests, test_no_bodies);
	tcase_add_test(tests, test_a_long_answer);
	tcase_add_loop_test(tests, test_cuts, 0, 4);
	tcase_add_test(tests, test_the_end_of_input);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
