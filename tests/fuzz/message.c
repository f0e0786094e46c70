/*
 * message.c - fuzz target: messages of a JSON header and a body.  However they are cut, and however little room there
 * is, the same bytes are said, each answer is a message, and what a request takes of the memory has a bound.
 *
 * input: flags, size of the output, seed of the cuts; then messages, each of a kind, its length in two bytes, and text.
 */
#include <jansson.h>
#include <malloc.h>

#include "../unit/dialogue.h"
#include "fuzz.h"
#include "protocol/table.h"

enum { MOST = 1 << 17, MOST_JSON = 16384, MOST_MEMORY = 4 << 20, FLAG_ONCE = 1, FLAG_COSTLY = 2, FLAG_END = 4 };
enum kind { AS_IT_IS, HEADED, JSON, BINARY, REPEATED, KINDS };

static const char aphorisms[] =
	"ring? In the caves.\n\"\\? \x01\x7f\xff\xf0\x9f\x92\"\\.\n\xf0\x9f\x90\xb6? \xf0\x9f\x90\xbe.\n";
static _Alignas(8) char block[4096];
static char text[MOST];
static size_t held, peak;

static void *take_memory(size_t size)
{
	void *memory = malloc(size);

	held += malloc_usable_size(memory);
	if (held > peak)
		peak = held;
	return memory;
}

static void give_memory(void *memory)
{
	held -= malloc_usable_size(memory);
	free(memory);
}

static void unexpected(void *arg, size_t line, const char *reason)
{
	(void)arg;
	ck_abort_msg("%zu: %s", line, reason);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct table *table = (void *)block;

	(void)argc;
	(void)argv;
	json_set_alloc_funcs(take_memory, give_memory);
	json_object_seed(1060);
	table->text_len = sizeof aphorisms - 1;
	memcpy(table_text(table), aphorisms, table->text_len);
	REQUIRE(table_build(table, 3, 100, unexpected, NULL) == 0);
	return 0;
}

/* ---- messages ---- */

static size_t put_headed(char *to, const char *header, size_t len)
{
	to[0] = (char)(len >> 8);
	to[1] = (char)len;
	memcpy(to + 2, header, len);
	return 2 + len;
}

static size_t put_message(char *to, const char *type, const char *encoding, const char *body, size_t len)
{
	char header[256];
	int header_len = sprintf(header, "{\"byteorder\": 0, \"content-type\": \"%s\", \"content-encoding\": \"%s\", "
	                         "\"content-length\": %zu}", type, encoding, len);
	size_t end = put_headed(to, header, (size_t)header_len);

	memcpy(to + end, body, len);
	return end + len;
}

/* As often as it fits the greatest body of an object. */
static size_t put_repeated(char *to, const char *piece, size_t len)
{
	static char body[MOST_JSON];
	char *at = stpcpy(body, "{\"action\": \"search\", \"value\": \"ring\", \"x\": [");

	while (len > 0 && len + 8 < (size_t)(body + sizeof body - at)) {
		memcpy(at, piece, len);
		at += len;
	}
	at = stpcpy(at, " 0]}");
	return put_message(to, "text/json", "utf-8", body, (size_t)(at - body));
}

static size_t put(char *to, enum kind kind, const char *at, size_t len)
{
	switch (kind) {
	case HEADED:
		return put_headed(to, at, len);
	case JSON:
		return put_message(to, "text/json", "utf-8", at, len);
	case BINARY:
		return put_message(to, "binary/x", "binary", at, len);
	case REPEATED:
		return put_repeated(to, at, len);
	default:
		memcpy(to, at, len);
		return len;
	}
}

static size_t compose(struct feed *feed)
{
	size_t end = 0;

	while (feed_left(feed) > 0 && end + 2 * MOST_JSON < MOST) {
		enum kind kind = feed_byte(feed) % KINDS;
		size_t len = (size_t)(feed_byte(feed) << 8 | feed_byte(feed));

		if (len > feed_left(feed))
			len = feed_left(feed);
		if (len > MOST_JSON)
			len = MOST_JSON;
		end += put(text + end, kind, (const char *)feed->at, len);
		feed->at += len;
	}
	return end;
}

/* ---- promises ---- */

/* As many messages as were answered, one behind the other. */
static void expect_answers(const struct dialogue *d)
{
	const char *at = d->said, *end = d->said + d->said_len;

	for (uint32_t i = 0; i < d->c.questions; i++) {
		size_t len = (size_t)((unsigned char)at[0] << 8 | (unsigned char)at[1]), body_len;
		json_t *header = json_loadb(at + 2, len, JSON_REJECT_DUPLICATES, NULL), *body;

		REQUIRE(header);
		body_len = (size_t)json_integer_value(json_object_get(header, "content-length"));
		at += 2 + len;
		if (strcmp(json_string_value(json_object_get(header, "content-encoding")), "utf-8") == 0) {
			body = json_loadb(at, body_len, JSON_REJECT_DUPLICATES, NULL);
			REQUIRE(json_object_size(body) == 1 && json_string_value(json_object_get(body, "result")));
			json_decref(body);
		}
		json_decref(header);
		at += body_len;
	}
	REQUIRE(at == end);
}

static void play(struct dialogue *d, const struct service *service, size_t len, uint32_t out_size, uint32_t cuts,
                 bool end)
{
	dialogue_begin(d, service, out_size);
	peak = held;
	for (size_t at = 0, piece; at < len; at += piece) {
		cuts = cuts * 1664525 + 1013904223;
		piece = cuts >> 8 & 1 ? 1 + (cuts >> 16) % 3 : 1 + (cuts >> 16) % 1000;
		if (piece > len - at)
			piece = len - at;
		dialogue_hear(d, text + at, piece);
	}
	if (end && d->state < CONVERSATION_LINGER) {
		conversation_end(&d->c);
		dialogue_run(d);
	}
	REQUIRE(held == 0);
	REQUIRE(peak <= MOST_MEMORY);
	expect_answers(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed feed = { data, data + size };
	uint8_t flags = feed_byte(&feed);
	struct service service = {
		.protocol = &protocol_message, .data = block, .greatest = protocol_message.greatest,
		.question_us = 100, .idle_us = 1000, .max_questions = flags & FLAG_ONCE, .costly = flags & FLAG_COSTLY,
	};
	uint32_t out_size = 1 + feed_byte(&feed), cuts = feed_byte(&feed);
	size_t len = compose(&feed);
	struct dialogue a, b;

	play(&a, &service, len, MOST, cuts, flags & FLAG_END);
	/* each piece of an answer is its request read anew */
	if (out_size < a.said_len / 32)
		out_size = (uint32_t)a.said_len / 32;
	play(&b, &service, len, out_size, ~cuts, flags & FLAG_END);
	REQUIRE(a.said_len == b.said_len && memcmp(a.said, b.said, a.said_len) == 0);
	REQUIRE(a.state == b.state && a.c.malformed == b.c.malformed);
	REQUIRE(a.state != CONVERSATION_READ || a.c.asking == b.c.asking);
	REQUIRE(a.c.questions == b.c.questions && a.c.unknown == b.c.unknown);
	dialogue_end(&a);
	dialogue_end(&b);
	return 0;
}
