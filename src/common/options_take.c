/*
 * options_take.c - values of options.
 */
#include <inttypes.h>
#include <stdio.h>

#include "common/options.h"
#include "common/units.h"

const char *options_take_choice(const struct options_row *row, void *to, char *text)
{
	(void)text;
	*(int *)to = (int)row->number;
	return NULL;
}

const char *options_take_number(const struct options_row *row, void *to, char *text)
{
	static char range[64];
	uint64_t number = options_number(text, row->number);

	snprintf(range, sizeof range, "not a number from 1 to %" PRIu64, row->number);
	if (number > 0)
		*(uint64_t *)to = number;
	return number > 0 ? NULL : range;
}

const char *options_take_pause(const struct options_row *row, void *to, char *text)
{
	static char limit[64];
	char most[UNITS_TEXT];
	const char *why = units_duration(text, to);

	if (why || row->number == 0 || *(int64_t *)to <= (int64_t)row->number)
		return why;
	snprintf(limit, sizeof limit, "longer than %s", units_format_duration(most, (int64_t)row->number));
	return limit;
}

const char *options_take_time(const struct options_row *row, void *to, char *text)
{
	const char *why = options_take_pause(row, to, text);

	return why || *(int64_t *)to > 0 ? why : "no time at all";
}

uint64_t options_number(const char *text, uint64_t most)
{
	uint64_t number = 0;

	for (; *text >= '0' && *text <= '9'; text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (digit > most || number > (most - digit) / 10)
			return 0;
		number = number * 10 + digit;
	}
	return *text == '\0' ? number : 0;
}
