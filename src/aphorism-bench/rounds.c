/*
 * rounds.c - the rounds of one cell, until they become its figures.
 */
#include "aphorism-bench/rounds.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 1000, ORDERED = 6 };

struct rounds {
	struct cell cell;                 /* names, counts, extremes */
	uint32_t saturated_rounds;
	double seconds, switches, system_us, cpu_us, counted_answers;
	uint64_t idle_pss_bytes;          /* beside the cell's largest pss_bytes */
	double rates[ROUNDS], tails_us[ROUNDS], cpus_us[ROUNDS], never_served[ROUNDS];
	struct histogram response, service;
};

const double cell_percentiles[CELL_CURVE] = {
	0, 10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 85, 90, 92.5, 95, 97, 98, 99, 99.5, 99.7, 99.9, 99.95, 99.99, 100,
};

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Half the width for few values: Student's quantile by the standard error of a median, which is wider than a mean's. */
static double student_width(const double *values, size_t n)
{
	static const double factor[ORDERED] = { NAN, NAN, 8.98, 2.88, 1.74, 1.49 };
	double mean = 0, squares = 0;

	for (size_t i = 0; i < n; i++)
		mean += values[i] / (double)n;
	for (size_t i = 0; i < n; i++)
		squares += (values[i] - mean) * (values[i] - mean);
	return factor[n] * sqrt(squares / (double)(n > 1 ? n - 1 : 1));
}

/* How many values to leave out at each end, so that the rest encloses the median with 95 %. */
static size_t left_out(size_t n)
{
	double probability = pow(0.5, (double)n), below = probability;
	size_t out = 0;

	while (out < n / 2) {
		probability *= (double)(n - out) / (double)(out + 1);
		if (2 * (below + probability) > 0.05)
			break;
		below += probability;
		out++;
	}
	return out;
}

struct figure rounds_figure(double *values, size_t count)
{
	struct figure figure = { NAN, NAN, NAN };
	size_t n = 0;

	for (size_t i = 0; i < count; i++)
		if (!isnan(values[i]))
			values[n++] = values[i];
	if (n == 0)
		return figure;
	qsort(values, n, sizeof *values, by_value);
	figure.value = (values[(n - 1) / 2] + values[n / 2]) / 2;
	if (n >= ORDERED) {
		figure.low = values[left_out(n)];
		figure.high = values[n - 1 - left_out(n)];
	} else {
		double width = student_width(values, n);

		figure.low = width > figure.value ? 0 : figure.value - width;
		figure.high = figure.value + width;
	}
	return figure;
}

struct rounds *rounds_new(const char *model, const char *scenario, const struct crowd *crowd)
{
	struct rounds *rounds = calloc(1, sizeof *rounds);

	if (!rounds)
		return NULL;
	snprintf(rounds->cell.model, sizeof rounds->cell.model, "%s", model);
	snprintf(rounds->cell.scenario, sizeof rounds->cell.scenario, "%s", scenario);
	rounds->cell.connections = crowd->connections;
	rounds->cell.pipeline = crowd->pipeline;
	rounds->cell.rate = crowd->rate;
	rounds->cell.fairness = NAN;
	return rounds;
}

void rounds_free(struct rounds *rounds)
{
	free(rounds);
}

static void keep_largest(uint64_t *largest, uint64_t value)
{
	if (value > *largest)
		*largest = value;
}

static void keep_most(uint32_t *most, uint32_t value)
{
	if (value > *most)
		*most = value;
}

static double add_cost(struct rounds *rounds, const struct cost *cost, uint64_t answers)
{
	struct cell *cell = &rounds->cell;

	cell->has_cost = true;
	keep_most(&cell->processes, cost->processes);
	keep_most(&cell->threads, cost->threads);
	keep_largest(&cell->rss_bytes, cost->rss_bytes);
	if (cost->pss_bytes > cell->pss_bytes) {
		cell->pss_bytes = cost->pss_bytes;
		rounds->idle_pss_bytes = cost->idle_pss_bytes;
	}
	if (!isnan(cost->system_share)) {
		rounds->system_us += cost->cpu_us * cost->system_share;
		rounds->cpu_us += cost->cpu_us;
	}
	if (!isnan(cost->switches)) {
		rounds->switches += cost->switches;
		rounds->counted_answers += (double)answers;
	}
	return answers > 0 ? cost->cpu_us / (double)answers : NAN;
}

