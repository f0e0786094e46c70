/*
 * plots.c - the pictures of a report.
 */
#include "aphorism-bench/plots.h"

#include <math.h>
#include <sysexits.h>

#include "aphorism-bench/show.h"
#include "aphorism-bench/verdict.h"
#include "aphorism-bench/view.h"

/* A picture is as wide as a small telephone, so that its letters are not made smaller there. */
enum { WIDTH = 310, HEIGHT = 220, ROW_HEIGHT = 27, AXIS_HEIGHT = 40 };

/* Where the longest response time stands, in nines: beside 99.99 %, which has 4. */
#define MAX_NINES 4.9

/* A model in a picture: its position among the models, and what the cells are that its points come from. */
struct curve {
	const struct cell *model;
	unsigned position;
	enum standing standing;
	bool any;                         /* points */
};

/* Writes the points of a curve. */
typedef void put_points(struct plots *, const struct cell *block, struct curve *);

/* One doubtful cell makes all of a curve doubtful. */
static bool is_doubtful(enum standing standing)
{
	return standing == VERDICT_VOID || standing == VERDICT_STARVES || standing == VERDICT_FAILS;
}

static void count_point(struct plots *plots, const struct cell *cell, struct curve *curve, double value)
{
	enum standing standing = verdict_standing(cell);

	plots->least = fmin(plots->least, value);
	plots->most = fmax(plots->most, value);
	if (!curve->any || is_doubtful(standing))
		curve->standing = standing;
	curve->any = true;
}

/* A model's name with what is to be held against its figures. */
static const char *put_name(char to[PICTURE_NAME], const struct cell *model, enum standing standing)
{
	const char *doubt = standing == VERDICT_VOID ? " (void)" : standing == VERDICT_STARVES ? " (starves)" :
	                    standing == VERDICT_FAILS ? " (errors)" : "";

	snprintf(to, PICTURE_NAME, "%s%s", model->model, doubt);
	return to;
}

/* Writes the points of all models; returns how many these are. */
static unsigned put_data(struct plots *plots, put_points *put, const struct cell *block,
                         struct curve curves[PICTURE_CURVES])
{
	const struct cell *model = NULL;
	unsigned count = 0;

	plots->least = INFINITY;
	plots->most = -INFINITY;
	for (; count < PICTURE_CURVES && (model = view_next_model(plots->record, model)); count++) {
		curves[count] = (struct curve){ .model = model, .position = count };
		fprintf(plots->picture.script, "$m%u << EOD\n", count);
		put(plots, block, &curves[count]);
		fputs("EOD\n", plots->picture.script);
	}
	return count;
}

/*
 * Completes the picture with a curve for each model that has points; its line type is its own even where others have
 * none. Above all curves come the labels, if any.
 */
static int plot(struct plots *plots, const struct curve *curves, unsigned count, const char *how, const char *labels)
{
	struct picture *picture = &plots->picture;

	for (const struct curve *curve = curves; curve < curves + count; curve++) {
		struct picture_curve *drawn = &picture->curves[picture->curve_count];

		if (!curve->any)
			continue;
		put_name(drawn->name, curve->model, curve->standing);
		drawn->line = curve->position % PICTURE_LINES;
		fprintf(picture->script, "%s$m%u %s lt %u", picture->curve_count == 0 ? "plot " : ", ", curve->position,
		        how, drawn->line + 1);
		picture->curve_count++;
	}
	for (const struct curve *curve = curves; labels && curve < curves + count; curve++)
		if (curve->any)
			fprintf(picture->script, ", $m%u %s", curve->position, labels);
	putc('\n', picture->script);
	return picture_end(picture, plots->page);
}

static void caption(struct picture *picture, const char *what, const struct cell *block)
{
	char count[SHOW_TEXT];

	snprintf(picture->caption, sizeof picture->caption, "%s, %s connection%s", what,
	         show_count(count, block->connections), block->connections == 1 ? "" : "s");
}

