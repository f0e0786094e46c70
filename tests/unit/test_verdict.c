/*
 * test_verdict.c - statistics over rounds, who is better, and what is advised.
 */
#include "aphorism-bench/verdict.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "aphorism-bench/advice.h"
#include "aphorism-bench/rounds.h"
#include "aphorism-bench/scenario.h"
#include "aphorism-bench/view.h"

/* Of the generator, which is not part of this test. */
const struct load_error_name load_error_names[LOAD_ERRORS];

static struct cell cells[64];
static struct record record = { .cells = cells };

static void forget(void)
{
	memset(cells, 0, sizeof cells);
	record.cell_count = 0;
}

/* A cell with a rate of so much, known within 10. */
static struct cell *put(const char *scenario, uint32_t connections, const char *model, double rate)
{
	struct cell *cell = &cells[record.cell_count++];

	strcpy(cell->scenario, scenario);
	strcpy(cell->model, model);
	cell->connections = connections;
	cell->pipeline = 1;
	cell->rounds = 6;
	cell->answers = 100000;
	cell->answers_per_second = (struct figure){ rate, rate - 10, rate + 10 };
	cell->tail_us = (struct figure){ 100, 90, 110 };
	cell->cpu_us_per_answer = (struct figure){ 20, 18, 22 };
	cell->pss_bytes = 1 << 20;
	ck_assert(view_arrange(&record));
	return cell;
}

static enum standing standing(const struct cell *cell)
{
	return verdict_standing(cell);
}

static const struct advice *advice_on(const char *workload)
{
	static struct advice advice[ADVICE_MOST];
	size_t count = advice_make(&record, advice, ADVICE_MOST);

	for (size_t i = 0; i < count; i++)
		if (strncmp(advice[i].workload, workload, strlen(workload)) == 0)
			return &advice[i];
	return NULL;
}

static void ck_says(const struct advice *advice, const char *model, const char *reason)
{
	ck_assert_ptr_nonnull(advice);
	ck_assert_str_eq(advice->model, model);
	ck_assert_msg(strstr(advice->reason, reason), "no \"%s\" in \"%s\"", reason, advice->reason);
}

/* ---- figures ---- */

START_TEST(median_lies_between_order_statistics)
{
	double six[] = { 6, 1, 5, 2, 4, 3 }, nine[] = { 9, 8, 7, 6, 5, 4, 3, 2, 1000 }, many[40];
	struct figure figure = rounds_figure(six, 6);

	ck_assert_double_eq(figure.value, 3.5);
	ck_assert_double_eq(figure.low, 1);
	ck_assert_double_eq(figure.high, 6);
	figure = rounds_figure(nine, 9);  /* one wild value does not show */
	ck_assert_double_eq(figure.value, 6);
	ck_assert_double_eq(figure.low, 3);
	ck_assert_double_eq(figure.high, 9);
	for (int i = 0; i < 40; i++)
		many[i] = i + 1;
	figure = rounds_figure(many, 40);         /* as in the tables of the sign test: the 14th from either end */
	ck_assert_double_eq(figure.low, 14);
	ck_assert_double_eq(figure.high, 27);
}
END_TEST

/* How often the interval of a known median's samples misses it. */
static double missed(size_t size, unsigned seed)
{
	double values[16];
	int misses = 0, all = 20000;

	srand(seed);
	for (int i = 0; i < all; i++) {
		struct figure figure;

		for (size_t j = 0; j < size; j++) {
			double sum = 0;

			for (int k = 0; k < 12; k++)      /* nearly normal around 100 */
				sum += (double)rand() / RAND_MAX;
			values[j] = 100 + (sum - 6);
		}
		figure = rounds_figure(values, size);
		misses += figure.low > 100 || figure.high < 100;
	}
	return (double)misses / all;
}

START_TEST(interval_holds_the_median_with_95_percent)
{
	for (size_t size = 2; size <= 16; size++)
		ck_assert_msg(missed(size, 1) < 0.055, "%zu values: %g missed", size, missed(size, 1));
}
END_TEST

