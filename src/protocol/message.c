/*
 * message.c - messages of a JSON header and a body: a search in the table, or bytes whose beginning comes back.
 *
 * Two bytes, big endian, are the length of the header, and that says how long the body is, and what.  Nothing of an
 * answer is kept: where there was no room for all of it, it is made anew, and what was said is left out.
 */
#include <jansson.h>
#include <string.h>

#include "common/plain.h"
#include "protocol/protocol.h"
#include "protocol/table.h"

enum { LENGTH = 2, MOST_HEADER = 4096, MOST_JSON = 16384, MOST_BODY = 1048576, SHOWN = 10, DEEPEST = 32 };

/* ---- what comes ---- */

/* The parser descends by recursion, and threads have small stacks. */
static bool is_deep(struct span text)
{
	bool quoted = false;
	int depth = 0;

	for (size_t i = 0; i < text.len && depth <= DEEPEST; i++) {
		char byte = text.at[i];

		if (byte == '"')
			quoted = !quoted;
		else if (quoted)
			i += byte == '\\';
		else
			depth += (byte == '[' || byte == '{') - (byte == ']' || byte == '}');
	}
	return depth > DEEPEST;
}

/* To be given back; NULL when that is no JSON, or too deep, or there is no memory for it. */
static json_t *parse(struct span text)
{
	return is_deep(text) ? NULL : json_loadb(text.at, text.len, JSON_REJECT_DUPLICATES, NULL);
}

/* NULL when there is none; what is no object has none. */
static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static bool reads(const json_t *object, const char *key, const char *wanted)
{
	const char *text = text_of(object, key);

	return text && strcmp(text, wanted) == 0;
}

struct header {
	size_t end, body_len;
	bool is_json;                     /* the body */
};

static size_t header_end(const char *at)
{
	return LENGTH + ((size_t)(unsigned char)at[0] << 8 | (unsigned char)at[1]);
}

/* Of a message whose header is there; false when that is none. */
static bool read_header(const char *at, struct header *header)
{
	size_t end = header_end(at);
	json_t *object = parse((struct span){ at + LENGTH, end - LENGTH });
	json_t *length = json_object_get(object, "content-length");
	bool is_json = reads(object, "content-type", "text/json");
	json_int_t most = is_json ? MOST_JSON : MOST_BODY, body_len = json_integer_value(length);
	bool valid = json_is_integer(length) && body_len >= 0 && body_len <= most &&
	             json_object_get(object, "byteorder") && json_object_get(object, "content-type") &&
	             json_object_get(object, "content-encoding") &&
	             (!is_json || reads(object, "content-encoding", "utf-8"));

	json_decref(object);
	*header = (struct header){ end, (size_t)body_len, is_json };
	return valid;
}

static struct frame more(size_t end)
{
	return (struct frame){ .verdict = FRAME_MORE, .end = (uint32_t)end };
}

static struct frame frame_message(const char *at, size_t len, size_t most)
{
	struct header header;
	size_t held;

	(void)most;
	if (len < LENGTH)
		return more(LENGTH);
	if (header_end(at) > LENGTH + MOST_HEADER)
		return (struct frame){ .verdict = FRAME_MALFORMED };
	if (len < header_end(at))
		return more(header_end(at));
	if (!read_header(at, &header))
		return (struct frame){ .verdict = FRAME_MALFORMED };
	held = header.is_json || header.body_len < SHOWN ? header.body_len : SHOWN;
	if (len < header.end + held)
		return more(header.end + held);
	return (struct frame){ .end = (uint32_t)(header.end + held), .skip = (uint32_t)(header.body_len - held) };
}

/* ---- what is said ---- */

/* An answer of which so many bytes were said before; what there is no room for is counted, and no more. */
struct writer {
	struct bytes *out;
	size_t said, len;
};

static void put(struct writer *writer, struct span piece)
{
	size_t over = writer->said > writer->len ? writer->said - writer->len : 0;
	size_t now = writer->out->size - writer->out->len;

	writer->len += piece.len;
	if (over >= piece.len || now == 0)
		return;
	if (now > piece.len - over)
		now = piece.len - over;
	memcpy(writer->out->at + writer->out->len, piece.at + over, now);
	writer->out->len += (uint32_t)now;
}

