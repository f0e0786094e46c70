/*
 * test_figures.c - what is shown of a scoreboard, and that all views show the same.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics/figures.h"
#include "metrics/recorder.h"

static char text[65536];

static struct figures some(void)
{
	struct figures figures = {
		.model = "event", .uptime_s = 7, .generation = 3, .workers = 5, .workers_idle = 4, .workers_busy = 1,
		.connections_open = 2, .max_connections = 1024, .queued = 6, .timeouts = 10, .refused = 11,
		.reloads = 12, .failed_reloads = 13, .sees_queues = true, .sees_waits = true,
	};

	for (int i = 0; i < COUNT_ALL; i++)
		figures.totals.count[i] = 100 + (uint64_t)i;
	return figures;
}

static const char *shown(void (*print)(const struct figures *, FILE *), const struct figures *figures)
{
	FILE *to = fmemopen(text, sizeof text, "w");

	ck_assert_ptr_nonnull(to);
	text[0] = '\0';           /* what shows nothing writes nothing */
	print(figures, to);
	fclose(to);
	return text;
}

static void has(const char *line)
{
	char wanted[256];

	snprintf(wanted, sizeof wanted, "\n%s\n", line);
	ck_assert_msg(strstr(text, wanted) != NULL, "no line \"%s\" in:\n%s", line, text);
}

/* A count that is some()'s. */
static void has_count(const char *name, enum scoreboard_count what)
{
	char line[128];

	snprintf(line, sizeof line, "%s %d", name, 100 + what);
	has(line);
}

START_TEST(the_line_of_statistics)
{
	struct figures figures = some();
	char line[1024], expected[1024];

	snprintf(expected, sizeof expected,
	         "model event, generation 3, 5 workers, 4 idle, 2 connections open, %d served, %d questions, "
	         "10 time-outs, 11 refused, %d denied, %d bad headers, 12 reloads, 13 failed",
	         100 + COUNT_CONNECTIONS, 100 + COUNT_ANSWERED, 100 + COUNT_DENIED, 100 + COUNT_BAD_HEADERS);
	figures_format_line(&figures, line, sizeof line);
	ck_assert_str_eq(line, expected);
	for (size_t size = 1; size < sizeof line; size++) {
		char cut[sizeof line];

		memset(cut, 'x', sizeof cut);
		figures_format_line(&figures, cut, size);
		ck_assert_uint_lt(strlen(cut), size);
	}
}
END_TEST

START_TEST(status_and_statistics)
{
	struct figures figures = some();

	shown(figures_print_status, &figures);
	has("generation 3");
	has_count("questions", COUNT_ANSWERED);
	has_count("accept_waits", COUNT_ACCEPT_WAITS);
	has("queued 6");
	ck_assert_ptr_null(strstr(text, "questions_unknown"));
	shown(figures_print_all, &figures);
	has_count("questions", COUNT_ANSWERED);
	has_count("questions_unknown", COUNT_UNKNOWN);
	has_count("timeouts_write", COUNT_TIMEOUT_WRITE);
	has("service_p99_us 0.0");
	has("wait_p99_us 0.0");
}
END_TEST

START_TEST(metrics_show_the_same_numbers)
{
	struct figures figures = some();

	figures.totals.service.buckets[latency_bucket(1000)] = 3;
	figures.totals.service.buckets[latency_bucket(1000000)] = 2;
	figures.totals.service.sum_ns = 2003000;
	shown(figures_print_metrics, &figures);
	has("aphorismd_build_info{version=\"" PACKAGE_VERSION "\",model=\"event\"} 1");
	has("# HELP aphorismd_questions_total Questions that were answered, unknown ones too.\n"
	    "# TYPE aphorismd_questions_total counter\n"
	    "aphorismd_questions_total 100");
	has_count("aphorismd_questions_failed_total{reason=\"unknown\"}", COUNT_UNKNOWN);
	has("aphorismd_workers{state=\"busy\"} 1");
	has("aphorismd_reloads_total{result=\"failed\"} 13");
	has("aphorismd_question_service_seconds_bucket{le=\"0.000001024\"} 3");
	has("aphorismd_question_service_seconds_bucket{le=\"+Inf\"} 5");
	has("aphorismd_question_service_seconds_sum 0.002003000");
	/* what OpenMetrics has besides */
	ck_assert_ptr_null(strstr(text, "# UNIT"));
	ck_assert_ptr_null(strstr(text, "# EOF"));
	shown(figures_print_histogram, &figures);
	has("bucket of=service\tfrom_ns=983040\tto_ns=1048576\tcount=2");
}
END_TEST