START_TEST(one_value_has_no_interval_and_none_no_figure)
{
	double one[] = { 7 }, gaps[] = { NAN, 7, NAN, 9 };
	struct figure figure = rounds_figure(one, 1);

	ck_assert_double_eq(figure.value, 7);
	ck_assert(isnan(figure.low) && isnan(figure.high));
	figure = rounds_figure(one, 0);
	ck_assert(isnan(figure.value) && isnan(figure.low));
	ck_assert_double_eq(rounds_figure(gaps, 4).value, 8);
}
END_TEST

static struct load_result *round_of(uint64_t answers, double seconds, uint64_t response_ns)
{
	static struct load_result result;

	memset(&result, 0, sizeof result);
	result.seconds = seconds;
	result.crowds[0].answers = answers;
	result.crowds[0].fairness = 1;
	histogram_add(&result.crowds[0].response, response_ns, answers);
	return &result;
}

START_TEST(rounds_are_merged)
{
	struct crowd crowd = { .connections = 4, .pipeline = 2 };
	struct rounds *rounds = rounds_new("event", "steady", &crowd);
	struct cost cost = { .cpu_us = 1000, .system_share = 0.5, .switches = 200, .processes = 3, .threads = 4,
		             .pss_bytes = 1400, .idle_pss_bytes = 1000 };
	struct cell cell;

	rounds_add(rounds, round_of(100, 2, 1000000), &cost);
	cost.cpu_us = 3000;
	cost.processes = 2;
	rounds_add(rounds, round_of(100, 1, 3000000), &cost);
	rounds_fill(rounds, &cell);
	rounds_free(rounds);
	ck_assert_uint_eq(cell.rounds, 2);
	ck_assert_uint_eq(cell.answers, 200);
	ck_assert_double_eq(cell.answers_per_second.value, 75);
	ck_assert_double_eq(cell.cpu_us_per_answer.value, 20);
	ck_assert_double_eq(cell.context_switches_per_answer, 2);
	ck_assert_double_eq(cell.system_share, 0.5);
	ck_assert_double_eq(cell.bytes_per_connection, 100);
	ck_assert_uint_eq(cell.processes, 3);
	ck_assert_double_eq_tol(cell.p50_us, 1000, 5);
	ck_assert_double_eq_tol(cell.p99_us, 3000, 10);
	ck_assert_double_eq(cell.max_us, 3000);
}
END_TEST

START_TEST(starving_is_not_cheap)
{
	struct crowd crowd = { .connections = 1000, .pipeline = 1 };
	struct rounds *rounds = rounds_new("iterative", "steady", &crowd);
	struct cost cost = { .cpu_us = 1000, .system_share = NAN, .switches = NAN,
		             .pss_bytes = 1001, .idle_pss_bytes = 1000 };
	struct load_result *result = round_of(100, 1, 1000);
	struct cell cell;

	result->crowds[0].never_served = 999;
	rounds_add(rounds, result, &cost);
	rounds_fill(rounds, &cell);
	rounds_free(rounds);
	ck_assert_uint_eq(cell.never_served, 999);
	ck_assert(isnan(cell.bytes_per_connection));
	ck_assert(isnan(cell.system_share) && isnan(cell.context_switches_per_answer));
}
END_TEST

START_TEST(one_bad_round_is_not_starving)
{
	static const uint32_t seen[] = { 0, 7, 0, 9, 8 };
	struct crowd crowd = { .connections = 16, .pipeline = 1 };
	struct rounds *rounds = rounds_new("prefork", "steady", &crowd);
	struct cell cell;

	for (int i = 0; i < 5; i++) {
		struct load_result *result = round_of(100, 1, 1000);

		result->crowds[0].never_served = seen[i];
		rounds_add(rounds, result, NULL);
		rounds_fill(rounds, &cell);
		ck_assert_uint_eq(cell.never_served, i == 1 || i == 3 ? 4 : i == 4 ? 7 : 0);
	}
	rounds_free(rounds);
	ck_assert(!cell.has_cost && isnan(cell.cpu_us_per_answer.value));
}
END_TEST

