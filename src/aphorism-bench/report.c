/*
 * report.c - a record as one HTML file that needs nothing else.
 */
#include "aphorism-bench/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "aphorism-bench/advice.h"
#include "aphorism-bench/column.h"
#include "aphorism-bench/html.h"
#include "aphorism-bench/json.h"
#include "aphorism-bench/out.h"
#include "aphorism-bench/plots.h"
#include "aphorism-bench/publish.h"
#include "aphorism-bench/scenario.h"
#include "aphorism-bench/verdict.h"
#include "aphorism-bench/view.h"

/* A row of a list of terms, without those that nothing is known of. */
static void put_term(FILE *page, const char *term, const char *text)
{
	if (*text == '\0')
		return;
	fprintf(page, "<dt>%s</dt><dd>", term);
	html_text(page, text);
	fputs("</dd>\n", page);
}

static void put_head(const struct record *record, FILE *page)
{
	char memory[SHOW_TEXT], text[2 * SHOW_TEXT];

	fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
	      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	      "<link rel=\"icon\" href=\"data:,\">\n<title>aphorism-bench: ", page);
	html_text(page, record->server);
	fputs("</title>\n<style>\n", page);
	fputs(html_style, page);
	for (int i = 0; i < PICTURE_LINES; i++)
		fprintf(page, "svg [stroke=\"rgb(  0,   0, %3d)\"]{stroke:var(--m%d)}"
		        "svg [fill=\"rgb(  0,   0, %3d)\"]{fill:var(--m%d)}"
		        "svg [color=\"rgb(  0,   0, %3d)\"]{color:var(--m%d)}\n", i, i, i, i, i, i);
	fputs("svg [stroke=\"rgb(  0,   0, 255)\"]{stroke:var(--rule)}\n</style>\n</head>\n<body>\n<h1>", page);
	html_text(page, record->server);
	fputs("</h1>\n<dl>\n", page);
	snprintf(text, sizeof text, "%u CPU%s, %s of memory", record->cpus, record->cpus == 1 ? "" : "s",
	         show_bytes(memory, (double)record->memory_bytes));
	put_term(page, "machine", record->machine);
	put_term(page, "", text);
	put_term(page, "kernel", record->kernel);
	put_term(page, "date", record->date);
	put_term(page, "command", record->command);
	put_term(page, "measured by", record->version);
	fputs("</dl>\n", page);
	if (!record->complete)
		fputs("<p class=\"warn\">It ended early: this is what was done by then.</p>\n", page);
}

static void put_verdict(const struct record *record, FILE *page)
{
	struct advice advice[ADVICE_MOST];
	size_t count = advice_make(record, advice, ADVICE_MOST);

	if (count == 0)
		return;
	fputs("<h2 id=\"verdict\">Which model for which workload</h2>\n<div class=\"cards\">\n", page);
	for (size_t i = 0; i < count; i++) {
		fputs("<div class=\"card\"><h3>", page);
		html_text(page, advice[i].workload);
		fprintf(page, ": %s", *advice[i].model ? "<strong>" : "none");
		html_text(page, advice[i].model);
		fprintf(page, "%s</h3>\n<p>", *advice[i].model ? "</strong>" : "");
		html_text(page, advice[i].reason);
		fputs("</p>\n", page);
		if (*advice[i].lines) {
			fputs("<pre>", page);
			html_text(page, advice[i].lines);
			fputs("</pre>\n", page);
		}
		fputs("</div>\n", page);
	}
	fputs("</div>\n", page);
}

static const char *row_class(enum standing standing)
{
	switch (standing) {
	case VERDICT_BEST:
		return "best";
	case VERDICT_TIE:
		return "tie";
	case VERDICT_VOID:
	case VERDICT_STARVES:
	case VERDICT_FAILS:
		return "bad";
	default:
		return "";
	}
}

static void put_row(const struct cell *cell, FILE *page)
{
	char text[SHOW_TEXT], remark[SHOW_REMARK];

	fprintf(page, "<tr class=\"%s\"><th scope=\"row\">", row_class(verdict_standing(cell)));
	html_text(page, cell->model);
	fputs("</th><td>", page);
	html_text(page, show_remark(remark, cell));
	fputs("</td>", page);
	for (const struct column *column = columns; column->name; column++)
		fprintf(page, "<td>%s</td>", column->show(text, cell));
	fputs("</tr>\n", page);
}

