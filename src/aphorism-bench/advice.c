/*
 * advice.c - which model for which workload, and why.
 */
#include "aphorism-bench/advice.h"

#include <stdarg.h>
#include <string.h>

#include "aphorism-bench/scenario.h"
#include "aphorism-bench/show.h"
#include "aphorism-bench/verdict.h"
#include "aphorism-bench/view.h"

enum { MODELS = 32, USUAL = 64, ENOUGH = 3 };

/* More memory than that of the smallest times this is a difference. */
static const double memory_margin = 1.1;

/* Those that may be advised, narrowed down rule by rule; the first is the one that the figures are told of. */
struct contest {
	const struct record *record;
	const struct cell *block;
	const struct cell *leaders[MODELS];
	size_t count;
};

static bool leads(const struct cell *cell)
{
	enum standing standing = verdict_standing(cell);

	return standing == VERDICT_ALONE || standing == VERDICT_VOID || standing == VERDICT_TIE ||
	       standing == VERDICT_BEST;
}

/* ---- words ---- */

/* Adds what still fits. */
__attribute__((format(printf, 3, 4)))
static void say(char *to, size_t size, const char *format, ...)
{
	size_t len = strlen(to);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(to + len, size - len, format, arguments);
	va_end(arguments);
}

#define SAY(advice, ...) say((advice)->reason, sizeof (advice)->reason, __VA_ARGS__)

/* "a, b and c", without the first. */
static void say_others(struct advice *advice, const struct contest *contest)
{
	for (size_t i = 1; i < contest->count; i++)
		SAY(advice, "%s%s", i == 1 ? "" : i + 1 == contest->count ? " and " : ", ", contest->leaders[i]->model);
}

static const char *merit(char *to, const struct cell *cell)
{
	const struct scenario *scenario = scenario_find(cell->scenario);

	if (scenario && scenario->judge == SCENARIO_BY_TAIL)
		return show_duration(to, cell->tail_us.value);
	return show_count(to, cell->answers_per_second.value);
}

/* ---- the rules, in their order ---- */

/* A model that served exactly one of many clients: whoever connects and says nothing stops it. */
static bool serves_one(const struct record *record, const char *model)
{
	for (size_t i = 0; i < record->cell_count; i++) {
		const struct cell *cell = &record->cells[i];

		if (strcmp(cell->model, model) == 0 && strcmp(cell->scenario, "steady") == 0 && cell->connections > 1 &&
		    cell->never_served + 1 == cell->connections)
			return true;
	}
	return false;
}

static void keep_first(struct contest *contest, size_t first)
{
	const struct cell *cell = contest->leaders[first];

	memmove(&contest->leaders[1], &contest->leaders[0], first * sizeof cell);
	contest->leaders[0] = cell;
}

static size_t gather(struct contest *contest)
{
	size_t serving = 0;

	for (const struct cell *model = NULL; (model = view_next_model(contest->record, model));) {
		const struct cell *cell = view_cell(contest->block, model);

		if (!cell || !verdict_serves(cell))
			continue;
		serving++;
		if (leads(cell) && contest->count < MODELS)
			contest->leaders[contest->count++] = cell;
	}
	return serving;
}

/* Keeps those that `beats` says nobody beats.  Returns the best of the others, or NULL. */
static const struct cell *narrow(struct contest *contest, bool (*beats)(const struct cell *, const struct cell *),
                                 double (*price)(const struct cell *))
{
	const struct cell *kept[MODELS] = { NULL }, *dropped = NULL;
	size_t count = 0, cheapest = 0;

	for (size_t i = 0; i < contest->count; i++) {
		const struct cell *cell = contest->leaders[i];
		bool beaten = false;

		for (size_t j = 0; j < contest->count; j++)
			beaten = beaten || beats(contest->leaders[j], cell);
		if (!beaten)
			kept[count++] = cell;
		else if (!dropped || price(cell) < price(dropped))
			dropped = cell;
	}
	memcpy(contest->leaders, kept, count * sizeof kept[0]);
	contest->count = count;
	for (size_t i = 1; i < count; i++)
		if (price(contest->leaders[i]) < price(contest->leaders[cheapest]))
			cheapest = i;
	if (dropped)
		keep_first(contest, cheapest);
	return dropped;
}

static bool is_cheaper(const struct cell *one, const struct cell *other)
{
	return one->cpu_us_per_answer.high < other->cpu_us_per_answer.low;
}

/* Where workers go, what counts first is how many clients notice. */
static bool is_gentler(const struct cell *one, const struct cell *other)
{
	const struct scenario *scenario = scenario_find(one->scenario);

	return scenario && scenario->event != SCENARIO_CALM && 2 * verdict_errors(one) < verdict_errors(other);
}

