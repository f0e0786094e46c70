/*
 * test_histogram.c - percentiles are right within what the buckets' width allows.
 */
#include "common/latency.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VALUES = 20000 };

static struct histogram h, other;

static void empty(void)
{
	memset(&h, 0, sizeof h);
	memset(&other, 0, sizeof other);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double distance(double a, double b)
{
	return a < b ? b - a : a - b;
}

static uint64_t random_value(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	/* as many small ones as large ones: up to 2^40 */
	return (*state >> 24) >> (*state >> 8) % 41;
}

START_TEST(empty_has_no_percentile)
{
	empty();
	ck_assert(isnan(histogram_percentile(&h, 50)));
	ck_assert(isnan(histogram_percentile(&h, 100)));
}
END_TEST

START_TEST(small_values_are_exact)
{
	empty();
	for (uint64_t value = 1; value <= 200; value++)
		histogram_add(&h, value, 1);
	ck_assert(histogram_percentile(&h, 0) == 1);
	ck_assert(histogram_percentile(&h, 0.5) == 1);
	ck_assert(histogram_percentile(&h, 0.6) == 2);
	ck_assert(histogram_percentile(&h, 50) == 100);
	ck_assert(histogram_percentile(&h, 99) == 198);
	ck_assert(histogram_percentile(&h, 99.9) == 200);
	ck_assert(histogram_percentile(&h, 100) == 200);
}
END_TEST

START_TEST(large_values_are_within_a_fifth_of_a_percent)
{
	static const double percents[] = { 0, 1, 10, 25, 50, 75, 90, 95, 99, 99.9, 99.99, 100 };
	static uint64_t sorted[VALUES];
	uint64_t state = 1;

	empty();
	for (size_t i = 0; i < VALUES; i++) {
		sorted[i] = random_value(&state);
		histogram_add(&h, sorted[i], 1);
	}
	qsort(sorted, VALUES, sizeof sorted[0], compare);
	for (size_t i = 0; i < sizeof percents / sizeof percents[0]; i++) {
		size_t rank = (size_t)ceil(VALUES * percents[i] / 100);
		double exact = (double)sorted[rank > 0 ? rank - 1 : 0];

		ck_assert(distance(histogram_percentile(&h, percents[i]), exact) <= exact * 0.002);
	}
	ck_assert(histogram_percentile(&h, 100) == (double)sorted[VALUES - 1]);
}
END_TEST

START_TEST(each_value_is_near_the_middle_of_its_bucket)
{
	for (unsigned bit = 0; bit < 42; bit++) {
		for (int step = -1; step <= 1; step++) {
			uint64_t value = (UINT64_C(1) << bit) + (uint64_t)(int64_t)step;

			empty();
			histogram_add(&h, value, 2);
			histogram_add(&h, UINT64_MAX, 1);
			ck_assert(distance(histogram_percentile(&h, 50), (double)value) <= (double)value * 0.002);
		}
	}
}
END_TEST

START_TEST(buckets_follow_each_other)
{
	size_t last = 0;

	for (uint64_t value = 0; value < 1 << 20; value++) {
		size_t bucket = histogram_bucket(value);

		if (bucket != last && bucket != last + 1)      /* an assert is a system call each */
			ck_abort_msg("%ju in bucket %zu after %zu", (uintmax_t)value, bucket, last);
		last = bucket;
	}
	ck_assert_uint_eq(histogram_bucket((UINT64_C(1) << 42) - 1), HISTOGRAM_BUCKETS - 1);
}
END_TEST

START_TEST(the_largest_is_exact_even_beyond_the_last_bucket)
{
	empty();
	histogram_add(&h, UINT64_C(1) << 50, 1);
	histogram_add(&h, 200, 9);
	ck_assert(histogram_percentile(&h, 100) == (double)(UINT64_C(1) << 50));
	ck_assert(histogram_percentile(&h, 90) == 200);
	ck_assert_uint_eq(h.count, 10);
}
END_TEST

START_TEST(merged_ones_are_as_if_added_to_one)
{
	static struct histogram both;
	uint64_t state = 7;

	empty();
	memset(&both, 0, sizeof both);
	for (size_t i = 0; i < VALUES; i++) {
		uint64_t value = random_value(&state);

		histogram_add(i % 3 ? &h : &other, value, 1 + i % 2);
		histogram_add(&both, value, 1 + i % 2);
	}
	histogram_merge(&h, &other);
	ck_assert(memcmp(&h, &both, sizeof h) == 0);
}
END_TEST

START_TEST(a_latency_is_within_7_percent)
{
	for (uint64_t ns = 512; ns < UINT64_C(100000000000); ns += ns / 3 + 1) {
		struct latency latency = { .sum_ns = ns, .largest_ns = UINT64_MAX };

		latency.buckets[latency_bucket(ns)] = 1;
		ck_assert_uint_eq(latency_count(&latency), 1);
		ck_assert_double_le(fabs((double)latency_percentile_ns(&latency, 50) - (double)ns), 0.07 * (double)ns);
		ck_assert(latency_first_ns(latency_bucket(ns)) <= ns && ns < latency_first_ns(latency_bucket(ns) + 1));
	}
	ck_assert_uint_eq(latency_bucket(UINT64_MAX), LATENCY_BUCKETS - 1);
}
END_TEST

START_TEST(a_latency_that_lies_is_read_within_its_bounds)
{
	struct latency latency;

	memset(&latency, 0, sizeof latency);
	ck_assert_uint_eq(latency_percentile_ns(&latency, 99), 0);
	memset(&latency, 0xff, sizeof latency);
	for (unsigned percent = 0; percent <= 100; percent++)
		latency_percentile_ns(&latency, percent);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("histogram");
	TCase *tcase = tcase_create("histogram");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, empty_has_no_percentile);
	tcase_add_test(tcase, small_values_are_exact);
	tcase_add_test(tcase, large_values_are_within_a_fifth_of_a_percent);
	tcase_add_test(tcase, each_value_is_near_the_middle_of_its_bucket);
	tcase_add_test(tcase, buckets_follow_each_other);
	tcase_add_test(tcase, the_largest_is_exact_even_beyond_the_last_bucket);
	tcase_add_test(tcase, merged_ones_are_as_if_added_to_one);
	tcase_add_test(tcase, a_latency_is_within_7_percent);
	tcase_add_test(tcase, a_latency_that_lies_is_read_within_its_bounds);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