/* ---- standing ---- */

START_TEST(overlapping_intervals_are_a_tie)
{
	struct cell *slow, *one, *other;

	forget();
	slow = put("steady", 16, "fork", 900);
	one = put("steady", 16, "thread", 1000);
	other = put("steady", 16, "event", 1015);
	put("steady", 64, "event", 5000);
	ck_assert_int_eq(standing(slow), VERDICT_BEHIND);
	ck_assert_int_eq(standing(one), VERDICT_TIE);
	ck_assert_int_eq(standing(other), VERDICT_TIE);
	other->answers_per_second = (struct figure){ 1100, 1090, 1110 };
	ck_assert_int_eq(standing(one), VERDICT_BEHIND);
	ck_assert_int_eq(standing(other), VERDICT_BEST);
	ck_assert_int_eq(standing(&cells[3]), VERDICT_ALONE);
}
END_TEST

START_TEST(without_an_interval_all_is_a_tie)
{
	forget();
	put("steady", 16, "fork", 1)->answers_per_second = (struct figure){ 1, NAN, NAN };
	put("steady", 16, "event", 9)->answers_per_second = (struct figure){ 9, NAN, NAN };
	ck_assert_int_eq(standing(&cells[0]), VERDICT_TIE);
	ck_assert_int_eq(standing(&cells[1]), VERDICT_TIE);
}
END_TEST

START_TEST(starving_never_wins)
{
	forget();
	put("steady", 64, "iterative", 9000)->never_served = 63;
	put("steady", 64, "prefork", 1000);
	ck_assert_int_eq(standing(&cells[0]), VERDICT_STARVES);
	ck_assert_int_eq(standing(&cells[1]), VERDICT_BEST);
	cells[0].saturated = true;
	ck_assert_int_eq(standing(&cells[0]), VERDICT_STARVES);
	cells[0].never_served = 0;
	cells[0].answers = 0;             /* silence is starving, too */
	ck_assert_int_eq(standing(&cells[0]), VERDICT_STARVES);
}
END_TEST

START_TEST(wrong_answers_and_errors_disqualify)
{
	forget();
	put("steady", 64, "fork", 9000)->errors[LOAD_WRONG] = 1;
	put("steady", 64, "prefork", 1000)->errors[LOAD_RESET] = 100;
	put("steady", 64, "event", 500)->errors[LOAD_RESET] = 101;
	ck_assert_int_eq(standing(&cells[0]), VERDICT_FAILS);
	ck_assert_int_eq(standing(&cells[1]), VERDICT_BEST);
	ck_assert_int_eq(standing(&cells[2]), VERDICT_FAILS);
}
END_TEST

START_TEST(what_a_kill_must_cost_is_excused)
{
	forget();
	/* 16 connections, 2 kills, 6 rounds: 192 may end, and one error in 1,000 answers is let pass anywhere */
	put("kill", 16, "thread", 1000)->errors[LOAD_RESET] = 192 + 100;
	put("kill", 16, "event", 1000)->errors[LOAD_RESET] = 192 + 101;
	put("kill", 16, "fork", 1000)->errors[LOAD_REFUSED] = 101;
	ck_assert_int_eq(standing(&cells[0]), VERDICT_BEST);
	ck_assert_int_eq(standing(&cells[1]), VERDICT_FAILS);
	ck_assert_int_eq(standing(&cells[2]), VERDICT_FAILS);
}
END_TEST

