/*
 * show.c - what is drawn rather than listed.
 */
#include "aphorismctl/show.h"

#include <stdio.h>
#include <string.h>

#include "aphorismctl/rows.h"
#include "common/plain.h"

enum { BAR = 40 };

/* The word behind "of=", which comes first. */
static size_t kind_len(const struct line *line)
{
	return strcspn(line->value, "\t");
}

static bool is_alike(const struct line *a, const struct line *b)
{
	return strcmp(b->key, "bucket") == 0 && kind_len(a) == kind_len(b) &&
	       memcmp(a->value, b->value, kind_len(a)) == 0;
}

static void put_time(double ns)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	size_t unit = 0;

	for (; ns >= 1000 && unit < 3; unit++)
		ns /= 1000;
	printf("%6.*f %-2s", ns < 10 ? 2 : ns < 100 ? 1 : 0, ns, units[unit]);
}

static void draw(const struct line *lines, size_t count)
{
	double all = 0, most = 1, seen = 0;
	int name_len = (int)kind_len(lines) - (int)strlen("of=");

	for (size_t i = 0; i < count; i++) {
		double here = rows_number(&lines[i], "count");

		all += here;
		most = here > most ? here : most;
	}
	plain_say(stdout, "%.*s time of %.0f questions", name_len > 0 ? name_len : 0,
	          name_len > 0 ? lines->value + strlen("of=") : "", all);
	for (size_t i = 0; i < count; i++) {
		double here = rows_number(&lines[i], "count");
		int bar = (int)(here / most * BAR);

		seen += here;
		put_time(rows_number(&lines[i], "from_ns"));
		fputs(" to ", stdout);
		put_time(rows_number(&lines[i], "to_ns"));
		printf(" %10.0f %6.2f %% ", here, all > 0 ? seen / all * 100 : 0);
		for (int n = 0; n < (bar > 0 ? bar : 1); n++)
			putchar('#');
		putchar('\n');
	}
}

size_t show_histogram(const struct line *lines, size_t count)
{
	size_t at = 0;

	while (at < count && strcmp(lines[at].key, "bucket") == 0) {
		size_t alike = 1;

		while (at + alike < count && is_alike(&lines[at], &lines[at + alike]))
			alike++;
		draw(&lines[at], alike);
		at += alike;
	}
	return at;
}

/* Between two texts; where a daemon of another version does not tell it, nothing. */
static void put_field(const struct line *line, const char *before, const char *name, const char *after)
{
	struct field field;

	if (!rows_find(line, name, &field))
		return;
	fputs(before, stdout);
	plain_put(stdout, field.value, field.value_len);
	fputs(after, stdout);
}

size_t show_finding(const struct line *line)
{
	put_field(line, "", "about", ": ");
	put_field(line, "", "what", "");
	put_field(line, " [", "level", "]");
	put_field(line, "\n\t", "mend", "\n");
	return 1;
}