START_TEST(a_wait_that_nobody_sees_is_not_shown)
{
	static void (*const views[])(const struct figures *, FILE *) = {
		figures_print_all, figures_print_metrics, figures_print_histogram,
	};

	for (size_t i = 0; i < sizeof views / sizeof *views; i++) {
		static const char *const names[] = { "\nwait_p99_us", "_question_wait_seconds", "of=wait" };
		struct figures figures = some();

		figures.totals.wait.buckets[7] = 1;
		ck_assert_ptr_nonnull(strstr(shown(views[i], &figures), names[i]));
		figures.sees_waits = false;
		ck_assert_ptr_null(strstr(shown(views[i], &figures), names[i]));
	}
}
END_TEST

/* A worker may be taken over: what it leaves is shown, no more. */
START_TEST(lies_are_shown_within_bounds)
{
	struct figures figures;

	memset(&figures, 0xff, sizeof figures);
	figures.model = "event";
	figures.sees_waits = figures.sees_queues = true;  /* these are the supervisor's own */
	shown(figures_print_all, &figures);
	shown(figures_print_metrics, &figures);
	shown(figures_print_histogram, &figures);
	ck_assert_uint_lt(strlen(text), sizeof text - 1);
}
END_TEST

START_TEST(what_is_recorded_is_summed)
{
	for (int shared = 0; shared < 2; shared++) {
		struct scoreboard *board = scoreboard_new(4, 3, 2);
		struct scoreboard_totals totals = { .connections_open = 0 };
		struct recorder recorder;

		ck_assert_ptr_nonnull(board);
		board->used = 2;
		recorder = recorder_of(board, 1, 1, shared);
		recorder_questions(recorder, &board->slot[3], 5, 2, 77);
		recorder_time(recorder, 1000, 3000, 103000, 5);
		recorder_count(recorder, COUNT_BYTES_IN, 99);
		scoreboard_count(board, 0, COUNT_DENIED);
		scoreboard_count(board, 2, COUNT_DENIED);         /* beyond those that there have been */
		scoreboard_sum(board, &totals);
		ck_assert_uint_eq(totals.count[COUNT_ANSWERED], 5);
		ck_assert_uint_eq(totals.count[COUNT_UNKNOWN], 2);
		ck_assert_uint_eq(totals.count[COUNT_BYTES_IN], 99);
		ck_assert_uint_eq(totals.count[COUNT_DENIED], 1);
		ck_assert_uint_eq(totals.wait.sum_ns, 5 * 2000);
		ck_assert_uint_eq(totals.service.largest_ns, 100000);
		ck_assert_uint_eq(totals.service.buckets[latency_bucket(100000)], 5);
		ck_assert_uint_eq(board->slot[3].questions, 5);
		ck_assert_uint_eq(board->slot[3].active_us, 77);
		scoreboard_free(board);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("figures");
	TCase *tcase = tcase_create("figures");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, the_line_of_statistics);
	tcase_add_test(tcase, status_and_statistics);
	tcase_add_test(tcase, metrics_show_the_same_numbers);
	tcase_add_test(tcase, a_wait_that_nobody_sees_is_not_shown);
	tcase_add_test(tcase, lies_are_shown_within_bounds);
	tcase_add_test(tcase, what_is_recorded_is_summed);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