/* Connections, thousand answers a second, its interval. */
static void put_throughput(struct plots *plots, const struct cell *block, struct curve *curve)
{
	for (; block; block = view_next_block(block)) {
		const struct cell *cell = view_cell(block, curve->model);
		struct figure figure = cell ? cell->answers_per_second : (struct figure){ .value = NAN };

		if (!isfinite(figure.value))
			continue;
		fprintf(plots->picture.script, "%u %g %g %g\n", cell->connections, figure.value / 1e3,
		        (isfinite(figure.low) ? figure.low : figure.value) / 1e3,
		        (isfinite(figure.high) ? figure.high : figure.value) / 1e3);
		count_point(plots, cell, curve, figure.value);
	}
}

int plots_throughput(struct plots *plots, const struct cell *block)
{
	struct picture *picture = &plots->picture;
	struct curve curves[PICTURE_CURVES];
	uint32_t most = view_largest(block)->connections, least = most;
	unsigned count;
	int status;

	for (const struct cell *other = block; other; other = view_next_block(other))
		least = other->connections < least ? other->connections : least;
	if (least == most)
		return EX_OK;
	status = picture_begin(picture, WIDTH, HEIGHT);
	if (status != EX_OK)
		return status;
	snprintf(picture->caption, sizeof picture->caption, "thousand answers a second over connections");
	fprintf(picture->script, "set logscale x\nset xrange [%g:%g]\nset xtics (%u",
	        least / 1.3, most * 1.3, block->connections);
	for (const struct cell *other = block; (other = view_next_block(other));)
		fprintf(picture->script, ", %u", other->connections);
	fputs(")\n", picture->script);
	count = put_data(plots, put_throughput, block, curves);
	fprintf(picture->script, "set yrange [0:%s]\n", plots->most > 0 ? "0.001<*" : "1");
	return plot(plots, curves, count, "using 1:2:3:4 with yerrorlines", NULL);
}

/* Nines, seconds. */
static void put_latency(struct plots *plots, const struct cell *block, struct curve *curve)
{
	const struct cell *cell = view_cell(block, curve->model);

	for (size_t i = 0; cell && i < CELL_CURVE; i++) {
		double percentile = cell_percentiles[i];

		if (!isfinite(cell->curve_us[i]) || cell->curve_us[i] <= 0)
			continue;
		fprintf(plots->picture.script, "%g %g\n", percentile < 100 ? -log10(1 - percentile / 100) : MAX_NINES,
		        cell->curve_us[i] / 1e6);
		count_point(plots, cell, curve, cell->curve_us[i] / 1e6);
	}
}

int plots_latency(struct plots *plots, const struct cell *block)
{
	struct picture *picture = &plots->picture;
	struct curve curves[PICTURE_CURVES];
	int status = picture_begin(picture, WIDTH, HEIGHT);
	unsigned count;

	if (status != EX_OK)
		return status;
	caption(picture, "response time over percentiles", block);
	count = put_data(plots, put_latency, block, curves);
	/* whole decades, at least one */
	fprintf(picture->script,
	        "set logscale y\n"
	        "set format y '%%.0s%%cs'\n"
	        "set yrange [1e%.0f:1e%.0f]\n"
	        "set xrange [0:%g]\n"
	        "set xtics ('50' 0.301, '90' 1, '99' 2, '99.9' 3, '99.99' 4, 'max' %g)\n",
	        floor(log10(plots->least)), floor(log10(plots->most)) + 1, MAX_NINES + 0.1, MAX_NINES);
	return plot(plots, curves, count, "using 1:2 with linespoints pointinterval 5", NULL);
}

/* A bar: its length, its position, and the figure in words. */
static void put_bar(struct plots *plots, const struct cell *cell, struct curve *curve, double value, const char *text)
{
	if (!isfinite(value))
		return;
	fprintf(plots->picture.script, "%g %u \"%s\"\n", value, curve->position, text);
	count_point(plots, cell, curve, value);
}

static void put_cpu(struct plots *plots, const struct cell *block, struct curve *curve)
{
	const struct cell *cell = view_cell(block, curve->model);
	char text[SHOW_TEXT];

	if (cell)
		put_bar(plots, cell, curve, cell->cpu_us_per_answer.value,
		        show_duration(text, cell->cpu_us_per_answer.value));
}

