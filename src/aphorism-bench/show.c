/*
 * show.c - figures as people read them.
 */
#include "aphorism-bench/show.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "aphorism-bench/scenario.h"
#include "aphorism-bench/verdict.h"

/* Three digits, whatever the size. */
static char *digits(char *to, double value, const char *unit)
{
	/* 9.996 would be shown as 10.00 */
	int decimals = value < 0.9995 ? 3 : value < 9.995 ? 2 : value < 99.95 ? 1 : 0;

	snprintf(to, SHOW_TEXT, "%.*f%s", decimals, value, unit);
	return to;
}

char *show_count(char *to, double value)
{
	char plain[SHOW_TEXT];
	char *at = to;
	size_t len;

	if (!isfinite(value) || value >= 1e18)
		return strcpy(to, "-");
	len = (size_t)snprintf(plain, sizeof plain, "%.0f", value);
	for (size_t i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			*at++ = ',';
		*at++ = plain[i];
	}
	*at = '\0';
	return to;
}

char *show_real(char *to, double value)
{
	return isfinite(value) ? digits(to, value, "") : strcpy(to, "-");
}

char *show_duration(char *to, double us)
{
	if (!isfinite(us))
		return strcpy(to, "-");
	if (us < 999.5)
		return us < 9.95 ? digits(to, us, "us") : (snprintf(to, SHOW_TEXT, "%.0fus", us), to);
	return us < 999.5e3 ? digits(to, us / 1e3, "ms") : digits(to, us / 1e6, "s");
}

char *show_bytes(char *to, double bytes)
{
	static const char *const units[] = { "", "K", "M", "G", "T" };
	size_t unit = 0;

	if (!isfinite(bytes))
		return strcpy(to, "-");
	for (; bytes >= 1023.5 && unit + 1 < sizeof units / sizeof units[0]; unit++)
		bytes /= 1024;
	if (unit > 0)
		return digits(to, bytes, units[unit]);
	snprintf(to, SHOW_TEXT, "%.0f", bytes);
	return to;
}

char *show_spread(char *to, struct figure figure)
{
	double wider = fmax(figure.value - figure.low, figure.high - figure.value);

	if (!isfinite(wider) || !(figure.value > 0))
		return strcpy(to, "-");
	if (wider > 9.99 * figure.value)
		return strcpy(to, ">999%");
	snprintf(to, SHOW_TEXT, "%.*f%%", wider < figure.value / 10 ? 1 : 0, wider / figure.value * 100);
	return to;
}

char *show_error(char *to, enum load_error error)
{
	snprintf(to, SHOW_TEXT, "%s", load_error_names[error].name);
	for (char *at = to; *at; at++)
		if (*at == '_')
			*at = ' ';
	return to;
}

/* Adds to a list what still fits. */
__attribute__((format(printf, 4, 5)))
static void add(char *to, size_t size, const char *between, const char *format, ...)
{
	size_t len = strlen(to);
	va_list arguments;

	if (len > 0)
		len += (size_t)snprintf(to + len, size - len, "%s", between);
	if (len >= size)
		return;
	va_start(arguments, format);
	vsnprintf(to + len, size - len, format, arguments);
	va_end(arguments);
}

char *show_block(char *to, const struct cell *block)
{
	const struct scenario *scenario = scenario_find(block->scenario);
	char text[SHOW_TEXT];

	snprintf(to, SHOW_BLOCK, "%s, %s connection%s", block->scenario, show_count(text, block->connections),
	         block->connections == 1 ? "" : "s");
	if (block->pipeline > 1)
		add(to, SHOW_BLOCK, ", ", "%" PRIu32 " questions in flight on each", block->pipeline);
	if (block->rate > 0)
		add(to, SHOW_BLOCK, ", ", "%s questions a second offered", show_count(text, block->rate));
	if (scenario && scenario->judge == SCENARIO_BY_TAIL)
		add(to, SHOW_BLOCK, ", ", "compared by p99");
	return to;
}

char *show_remark(char *to, const struct cell *cell)
{
	enum standing standing = verdict_standing(cell);
	char count[SHOW_TEXT], name[SHOW_TEXT];

	*to = '\0';
	if (cell->saturated)
		add(to, SHOW_REMARK, "; ", "generator saturated, figures void");
	if (cell->unasked > 0)
		add(to, SHOW_REMARK, "; ", "%s not asked", show_count(count, (double)cell->unasked));
	if (cell->never_served > 0)
		add(to, SHOW_REMARK, "; ", "never served %" PRIu32 " of %" PRIu32, cell->never_served,
		    cell->connections);
	if (standing == VERDICT_BEST || standing == VERDICT_TIE)
		add(to, SHOW_REMARK, "; ", "%s", standing == VERDICT_BEST ? "best" : "tie");
	for (enum load_error i = 0; i < LOAD_ERRORS; i++)
		if (cell->errors[i] > 0)
			add(to, SHOW_REMARK, "; ", "%s %s", show_count(count, (double)cell->errors[i]),
			    show_error(name, i));
	return to;
}
