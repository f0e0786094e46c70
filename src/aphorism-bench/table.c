/*
 * table.c - a record for a reader at a terminal.
 */
#include "aphorism-bench/table.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "aphorism-bench/column.h"
#include "aphorism-bench/scenario.h"
#include "aphorism-bench/verdict.h"
#include "aphorism-bench/view.h"

/* Room beside the figures for a remark; a longer one stands on a line of its own, and below ROOMY each does. */
enum { WIDTH = 80, ROOMY = 72, NARROWEST = 40, WIDEST = 1000, REMARK = 26, INDENT = 2 };

struct layout {
	FILE *file;
	const struct record *record;
	int width, model_width;
	int lowest_rank;                  /* of the columns that fit */
};

/* Of the terminal; elsewhere what COLUMNS says. */
static int find_width(FILE *file)
{
	const char *columns_text = getenv("COLUMNS");
	struct winsize size;
	int width = 0;

	if (isatty(fileno(file)) == 1 && ioctl(fileno(file), TIOCGWINSZ, &size) == 0)
		width = size.ws_col;
	else if (columns_text)
		width = atoi(columns_text);
	return width == 0 ? WIDTH : width < NARROWEST ? NARROWEST : width > WIDEST ? WIDEST : width;
}

/*
 * Takes columns by their rank for as long as they fit, so that a wider terminal shows all that a narrower one does.
 */
static void choose_columns(struct layout *layout)
{
	int room = layout->width - INDENT - layout->model_width - (layout->width < ROOMY ? 0 : REMARK);

	for (layout->lowest_rank = 0;; layout->lowest_rank++) {
		const struct column *next = columns;

		while (next->name && next->rank != layout->lowest_rank + 1)
			next++;
		if (!next->name || (room -= next->width) < 0)
			return;
	}
}

/* Breaks the text where the line is full. */
static void put_wrapped(const struct layout *layout, const char *text, int indent)
{
	int column = 0;

	while (*text) {
		int len = (int)strcspn(text, " ");

		if (column > 0 && column + 1 + len > layout->width) {
			putc('\n', layout->file);
			column = 0;
		}
		column += fprintf(layout->file, "%*s%.*s", column > 0 ? 1 : indent, "", len, text);
		text += len;
		text += strspn(text, " ");
	}
	putc('\n', layout->file);
}

static bool is_shown(const struct layout *layout, const struct column *column)
{
	return column->rank <= layout->lowest_rank;
}

static void put_heading(const struct layout *layout, const struct cell *block)
{
	char text[SHOW_BLOCK];

	putc('\n', layout->file);
	put_wrapped(layout, show_block(text, block), 0);
	fprintf(layout->file, "%*s%-*s", INDENT, "", layout->model_width, "model");
	for (const struct column *column = columns; column->name; column++)
		if (is_shown(layout, column))
			fprintf(layout->file, "%*s", column->width, column->name);
	putc('\n', layout->file);
}

static char mark(enum standing standing)
{
	switch (standing) {
	case VERDICT_BEST:
		return '*';
	case VERDICT_TIE:
		return '=';
	case VERDICT_VOID:
	case VERDICT_STARVES:
	case VERDICT_FAILS:
		return '!';
	default:
		return ' ';
	}
}

static void put_row(const struct layout *layout, const struct cell *cell)
{
	char text[SHOW_TEXT], remark[SHOW_REMARK];
	int used = INDENT + layout->model_width;

	fprintf(layout->file, "%c %-*s", mark(verdict_standing(cell)), layout->model_width,
	        cell->model);
	for (const struct column *column = columns; column->name; column++) {
		if (is_shown(layout, column)) {
			fprintf(layout->file, "%*s", column->width, column->show(text, cell));
			used += column->width;
		}
	}
	show_remark(remark, cell);
	if (*remark && used + 2 + (int)strlen(remark) > layout->width) {
		putc('\n', layout->file);
		put_wrapped(layout, remark, 2 * INDENT);
	} else {
		fprintf(layout->file, "%s%s\n", *remark ? "  " : "", remark);
	}
}

/* What the kinds of errors mean that occurred in the scenario. */
static void put_meanings(const struct layout *layout, const char *scenario)
{
	const struct record *record = layout->record;
	char name[SHOW_TEXT], text[256];

	for (enum load_error i = 0; i < LOAD_ERRORS; i++) {
		const struct cell *cell = record->cells, *end = cell + record->cell_count;

		while (cell < end && (strcmp(cell->scenario, scenario) != 0 || cell->errors[i] == 0))
			cell++;
		if (cell < end) {
			snprintf(text, sizeof text, "%s: %s", show_error(name, i), load_error_names[i].meaning);
			put_wrapped(layout, text, INDENT);
		}
	}
}

static void put_scenario(const struct layout *layout, const struct cell *block)
{
	const struct scenario *scenario = scenario_find(block->scenario);
	const char *name = block->scenario;

	if (scenario) {
		putc('\n', layout->file);
		put_wrapped(layout, scenario->story, 0);
	}
	for (; block; block = view_next_block(block)) {
		put_heading(layout, block);
		for (const struct cell *model = NULL; (model = view_next_model(layout->record, model));) {
			const struct cell *cell = view_cell(block, model);

			if (cell)
				put_row(layout, cell);
		}
	}
	put_meanings(layout, name);
}

void table_print(const struct record *record, FILE *file)
{
	struct layout layout = { .file = file, .record = record, .width = find_width(file) };
	const struct cell *model = NULL;
	char conditions[512];
	unsigned models = 0;

	layout.model_width = (int)strlen("model");
	for (; (model = view_next_model(record, model)); models++)
		if ((int)strlen(model->model) > layout.model_width)
			layout.model_width = (int)strlen(model->model);
	choose_columns(&layout);
	snprintf(conditions, sizeof conditions, "%s; %u CPU%s, %s; %s", record->server, record->cpus,
	         record->cpus == 1 ? "" : "s", record->kernel, record->date);
	put_wrapped(&layout, conditions, 0);
	if (!record->complete)
		fputs("ended early: this is what was done by then\n", file);
	for (const struct cell *block = NULL; (block = view_next_scenario(record, block));)
		put_scenario(&layout, block);
	if (models > 1) {
		putc('\n', file);
		put_wrapped(&layout, "* best, = tie (the differences are within the noise), ! not to be relied on", 0);
	}
}