static void put_table(const struct record *record, const struct cell *block, FILE *page)
{
	char text[SHOW_BLOCK];

	fputs("<h3>", page);
	html_text(page, show_block(text, block));
	fputs("</h3>\n<div class=\"box\" tabindex=\"0\"><table>\n"
	      "<thead><tr><th scope=\"col\">model</th><th></th>", page);
	for (const struct column *column = columns; column->name; column++) {
		fputs("<th scope=\"col\" title=\"", page);
		html_text(page, column->meaning);
		fprintf(page, "\">%s</th>", column->name);
	}
	fputs("</tr></thead>\n<tbody>\n", page);
	for (const struct cell *model = NULL; (model = view_next_model(record, model));) {
		const struct cell *cell = view_cell(block, model);

		if (cell)
			put_row(cell, page);
	}
	fputs("</tbody></table></div>\n", page);
}

/* A scenario's story, pictures and tables. */
static int put_scenario(struct plots *plots, const struct cell *block)
{
	const struct scenario *scenario = scenario_find(block->scenario);
	const struct cell *largest = view_largest(block);
	FILE *page = plots->page;
	int status;

	fputs("<section id=\"", page);
	html_text(page, block->scenario);
	fputs("\">\n<h2>", page);
	html_text(page, block->scenario);
	fputs("</h2>\n<p>", page);
	html_text(page, scenario ? scenario->story : "");
	fputs("</p>\n<div class=\"cards\">\n", page);
	status = plots_throughput(plots, block);
	if (status == EX_OK)
		status = plots_latency(plots, largest);
	if (status == EX_OK)
		status = plots_cpu(plots, largest);
	if (status == EX_OK && largest != block)
		status = plots_memory(plots, largest);
	fputs("</div>\n", page);
	for (; block; block = view_next_block(block))
		put_table(plots->record, block, page);
	fputs("</section>\n", page);
	return status;
}

static void put_contents(const struct record *record, FILE *page)
{
	fputs("<nav>", page);
	for (const struct cell *block = NULL; (block = view_next_scenario(record, block));) {
		fputs("<a href=\"#", page);
		html_text(page, block->scenario);
		fputs("\">", page);
		html_text(page, block->scenario);
		fputs("</a>", page);
	}
	fputs("<a href=\"#fairness\">fairness</a><a href=\"#words\">words</a></nav>\n", page);
}

static void put_words(FILE *page)
{
	char text[SHOW_TEXT];

	fputs("<section id=\"words\">\n<h2>What the words mean</h2>\n<dl>\n", page);
	for (const struct column *column = columns; column->name; column++)
		put_term(page, column->name, column->meaning);
	put_term(page, "tie", "the intervals overlap: the differences are within the noise");
	put_term(page, "never served", "clients that waited and got no answer, however quick others were served");
	put_term(page, "generator saturated",
	         "the clients were the bottleneck, or were held up: the server is no worse than it looks");
	put_term(page, "not asked", "so many waited already, or the clients were late: they count with their wait");
	for (enum load_error i = 0; i < LOAD_ERRORS; i++)
		put_term(page, show_error(text, i), load_error_names[i].meaning);
	fputs("</dl>\n</section>\n", page);
}

static int put_page(const struct record *record, FILE *page)
{
	struct plots plots = { .record = record, .page = page };
	int status = EX_OK;

	put_head(record, page);
	put_contents(record, page);
	put_verdict(record, page);
	for (const struct cell *block = NULL; status == EX_OK && (block = view_next_scenario(record, block));)
		status = put_scenario(&plots, block);
	if (status == EX_OK) {
		fputs("<section id=\"fairness\">\n<h2>fairness</h2>\n<div class=\"cards\">\n", page);
		status = plots_fairness(&plots);
		fputs("</div>\n</section>\n", page);
	}
	put_words(page);
	fputs("</body>\n</html>\n", page);
	return status;
}

int report_write(const struct record *record, const char *file)
{
	struct out out;
	int status = out_open(&out, file);

	if (status != EX_OK)
		return status;
	status = put_page(record, out.file);
	if (status == EX_OK)
		return out_close(&out);
	out_abandon(&out);
	return status;
}

int report_try(const char *file)
{
	int status = picture_try();

	return status == EX_OK ? out_try(file) : status;
}

/* The file's name with .html in place of .json, to be freed; standard input's report goes to standard output. */
static char *name_beside(const char *file)
{
	size_t len = strlen(file);
	char *name = NULL;

	if (strcmp(file, "-") == 0)
		return strdup(file);
	if (len > 5 && strcmp(file + len - 5, ".json") == 0)
		len -= 5;
	return asprintf(&name, "%.*s.html", (int)len, file) < 0 ? NULL : name;
}

int report_main(const struct options *options)
{
	struct options chosen = *options;
	struct record record;
	char *beside = NULL;
	int status = json_read(&record, options->operand);

	if (status != EX_OK)
		return status;
	if (!chosen.json && !chosen.csv && !chosen.report) {
		beside = name_beside(options->operand);
		chosen.report = beside;
	}
	status = publish_record(&record, &chosen);
	free(beside);
	record_free(&record);
	return status;
}
