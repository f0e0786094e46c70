/*
 * explain.c - the subcommand `explain`: what the manual says of a model, and what was measured of it.
 */
#include "aphorism-bench/explain.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorism-bench/capture.h"
#include "aphorism-bench/json.h"
#include "aphorism-bench/last.h"
#include "aphorism-bench/show.h"
#include "common/clock.h"
#include "common/nearest.h"
#include "common/plain.h"

enum { PAGE = 256 * 1024, FORMAT_US = 20 * CLOCK_S, HEADING = 4 };

static const char chapter[] = "THE MODELS";

/* ---- the manual's page ---- */

/* Bold and underlined letters are struck twice: x BACKSPACE x. */
static void strip_overstrike(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (*from == '\b' && to > text)
			to--;
		else
			*to++ = *from;
	}
	*to = '\0';
}

static bool format(char *page, const char *formatter, const char *operand, const char *name)
{
	const char *const command[] = { formatter, operand, name, NULL };

	if (capture(command, page, PAGE, FORMAT_US) != 0)
		return false;
	strip_overstrike(page);
	return strstr(page, chapter) != NULL;
}

/* The page of the tree that this program was built in or installed to; else the one that man(1) finds. */
static bool read_page(char *page)
{
	static const char *const candidates[] = {
		"man/aphorismd-models.7",
		"../share/man/man7/aphorismd-models.7",
		"../share/man/man7/aphorismd-models.7.gz",
	};
	char here[PATH_MAX], path[PATH_MAX + 64];
	ssize_t len = readlink("/proc/self/exe", here, sizeof here - 1);

	here[len > 0 ? len : 0] = '\0';
	if (strrchr(here, '/'))
		*strrchr(here, '/') = '\0';
	for (size_t i = 0; i < sizeof candidates / sizeof candidates[0]; i++) {
		snprintf(path, sizeof path, "%s/%s", here, candidates[i]);
		if (access(path, R_OK) == 0 && (format(page, "mandoc", path, NULL) || format(page, "man", path, NULL)))
			return true;
	}
	return format(page, "man", "7", "aphorismd-models");
}

static int indent(const char *line)
{
	return (int)strspn(line, " ");
}

static bool is_blank(const char *line)
{
	return line[indent(line)] == '\n' || line[indent(line)] == '\0';
}

static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end ? end + 1 : line + strlen(line);
}

/* The next heading below the chapter's own, from a line on; NULL when the chapter ends. */
static const char *find_heading(const char *line)
{
	for (; *line; line = next_line(line)) {
		if (is_blank(line))
			continue;
		if (indent(line) == 0)
			return NULL;
		if (indent(line) < HEADING)
			return line;
	}
	return NULL;
}

static void copy_heading(char *to, size_t size, const char *line)
{
	size_t len = strcspn(line += indent(line), "\n");

	while (len > 0 && isspace((unsigned char)line[len - 1]))
		len--;
	snprintf(to, size, "%.*s", (int)len, line);
}

/* Offers the names that it passes; `names` keeps them. */
static bool print_section(const char *page, const char *model, struct nearest *near, char names[][CELL_NAME],
                          size_t most)
{
	const char *line = next_line(strstr(page, chapter));
	size_t count = 0;

	for (line = find_heading(line); line && count < most; line = find_heading(line), count++) {
		copy_heading(names[count], CELL_NAME, line);
		nearest_offer(near, names[count]);
		line = next_line(line);
		if (strcmp(names[count], model) != 0)
			continue;
		printf("%s\n", model);
		for (; *line && (is_blank(line) || indent(line) >= HEADING); line = next_line(line))
			printf("%.*s", (int)(next_line(line) - line), line);
		return true;
	}
	return false;
}

/* ---- the figures ---- */

static void print_cell(const struct cell *cell)
{
	char rate[SHOW_TEXT], tail[SHOW_TEXT], cpu[SHOW_TEXT], memory[SHOW_TEXT], remark[SHOW_REMARK];

	printf("  %-10s %6u %10s %8s %8s %8s  %s\n", cell->scenario, cell->connections,
	       show_count(rate, cell->answers_per_second.value), show_duration(tail, cell->p99_us),
	       show_duration(cpu, cell->cpu_us_per_answer.value),
	       cell->pss_bytes > 0 ? show_bytes(memory, (double)cell->pss_bytes) : "-",
	       show_remark(remark, cell));
}

static bool print_figures(const struct record *record, const char *model)
{
	bool any = false;

	for (size_t i = 0; i < record->cell_count; i++) {
		const struct cell *cell = &record->cells[i];

		if (strcmp(cell->model, model) != 0)
			continue;
		if (!any)
			printf("Measured on %s (%s, %s):\n\n"
			       "  scenario    conns  answers/s      p99      CPU   memory\n",
			       record->date, record->machine, record->server);
		any = true;
		print_cell(cell);
	}
	return any;
}

/* Returns EX_OK too when there are none yet. */
static int read_figures(struct record *record, const char *from)
{
	char path[PATH_MAX];

	*record = (struct record){ 0 };
	if (from)
		return json_read(record, from);
	if (last_path(path, false) && access(path, R_OK) == 0)
		return json_read(record, path);
	return EX_OK;
}

int explain_main(const struct options *options)
{
	static char page[PAGE], names[OPTIONS_LIST][CELL_NAME];
	const char *model = options->operand;
	struct nearest near = { .name = model };
	bool printed = false, has_page = read_page(page), measured;
	struct record record;
	int status = read_figures(&record, options->from);

	if (status != EX_OK)
		return status;
	if (has_page)
		printed = print_section(page, model, &near, names, OPTIONS_LIST);
	else
		fputs("aphorism-bench: aphorismd-models(7) can't be shown: the page, or man(1) or mandoc(1), "
		      "is missing\n", stderr);
	for (size_t i = 0; i < record.cell_count; i++)
		nearest_offer(&near, record.cells[i].model);
	measured = print_figures(&record, model);
	if (printed && !measured)
		puts("No figures yet: aphorism-bench compare --quick measures them.");
	else if (!printed && !measured)
		status = options_unknown("model", &near, "aphorismd --list-models");
	record_free(&record);
	return status;
}
