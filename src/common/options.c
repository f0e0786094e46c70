#include "common/options.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "common/nearest.h"
#include "common/plain.h"

static void explain_long(char *to, const char *program, const char *text, const struct option *known)
{
	char name[64];
	struct nearest nearest = { .name = name };

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, "="), text);
	for (; known->name; known++)
		nearest_offer(&nearest, known->name);
	if (nearest.best)
		snprintf(to, OPTIONS_REASON, "unknown option --%s, did you mean --%s?", name, nearest.best);
	else
		snprintf(to, OPTIONS_REASON, "unknown option --%s, see %s --help", name, program);
}

const char *options_explain(char *to, const char *program, char *const argv[], const struct option *known, int result)
{
	if (result == ':') {
		snprintf(to, OPTIONS_REASON, "option %s needs a value", argv[optind - 1]);
		return to;
	}
	if (optopt == 0) {
		explain_long(to, program, argv[optind - 1] + 2, known);
		return to;
	}
	snprintf(to, OPTIONS_REASON, "unknown option -%c, see %s --help", optopt, program);
	/* a known letter is complained of only when a value was tied to its long name */
	for (; known->name; known++)
		if (known->val == optopt)
			snprintf(to, OPTIONS_REASON, "option --%s takes no value", known->name);
	return to;
}

int options_complain(const char *program, char *const argv[], const struct option *known, int result)
{
	char reason[OPTIONS_REASON];

	plain_say(stderr, "%s: %s", program, options_explain(reason, program, argv, known, result));
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