START_TEST(void_figures_are_lower_bounds)
{
	forget();
	put("steady", 64, "fork", 900);
	put("steady", 64, "prefork", 1100);
	put("steady", 64, "event", 1000)->saturated = true;
	ck_assert_int_eq(standing(&cells[0]), VERDICT_BEHIND);
	ck_assert_int_eq(standing(&cells[1]), VERDICT_TIE);       /* event may be quicker than we could ask */
	ck_assert_int_eq(standing(&cells[2]), VERDICT_VOID);
}
END_TEST

START_TEST(bursts_are_judged_by_their_tail)
{
	forget();
	put("burst", 16, "fork", 4000)->tail_us = (struct figure){ 5000, 4900, 5100 };
	put("burst", 16, "event", 3000)->tail_us = (struct figure){ 1000, 900, 1100 };
	ck_assert_int_eq(standing(&cells[0]), VERDICT_BEHIND);
	ck_assert_int_eq(standing(&cells[1]), VERDICT_BEST);
	ck_says(advice_on("questions that come in bursts"), "event", "1.00ms, the next (fork) 5.00ms");
}
END_TEST

/* ---- advice ---- */

START_TEST(quickest_is_advised)
{
	forget();
	put("connect", 64, "fork", 1000);
	put("connect", 64, "prefork", 5000);
	ck_says(advice_on("short connections"), "prefork", "5,000, the next (fork) 1,000");
	ck_assert_str_eq(advice_on("short connections")->lines, "model = \"prefork\";\n");
}
END_TEST

START_TEST(ties_go_to_the_cheapest)
{
	forget();
	put("connect", 64, "fork", 1000)->cpu_us_per_answer = (struct figure){ 90, 80, 99 };
	put("connect", 64, "prefork", 1000)->pss_bytes = 4 << 20;
	put("connect", 64, "threadpool", 1000);
	put("connect", 64, "event", 1000)->pss_bytes = (1 << 20) + 1000;
	/*
	 * fork is dearer in CPU time, prefork in memory; of the other two, which cost the same, the first is the
	 * simpler one
	 */
	ck_says(advice_on("short connections"), "threadpool", "within the noise as good as fork, prefork and event");
	ck_says(advice_on("short connections"), "threadpool", "less CPU time: 20us an answer against 90us (fork)");
	ck_says(advice_on("short connections"), "threadpool", "less memory: 1.00M against 4.00M (prefork)");
	cells[0].cpu_us_per_answer = cells[1].cpu_us_per_answer;
	cells[1].pss_bytes = 1 << 20;
	ck_says(advice_on("short connections"), "fork", "the simplest");
}
END_TEST

START_TEST(who_serves_one_client_is_not_for_many)
{
	forget();
	put("steady", 1, "iterative", 1000);
	put("steady", 1, "prefork", 1000);
	put("steady", 16, "iterative", 9000)->never_served = 15;
	put("steady", 16, "prefork", 1000);
	put("connect", 64, "iterative", 2000);
	put("connect", 64, "prefork", 2000);
	ck_says(advice_on("one client at a time"), "iterative", "the simplest");
	ck_says(advice_on("clients that stay connected, 16"), "prefork", "the only one that serves every client");
	ck_says(advice_on("short connections"), "prefork", "iterative is as good here, but any silent client stops it");
	ck_says(advice_on("a little of everything"), "prefork", "3 of 3 situations");
}
END_TEST

START_TEST(nothing_is_advised_where_all_starve)
{
	forget();
	put("slowloris", 16, "iterative", 0)->never_served = 16;
	put("slowloris", 16, "prefork", 0)->never_served = 16;
	ck_says(advice_on("clients that cannot be trusted"), "", "each of them starves clients");
}
END_TEST

START_TEST(advice_warns_of_what_else_was_seen)
{
	forget();
	put("connect", 64, "fork", 1000);
	put("connect", 64, "threadpool", 2000);
	put("slowloris", 16, "fork", 1000);
	put("slowloris", 16, "threadpool", 1000)->never_served = 16;
	ck_says(advice_on("short connections"), "threadpool", "dripping clients shut others out");
	ck_says(advice_on("clients that cannot be trusted"), "fork", "the only one");
}
END_TEST