static void put_escaped(struct writer *writer, char byte)
{
	static const char bytes[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	const char *at = memchr(bytes, byte, sizeof bytes - 1);
	char escaped[8];
	int len = at ? sprintf(escaped, "\\%c", letters[at - bytes]) : sprintf(escaped, "\\u%04x", (unsigned)byte);

	put(writer, (struct span){ escaped, (size_t)len });
}

/* What is no UTF-8 becomes U+FFFD, a byte each. */
static void put_text(struct writer *writer, struct span text)
{
	for (size_t taken; text.len > 0; text.at += taken, text.len -= taken) {
		uint32_t character = 0;

		taken = plain_decode(text.at, text.len, &character);
		if (taken == 0) {
			put(writer, SPAN("\xef\xbf\xbd"));
			taken = 1;
		} else if (character < ' ' || character == '"' || character == '\\') {
			put_escaped(writer, *text.at);
		} else {
			put(writer, (struct span){ text.at, taken });
		}
	}
}

/* A body: bytes, or the text of a result, in parts that follow each other. */
struct body {
	bool is_json;
	struct span parts[3];
};

static void put_body(struct writer *writer, const struct body *body)
{
	if (body->is_json)
		put(writer, SPAN("{\"result\": \""));
	for (int i = 0; i < 3; i++)
		(body->is_json ? put_text : put)(writer, body->parts[i]);
	if (body->is_json)
		put(writer, SPAN("\"}"));
}

/* Goes on with the answer of that body. */
static enum computed answer(const struct exchange *exchange, const struct body *body, struct bytes *out)
{
	struct bytes nowhere = { .size = 0 };
	struct writer writer = { .out = out, .said = *exchange->at }, measure = { .out = &nowhere };
	uint32_t before = out->len;
	char header[LENGTH + 256];
	int len;

	put_body(&measure, body);
	len = sprintf(header + LENGTH, "{\"byteorder\": \"%s\", \"content-type\": \"%s\", "
	              "\"content-encoding\": \"%s\", \"content-length\": %zu}",
	              __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? "big" : "little",
	              body->is_json ? "text/json" : "binary/custom-server-binary-type",
	              body->is_json ? "utf-8" : "binary", measure.len);
	header[0] = 0;
	header[1] = (char)len;
	put(&writer, (struct span){ header, LENGTH + (size_t)len });
	put_body(&writer, body);
	*exchange->at += out->len - before;
	return *exchange->at < writer.len ? COMPUTED_PART : COMPUTED_ALL;
}

/* ---- what is asked ---- */

static struct span span_of(const char *text)
{
	return (struct span){ text, strlen(text) };
}

static struct body result(const char *before, struct span text, const char *behind)
{
	return (struct body){ true, { span_of(before), text, span_of(behind) } };
}

/* The value, with a '?' behind it where it has none: to be given back; NULL when there is no memory for it. */
static json_t *question_of(const json_t *request)
{
	const char *value = text_of(request, "value");

	if (!value)
		value = "";
	return json_pack(strchr(value, '?') ? "s" : "s+", value, "?");
}

static struct body judge(struct exchange *exchange, const json_t *request, const char *question)
{
	const char *action = text_of(request, "action"), *value = text_of(request, "value");
	struct span found = SPAN("");

	if (!action)
		return result("Error: no action.", SPAN(""), "");
	if (strcmp(action, "search") != 0)
		return result("Error: invalid action '", span_of(action), "'.");
	if (!value)
		return result("Error: no value.", SPAN(""), "");
	if (strchr(question, '?')[1] == '\0')
		found = table_find(exchange->data, span_of(question));
	if (found.len > 0)
		return result("", found, "");
	exchange->unknown = true;
	return result("No match for '", span_of(value), "'.");
}

static enum computed compute_json(struct exchange *exchange, struct span text, struct bytes *out)
{
	json_t *request = parse(text), *question = question_of(request);
	enum computed computed = COMPUTED_MALFORMED;

	if (json_is_object(request) && question) {
		struct body body = judge(exchange, request, json_string_value(question));

		computed = answer(exchange, &body, out);
	}
	json_decref(question);
	json_decref(request);
	return computed;
}

static enum computed compute_message(struct exchange *exchange, struct bytes *out)
{
	const char *at = exchange->request.at;
	struct body body = { false, { SPAN("First 10 bytes of request: ") } };
	struct header header;
	struct span held;

	if (!read_header(at, &header))
		return COMPUTED_MALFORMED;        /* for want of memory */
	held = (struct span){ at + header.end, exchange->request.len - header.end };
	if (header.is_json)
		return compute_json(exchange, held, out);
	body.parts[1] = held;
	return answer(exchange, &body, out);
}

/* What hashes members begins with a number drawn from /dev/urandom, which a worker can't open later. */
static void prepare(void)
{
	json_object_seed(0);
}

const struct protocol protocol_message = {
	.name = "message",
	.summary = "answers messages with a header in JSON",
	.greatest = LENGTH + MOST_HEADER + MOST_JSON,
	.counted = true,
	.prepare = prepare,
	.frame = frame_message,
	.compute = compute_message,
};