static double error_price(const struct cell *cell)
{
	return (double)verdict_errors(cell);
}

static double cpu_price(const struct cell *cell)
{
	return cell->cpu_us_per_answer.value;
}

static double memory_price(const struct cell *cell)
{
	return (double)cell->pss_bytes;
}

static bool is_smaller(const struct cell *one, const struct cell *other)
{
	return one->pss_bytes > 0 && memory_price(one) * memory_margin < memory_price(other);
}

/* Narrows several that are equally good down to one, by what clients notice and what they cost. */
static void decide_by_cost(struct contest *contest, struct advice *advice)
{
	struct contest equals = *contest;
	const struct cell *errors = narrow(contest, is_gentler, error_price);
	const struct cell *cpu = narrow(contest, is_cheaper, cpu_price);
	const struct cell *memory = narrow(contest, is_smaller, memory_price);
	const struct cell *winner = contest->leaders[0];
	char one[SHOW_TEXT], other[SHOW_TEXT];

	for (size_t i = 0; i < equals.count; i++)
		if (equals.leaders[i] == winner)
			keep_first(&equals, i);
	SAY(advice, "%s ", winner->saturated ? "as far as the generator could tell as good as"
	                                                : "within the noise as good as");
	say_others(advice, &equals);
	if (errors)
		SAY(advice, "; fewer lost answers: %s against %s (%s)", show_count(one, error_price(winner)),
		    show_count(other, error_price(errors)), errors->model);
	if (cpu)
		SAY(advice, "; less CPU time: %s an answer against %s (%s)", show_duration(one, cpu_price(winner)),
		    show_duration(other, cpu_price(cpu)), cpu->model);
	if (memory)
		SAY(advice, "; less memory: %s against %s (%s)", show_bytes(one, memory_price(winner)),
		    show_bytes(other, memory_price(memory)), memory->model);
	if (!errors && !cpu && !memory)
		SAY(advice, ", costs the same, and is the simplest");
}

static void explain_lead(const struct contest *contest, size_t serving, struct advice *advice)
{
	const struct cell *winner = contest->leaders[0], *second = NULL;
	const struct scenario *scenario = scenario_find(winner->scenario);
	bool by_tail = scenario && scenario->judge == SCENARIO_BY_TAIL;
	char one[SHOW_TEXT], other[SHOW_TEXT];

	if (serving == 1) {
		SAY(advice, "the only one that serves every client");
		return;
	}
	for (const struct cell *model = NULL; (model = view_next_model(contest->record, model));) {
		const struct cell *cell = view_cell(contest->block, model);

		if (cell && cell != winner && verdict_serves(cell) &&
		    (!second || (by_tail ? cell->tail_us.value < second->tail_us.value
		                         : cell->answers_per_second.value > second->answers_per_second.value)))
			second = cell;
	}
	SAY(advice, "%s %s, the next (%s) %s", by_tail ? "99 of 100 answers within" : "answers a second:",
	    merit(one, winner), second->model, merit(other, second));
}

/* Leaves models that serve one client at a time to workloads of one client, where there is another choice. */
static void pass_over_single(struct contest *contest, char *passed, size_t size)
{
	const struct cell *kept[MODELS];
	size_t count = 0;

	*passed = '\0';
	if (contest->block->connections < 2)
		return;
	for (size_t i = 0; i < contest->count; i++) {
		if (serves_one(contest->record, contest->leaders[i]->model))
			snprintf(passed, size, "%s", contest->leaders[i]->model);
		else
			kept[count++] = contest->leaders[i];
	}
	if (count == 0) {
		*passed = '\0';
		return;
	}
	memcpy(contest->leaders, kept, count * sizeof kept[0]);
	contest->count = count;
}

/* What must be known of the chosen model besides. */
static void warn(struct advice *advice, const struct contest *contest, const char *passed)
{
	const struct record *record = contest->record;

	if (*passed)
		SAY(advice, "; %s is as good here, but any silent client stops it", passed);
	for (size_t i = 0; i < record->cell_count; i++) {
		const struct cell *cell = &record->cells[i];

		if (strcmp(cell->scenario, "slowloris") == 0 && strcmp(cell->model, advice->model) == 0 &&
		    verdict_starves(cell) && strcmp(contest->block->scenario, "slowloris") != 0)
			SAY(advice, "; but dripping clients shut others out (slowloris)");
	}
}

/* ---- advice ---- */

static void write_lines(struct advice *advice, uint32_t connections)
{
	char settings[SCENARIO_SETTINGS][SCENARIO_SETTING];

	snprintf(advice->lines, sizeof advice->lines, "model = \"%s\";\n", advice->model);
	scenario_limits(connections, settings);
	for (int i = 0; settings[i][0]; i++) {
		const char *value = strchr(settings[i], '=') + 1;

		say(advice->lines, sizeof advice->lines, "%.*s = %s;\n",
		    (int)(value - settings[i] - 1), settings[i], value);
	}
}