static void put_memory(struct plots *plots, const struct cell *block, struct curve *curve)
{
	const struct cell *cell = view_cell(block, curve->model);
	char text[SHOW_TEXT];

	if (cell)
		put_bar(plots, cell, curve, cell->bytes_per_connection, show_bytes(text, cell->bytes_per_connection));
}

/* Horizontal bars, a row for each model; at their ends there must be room for the labels. */
static int draw_bars(struct plots *plots, put_points *put, const struct cell *block)
{
	struct picture *picture = &plots->picture;
	struct curve curves[PICTURE_CURVES];
	const struct cell *model = NULL;
	int rows = 0, status;
	unsigned count;

	while (rows < PICTURE_CURVES && (model = view_next_model(plots->record, model)))
		rows++;
	status = picture_begin(picture, WIDTH, rows * ROW_HEIGHT + AXIS_HEIGHT);
	if (status != EX_OK)
		return status;
	picture->has_key = false;
	fputs("set ytics scale 0 (", picture->script);
	model = NULL;
	for (int row = 0; row < rows; row++) {
		enum standing standing = VERDICT_BEHIND;
		const struct cell *cell;
		char name[PICTURE_NAME];

		model = view_next_model(plots->record, model);
		cell = view_cell(block, model);
		if (cell)
			standing = verdict_standing(cell);
		picture_put_tic(picture, put_name(name, model, standing));
		fprintf(picture->script, " %d%s", row, row + 1 < rows ? ", " : ")\n");
	}
	count = put_data(plots, put, block, curves);
	fprintf(picture->script,
	        "set yrange [%d.5:-0.5]\n"
	        "set xrange [0:%g]\n"
	        "set border 2\n"
	        "unset grid\n"
	        "unset xtics\n"
	        "set style fill solid noborder\n",
	        rows - 1, plots->most > 0 ? 1.35 * plots->most : 1);
	return plot(plots, curves, count, "using 1:2:(0):1:($2-0.36):($2+0.36) with boxxyerror",
	            "using 1:2:3 with labels left offset 0.4,0");
}

int plots_cpu(struct plots *plots, const struct cell *block)
{
	caption(&plots->picture, "the server's CPU time for an answer", block);
	return draw_bars(plots, put_cpu, block);
}

int plots_memory(struct plots *plots, const struct cell *block)
{
	caption(&plots->picture, "the server's memory for a connection", block);
	return draw_bars(plots, put_memory, block);
}

/* Fairness, row; those of one row stand a little below each other. */
static void put_fairness(struct plots *plots, const struct cell *block, struct curve *curve)
{
	int row = 0;

	for (block = NULL; (block = view_next_scenario(plots->record, block)); row++) {
		const struct cell *cell = view_cell(view_largest(block), curve->model);

		if (!cell || !isfinite(cell->fairness))
			continue;
		fprintf(plots->picture.script, "%g %g\n", cell->fairness, row - 0.36 + 0.12 * (curve->position % 7));
		count_point(plots, cell, curve, cell->fairness);
	}
	curve->standing = VERDICT_BEHIND;         /* nothing is to be held against all of them */
}

int plots_fairness(struct plots *plots)
{
	struct picture *picture = &plots->picture;
	struct curve curves[PICTURE_CURVES];
	const struct cell *block = NULL;
	int rows = 0, status;

	while ((block = view_next_scenario(plots->record, block)))
		rows++;
	status = picture_begin(picture, WIDTH, rows * ROW_HEIGHT + AXIS_HEIGHT);
	if (status != EX_OK)
		return status;
	snprintf(picture->caption, sizeof picture->caption,
	         "Jain's fairness index in each scenario, at its largest number of connections: 1 is fair");
	fputs("set ytics scale 0 (", picture->script);
	for (int row = 0; row < rows; row++) {
		block = view_next_scenario(plots->record, block);
		picture_put_tic(picture, block->scenario);
		fprintf(picture->script, " %d%s", row, row + 1 < rows ? ", " : ")\n");
	}
	fprintf(picture->script, "set yrange [%d.5:-0.5]\nset xrange [0:1.02]\nset xtics 0.25\n", rows - 1);
	return plot(plots, curves, put_data(plots, put_fairness, NULL, curves), "using 1:2 with points", NULL);
}