void rounds_add(struct rounds *rounds, const struct load_result *result, const struct cost *cost)
{
	const struct crowd_result *crowd = &result->crowds[0];
	struct cell *cell = &rounds->cell;
	uint32_t round = cell->rounds;

	if (round == ROUNDS)
		return;
	cell->rounds++;
	rounds->rates[round] = result->seconds > 0 ? (double)crowd->answers / result->seconds : NAN;
	rounds->tails_us[round] = histogram_percentile(&crowd->response, 99) / 1000;
	rounds->cpus_us[round] = cost ? add_cost(rounds, cost, crowd->answers) : NAN;
	rounds->seconds += result->seconds;
	rounds->saturated_rounds += result->saturated;
	histogram_merge(&rounds->response, &crowd->response);
	histogram_merge(&rounds->service, &crowd->service);
	cell->answers += crowd->answers;
	cell->unasked += crowd->unasked;
	for (int i = 0; i < LOAD_ERRORS; i++)
		cell->errors[i] += crowd->errors[i];
	rounds->never_served[round] = crowd->never_served;
	keep_largest(&cell->longest_wait_us, crowd->longest_wait_us);
	cell->fairness = fmin(cell->fairness, crowd->fairness);
}

uint32_t rounds_count(const struct rounds *rounds)
{
	return rounds->cell.rounds;
}

static double share(double part, double whole)
{
	return whole > 0 ? part / whole : NAN;
}

static struct figure figure_of(const double *values, size_t count)
{
	double sorted[ROUNDS];

	for (size_t i = 0; i < count; i++)
		sorted[i] = values[i];
	return rounds_figure(sorted, count);
}

void rounds_fill(const struct rounds *rounds, struct cell *cell)
{
	const struct histogram *response = &rounds->response;
	uint64_t idle = rounds->idle_pss_bytes;
	uint64_t above = rounds->cell.pss_bytes > idle ? rounds->cell.pss_bytes - idle : 0;

	*cell = rounds->cell;
	cell->seconds = rounds->seconds;
	cell->answers_per_second = figure_of(rounds->rates, cell->rounds);
	cell->tail_us = figure_of(rounds->tails_us, cell->rounds);
	cell->cpu_us_per_answer = figure_of(rounds->cpus_us, cell->rounds);
	cell->never_served = cell->rounds > 0 ? (uint32_t)ceil(figure_of(rounds->never_served, cell->rounds).value) : 0;
	cell->p50_us = histogram_percentile(response, 50) / 1000;
	cell->p90_us = histogram_percentile(response, 90) / 1000;
	cell->p99_us = histogram_percentile(response, 99) / 1000;
	cell->p999_us = histogram_percentile(response, 99.9) / 1000;
	cell->max_us = histogram_percentile(response, 100) / 1000;
	cell->service_p50_us = histogram_percentile(&rounds->service, 50) / 1000;
	cell->service_p99_us = histogram_percentile(&rounds->service, 99) / 1000;
	for (int i = 0; i < CELL_CURVE; i++)
		cell->curve_us[i] = histogram_percentile(response, cell_percentiles[i]) / 1000;
	/* a few rounds in which the generator was held up do not move a median */
	cell->saturated = 2 * rounds->saturated_rounds > cell->rounds;
	cell->system_share = share(rounds->system_us, rounds->cpu_us);
	cell->context_switches_per_answer = share(rounds->switches, rounds->counted_answers);
	/* a model that serves a few of a thousand holds a few, and must not look cheap for it */
	cell->bytes_per_connection = cell->pss_bytes > 0 && idle > 0 && cell->never_served == 0
	                                     ? share((double)above, (double)cell->connections) : NAN;
}