static void advise(const struct record *record, const struct cell *block, struct advice *advice)
{
	const struct scenario *scenario = scenario_find(block->scenario);
	struct contest contest = { .record = record, .block = block };
	char passed[CELL_NAME];
	size_t serving;

	memset(advice, 0, sizeof *advice);
	say(advice->workload, sizeof advice->workload, "%s",
	    block->connections == 1 ? "one client at a time" : scenario->workload);
	if (block->connections > 1 && strcmp(scenario->name, "steady") == 0)
		say(advice->workload, sizeof advice->workload, ", %u of them", block->connections);
	serving = gather(&contest);
	if (serving == 0) {
		SAY(advice, "each of them starves clients here, or fails");
		return;
	}
	pass_over_single(&contest, passed, sizeof passed);
	if (contest.count > 1)
		decide_by_cost(&contest, advice);
	else if (*passed)
		SAY(advice, "the best that serves many clients at a time");
	else
		explain_lead(&contest, serving, advice);
	snprintf(advice->model, sizeof advice->model, "%s", contest.leaders[0]->model);
	warn(advice, &contest, passed);
	write_lines(advice, scenario_connections(scenario, block->connections));
}

/* Of a sweep: one client, a usual number, and the most; every block of any other scenario. */
static bool is_worth_advice(const struct cell *first, const struct cell *block)
{
	const struct cell *usual = first, *most = view_largest(first);

	for (const struct cell *b = first; b; b = view_next_block(b))
		if (b->connections <= USUAL && b->connections > usual->connections)
			usual = b;
	return block->connections == 1 || block == usual || block == most;
}

/* Situations that a model was measured in, and those in which it must not be used. */
static void count_cells(const struct record *record, const struct cell *model, size_t *all, size_t *out)
{
	*all = *out = 0;
	for (size_t i = 0; i < record->cell_count; i++) {
		if (strcmp(record->cells[i].model, model->model) != 0)
			continue;
		++*all;
		*out += !verdict_serves(&record->cells[i]);
	}
}

/* The one that is least often to be avoided; among several, the one that is advised most often. */
static bool advise_overall(const struct record *record, const struct advice *given, size_t count, struct advice *advice)
{
	size_t all, out, wins, most = 0, best_out = SIZE_MAX, best_wins = 0;
	const struct cell *best = NULL;

	for (const struct cell *model = NULL; (model = view_next_model(record, model));) {
		count_cells(record, model, &all, &out);
		wins = 0;
		for (size_t i = 0; i < count; i++)
			wins += strcmp(given[i].model, model->model) == 0;
		most = all > most ? all : most;
		if (best && (out > best_out || (out == best_out && wins <= best_wins)))
			continue;
		best = model;
		best_out = out;
		best_wins = wins;
	}
	if (!best || count < ENOUGH)
		return false;
	memset(advice, 0, sizeof *advice);
	snprintf(advice->workload, sizeof advice->workload, "a little of everything");
	snprintf(advice->model, sizeof advice->model, "%s", best->model);
	SAY(advice, "serves every client in %zu of %zu situations, which none does in more, and is the choice for "
	    "%zu of the %zu workloads above", most - best_out, most, best_wins, count);
	write_lines(advice, 0);
	return true;
}

size_t advice_make(const struct record *record, struct advice *advice, size_t most)
{
	const struct cell *model = view_next_model(record, NULL);
	size_t count = 0;

	if (!model || !view_next_model(record, model))
		return 0;
	for (const struct cell *first = NULL; (first = view_next_scenario(record, first));)
		for (const struct cell *block = first; block; block = view_next_block(block))
			if (count < most && scenario_find(block->scenario) && is_worth_advice(first, block))
				advise(record, block, &advice[count++]);
	if (count < most && advise_overall(record, advice, count, &advice[count]))
		count++;
	return count;
}

void advice_print(const struct record *record, FILE *to)
{
	static struct advice advice[ADVICE_MOST];
	size_t count = advice_make(record, advice, ADVICE_MOST);

	if (count > 0)
		fputs("\nWhich model for which workload:\n", to);
	for (size_t i = 0; i < count; i++) {
		fprintf(to, "\n%s: %s\n  %s\n", advice[i].workload, *advice[i].model ? advice[i].model : "none",
		        advice[i].reason);
		for (char *line = strtok(advice[i].lines, "\n"); line; line = strtok(NULL, "\n"))
			fprintf(to, "      %s\n", line);
	}
}
