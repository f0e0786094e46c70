#include "common/options.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/nearest.h"

static int complain_long(const char *program, const char *text, const struct option *known)
{
	char name[64];
	struct nearest nearest = { .name = name };

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, "="), text);
	for (; known->name; known++)
		nearest_offer(&nearest, known->name);
	if (nearest.best)
		fprintf(stderr, "%s: unknown option --%s, did you mean --%s?\n", program, name, nearest.best);
	else
		fprintf(stderr, "%s: unknown option --%s, see %s --help\n", program, name, program);
	return EX_USAGE;
}

int options_complain(const char *program, char *const argv[], const struct option *known, int result)
{
	if (result == ':') {
		fprintf(stderr, "%s: option %s needs a value\n", program, argv[optind - 1]);
		return EX_USAGE;
	}
	if (optopt == 0)
		return complain_long(program, argv[optind - 1] + 2, known);
	for (; known->name; known++) {
		/* a known letter is complained of only when a value was tied to its long name */
		if (known->val == optopt) {
			fprintf(stderr, "%s: option --%s takes no value\n", program, known->name);
			return EX_USAGE;
		}
	}
	fprintf(stderr, "%s: unknown option -%c, see %s --help\n", program, optopt, program);
	return EX_USAGE;
}

uint64_t options_number(const char *text, uint64_t most)
{
	uint64_t number = 0;

	for (; *text >= '0' && *text <= '9'; text++) {
		uint64_t digit = (uint64_t)(*text - '0');

		if (number > (most - digit) / 10)
			return 0;
		number = number * 10 + digit;
	}
	return *text == '\0' ? number : 0;
}
