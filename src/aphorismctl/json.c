#include "aphorismctl/json.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Exact as a double, which is what most readers make of a number. */
enum { INTEGER_DIGITS = 15 };

/* Bytes of the UTF-8 character at the front, 0 when it is none: overlong forms and surrogates are none. */
static size_t utf8_len(const unsigned char *at, size_t len)
{
	size_t need = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

	if (need > len || (at[0] >= 0x80 && at[0] < 0xc2) || at[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < need; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
	    (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return need;
}

static void put_string(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t len = strlen(text);

	putchar('"');
	while (len > 0) {
		size_t taken = utf8_len(at, len);

		if (taken == 0)
			fputs("\\ufffd", stdout);
		else if (*at < 0x20 || *at == 0x7f)
			printf("\\u%04x", *at);
		else if (*at == '"' || *at == '\\')
			printf("\\%c", *at);
		else
			fwrite(at, 1, taken, stdout);
		at += taken + (taken == 0);
		len -= taken + (taken == 0);
	}
	putchar('"');
}

static bool is_integer(const char *text)
{
	const char *digits = text + (text[0] == '-');
	size_t len = strspn(digits, "0123456789");

	if (len == 0 || len > INTEGER_DIGITS || digits[len] != '\0')
		return false;
	return digits[0] != '0' || strcmp(text, "0") == 0;
}

static void put_value(const char *value)
{
	if (*value == '\0')
		fputs("true", stdout);
	else if (is_integer(value))
		fputs(value, stdout);
	else
		put_string(value);
}

/* A reader must not meet a string today and an array tomorrow: what can repeat is always an array. */
static bool can_repeat(const char *key)
{
	static const char *const keys[] = { "error", "notice", "listening" };

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return false;
}

/* How many lines from `from` to before `to` have that key. */
static size_t count_key(const struct reply *reply, size_t from, size_t to, const char *key)
{
	size_t count = 0;

	for (; from < to; from++)
		count += strcmp(reply->lines[from].key, key) == 0;
	return count;
}

static void put_array(const struct reply *reply, const char *key)
{
	const char *between = "[";

	for (size_t i = 0; i < reply->count; i++) {
		if (strcmp(reply->lines[i].key, key) != 0)
			continue;
		fputs(between, stdout);
		put_value(reply->lines[i].value);
		between = ",";
	}
	putchar(']');
}

void json_reply(const struct reply *reply)
{
	printf("{\"ok\":%s,\"exit\":%d", reply->status == 0 ? "true" : "false", reply->status);
	for (size_t i = 0; i < reply->count; i++) {
		const struct line *line = &reply->lines[i];

		if (count_key(reply, 0, i, line->key) > 0)
			continue;         /* told with the first of its kind */
		putchar(',');
		put_string(line->key);
		putchar(':');
		if (can_repeat(line->key) || count_key(reply, i, reply->count, line->key) > 1)
			put_array(reply, line->key);
		else
			put_value(line->value);
	}
	puts("}");
}

void json_failure(int status, const char *reason)
{
	printf("{\"ok\":false,\"exit\":%d,\"error\":[", status);
	put_string(reason);
	puts("]}");
}
