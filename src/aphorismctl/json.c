#include "aphorismctl/json.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"

/* Exact as a double, which is what most readers make of a number. */
enum { INTEGER_DIGITS = 15 };

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
		json_put_string(value, strlen(value));
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
		json_put_string(line->key, strlen(line->key));
		putchar(':');
		if (can_repeat(line->key) || count_key(reply, i, reply->count, line->key) > 1)
			put_array(reply, line->key);
		else
			put_value(line->value);
	}
	puts("}");
}
