/*
 * json.c - a daemon's answer as one JSON object.
 */
#include "aphorismctl/json.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "aphorismctl/rows.h"
#include "common/command.h"
#include "common/json.h"

/* Whole numbers are to be exact as a double, which is what most readers make of them. */
enum { WHOLE_DIGITS = 15, NUMBER = 40 };

static bool is_number(const char *text)
{
	const char *digits = text + (text[0] == '-');
	size_t whole = strspn(digits, "0123456789"), part = 0;

	if (whole > 0 && digits[whole] == '.' && (part = strspn(digits + whole + 1, "0123456789")) == 0)
		return false;
	if (whole == 0 || (part == 0 && whole > WHOLE_DIGITS) || digits[whole + (part ? part + 1 : 0)] != '\0')
		return false;
	return digits[0] != '0' || whole == 1;
}

static void put_text(const char *text, size_t len)
{
	char number[NUMBER] = "";

	if (len < sizeof number)
		memcpy(number, text, len);
	if (is_number(number))
		fputs(number, stdout);
	else
		json_put_string(text, len);
}

static void put_fields(const char *value)
{
	const char *between = "{";
	struct field field;

	while (rows_next(&value, &field)) {
		fputs(between, stdout);
		json_put_string(field.name, field.name_len);
		putchar(':');
		put_text(field.value, field.value_len);
		between = ",";
	}
	fputs(*between == '{' ? "{}" : "}", stdout);
}

static void put_value(const char *key, const char *value)
{
	if (rows_are(key))
		put_fields(value);
	else if (*value == '\0')
		fputs("true", stdout);
	else if (strcmp(key, "version") == 0)
		json_put_string(value, strlen(value));
	else
		put_text(value, strlen(value));
}

/* A reader must not meet a string today and an array tomorrow: what can repeat is always an array. */
static bool can_repeat(const char *key)
{
	static const char *const keys[] = { "error", "notice", "listening" };

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (strcmp(key, keys[i]) == 0)
			return true;
	return command_listing(key) != NULL;
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
		put_value(key, reply->lines[i].value);
		between = ",";
	}
	putchar(']');
}

void json_put_reply(const struct reply *reply, const char *rows)
{
	printf("{\"ok\":%s,\"exit\":%d", reply->status == 0 ? "true" : "false", reply->status);
	for (size_t i = 0; i < reply->count; i++) {
		const struct line *line = &reply->lines[i];

		if (count_key(reply, 0, i, line->key) > 0 || strcmp(line->key, "#") == 0)
			continue;         /* told with the first of its kind; or a remark among the metrics */
		putchar(',');
		json_put_string(line->key, strlen(line->key));
		putchar(':');
		if (can_repeat(line->key) || count_key(reply, i, reply->count, line->key) > 1)
			put_array(reply, line->key);
		else
			put_value(line->key, line->value);
	}
	if (rows && count_key(reply, 0, reply->count, rows) == 0)
		printf(",\"%s\":[]", rows);
	putchar('}');
}

void json_reply(const struct reply *reply, const char *rows)
{
	json_put_reply(reply, rows);
	putchar('\n');
}
