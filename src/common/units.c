/*
 * units.c - durations and sizes as people write them.
 */
#include "common/units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ended by a row without a name; the rows go from the smallest to the largest. */
struct unit {
	const char *name;
	int64_t worth;
};

static const struct unit durations[] = {
	{ "us", 1 },
	{ "ms", 1000 },
	{ "s", 1000000 },
	{ "m", INT64_C(60) * 1000000 },
	{ "h", INT64_C(3600) * 1000000 },
	{ NULL, 0 },
};

static const struct unit sizes[] = {
	{ "", 1 },
	{ "k", 1024 },
	{ "m", 1024 * 1024 },
	{ NULL, 0 },
};

static const char *parse(const char *text, const struct unit *units, const char *plain, int64_t *value,
                         const char *unknown)
{
	int64_t number;
	char *unit;

	errno = 0;
	number = strtoll(text, &unit, 10);
	if (*text < '0' || *text > '9')
		return "does not begin with a digit";
	if (errno == ERANGE)
		return "too large";
	unit += strspn(unit, " \t");
	while (units->name && strcmp(units->name, *unit ? unit : plain) != 0)
		units++;
	if (!units->name)
		return unknown;
	if (__builtin_mul_overflow(number, units->worth, &number))
		return "too large";
	*value = number;
	return NULL;
}

const char *units_duration(const char *text, int64_t *us)
{
	return parse(text, durations, "s", us, "unknown unit, use us, ms, s, m or h");
}

const char *units_size(const char *text, int64_t *bytes)
{
	return parse(text, sizes, "", bytes, "unknown unit, use k or m");
}

/* The largest unit that leaves no rest also gives the fewest characters. */
static const char *format(char *to, const struct unit *units, int64_t value)
{
	const struct unit *best = units;

	for (; units->name; units++)
		if (value % units->worth == 0)
			best = units;
	snprintf(to, UNITS_TEXT, "%" PRId64 "%s", value / best->worth, best->name);
	return to;
}

const char *units_format_duration(char *to, int64_t us)
{
	return us == 0 ? strcpy(to, "0s") : format(to, durations, us);
}

const char *units_format_size(char *to, int64_t bytes)
{
	return bytes == 0 ? strcpy(to, "0") : format(to, sizes, bytes);
}