START_TEST(crashes_go_to_who_loses_least)
{
	forget();
	put("kill", 16, "prefork", 1000)->errors[LOAD_RESET] = 12;
	put("kill", 16, "threadpool", 1000)->errors[LOAD_RESET] = 180;
	cells[1].pss_bytes /= 2;
	ck_says(advice_on("a worker that crashes"), "prefork", "fewer lost answers: 12 against 180 (threadpool)");
}
END_TEST

START_TEST(lines_hold_what_the_load_needed)
{
	forget();
	put("steady", 5000, "fork", 1000);
	put("steady", 5000, "event", 2000);
	ck_assert_str_eq(advice_on("clients that stay")->lines,
	                 "model = \"event\";\nmax_connections = 5649;\nbacklog = 5000;\n");
}
END_TEST

START_TEST(a_single_model_gets_no_advice)
{
	struct advice advice[ADVICE_MOST];

	forget();
	ck_assert_uint_eq(advice_make(&record, advice, ADVICE_MOST), 0);
	put("connect", 64, "event", 1000);
	ck_assert_uint_eq(advice_make(&record, advice, ADVICE_MOST), 0);
}
END_TEST

START_TEST(scenarios_are_told_in_two_sentences)
{
	size_t count = 0;

	for (const struct scenario *s = scenarios; s->name; s++, count++) {
		size_t sentences = 0;

		for (const char *at = s->story; *at; at++)
			sentences += *at == '.' && (at[1] == ' ' || at[1] == '\0');
		ck_assert_msg(sentences == 2, "%s: %zu sentences", s->name, sentences);
		ck_assert_ptr_eq(scenario_find(s->name), s);
		ck_assert(s->counts[0] > 0 && s->workload);
	}
	ck_assert_uint_eq(count, 11);
	ck_assert_ptr_null(scenario_find("run"));
}
END_TEST

static TCase *figures(void)
{
	TCase *tests = tcase_create("figures");

	tcase_add_test(tests, median_lies_between_order_statistics);
	tcase_add_test(tests, interval_holds_the_median_with_95_percent);
	tcase_add_test(tests, one_value_has_no_interval_and_none_no_figure);
	tcase_add_test(tests, rounds_are_merged);
	tcase_add_test(tests, starving_is_not_cheap);
	tcase_add_test(tests, one_bad_round_is_not_starving);
	return tests;
}

static TCase *standings(void)
{
	TCase *tests = tcase_create("standing");

	tcase_add_test(tests, overlapping_intervals_are_a_tie);
	tcase_add_test(tests, without_an_interval_all_is_a_tie);
	tcase_add_test(tests, starving_never_wins);
	tcase_add_test(tests, wrong_answers_and_errors_disqualify);
	tcase_add_test(tests, what_a_kill_must_cost_is_excused);
	tcase_add_test(tests, void_figures_are_lower_bounds);
	tcase_add_test(tests, bursts_are_judged_by_their_tail);
	return tests;
}

static TCase *advices(void)
{
	TCase *tests = tcase_create("advice");

	tcase_add_test(tests, quickest_is_advised);
	tcase_add_test(tests, ties_go_to_the_cheapest);
	tcase_add_test(tests, who_serves_one_client_is_not_for_many);
	tcase_add_test(tests, nothing_is_advised_where_all_starve);
	tcase_add_test(tests, advice_warns_of_what_else_was_seen);
	tcase_add_test(tests, crashes_go_to_who_loses_least);
	tcase_add_test(tests, lines_hold_what_the_load_needed);
	tcase_add_test(tests, a_single_model_gets_no_advice);
	tcase_add_test(tests, scenarios_are_told_in_two_sentences);
	return tests;
}

int main(void)
{
	Suite *suite = suite_create("verdict");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, figures());
	suite_add_tcase(suite, standings());
	suite_add_tcase(suite, advices());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
