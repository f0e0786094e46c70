/*
 * test_units.c - durations and sizes.
 */
#include "common/units.h"

#include <check.h>
#include <inttypes.h>

static const struct {
	const char *text;
	int64_t us;
} durations[] = {
	{ "0", 0 },
	{ "0us", 0 },
	{ "1us", 1 },
	{ "250us", 250 },
	{ "10ms", 10000 },
	{ "30", 30000000 },
	{ "30s", 30000000 },
	{ "30 s", 30000000 },
	{ "30 \ts", 30000000 },
	{ "007s", 7000000 },
	{ "5m", 300000000 },
	{ "24h", INT64_C(86400000000) },
	{ "9223372036854775807us", INT64_MAX },
};

static const char *const bad_durations[] = {
	"", " ", "s", "-1s", "+1s", "1.5s", "5x", "5S", "5 s ", " 5s", "5ss", "1h30m", "0x10",
	"9223372036854775808us", "9223372036855s", "99999999999999999999999h", "2562047789h",
};

START_TEST(duration_is_taken)
{
	int64_t us = -1;

	ck_assert_ptr_null(units_duration(durations[_i].text, &us));
	ck_assert_int_eq(us, durations[_i].us);
}
END_TEST

START_TEST(duration_is_refused_and_left_alone)
{
	int64_t us = 42;
	const char *reason = units_duration(bad_durations[_i], &us);

	ck_assert_msg(reason != NULL, "\"%s\" was taken as %" PRId64, bad_durations[_i], us);
	ck_assert_int_eq(us, 42);
}
END_TEST

START_TEST(what_does_not_fit_is_too_large)
{
	int64_t value;

	ck_assert_str_eq(units_duration("9223372036854775808us", &value), "too large");
	ck_assert_str_eq(units_duration("9223372036854775807ms", &value), "too large");
	ck_assert_str_eq(units_duration("2562047789h", &value), "too large");
	ck_assert_str_eq(units_size("9223372036854775808", &value), "too large");
	ck_assert_str_eq(units_size("9007199254740992k", &value), "too large");
}
END_TEST

static const struct {
	const char *text;
	int64_t bytes;
} sizes[] = {
	{ "0", 0 }, { "4096", 4096 }, { "16k", 16384 }, { "2m", 2097152 }, { "1 k", 1024 },
	{ "8796093022207m", INT64_C(9223372036853727232) },
};

static const char *const bad_sizes[] = { "", "k", "-1", "1.5k", "1g", "1K", "1kb", "1 000" };

START_TEST(size_is_taken)
{
	int64_t bytes = -1;

	ck_assert_ptr_null(units_size(sizes[_i].text, &bytes));
	ck_assert_int_eq(bytes, sizes[_i].bytes);
}
END_TEST

START_TEST(size_is_refused_and_left_alone)
{
	int64_t bytes = 42;

	ck_assert_ptr_nonnull(units_size(bad_sizes[_i], &bytes));
	ck_assert_int_eq(bytes, 42);
}
END_TEST

START_TEST(rendering_is_the_shortest)
{
	char text[UNITS_TEXT];

	ck_assert_str_eq(units_format_duration(text, 0), "0s");
	ck_assert_str_eq(units_format_duration(text, 1), "1us");
	ck_assert_str_eq(units_format_duration(text, 1500), "1500us");
	ck_assert_str_eq(units_format_duration(text, 10000), "10ms");
	ck_assert_str_eq(units_format_duration(text, 90000000), "90s");
	ck_assert_str_eq(units_format_duration(text, 60000000), "1m");
	ck_assert_str_eq(units_format_duration(text, INT64_C(3600000000)), "1h");
	ck_assert_str_eq(units_format_size(text, 0), "0");
	ck_assert_str_eq(units_format_size(text, 1023), "1023");
	ck_assert_str_eq(units_format_size(text, 16384), "16k");
	ck_assert_str_eq(units_format_size(text, 1 << 20), "1m");
}
END_TEST

START_TEST(rendering_is_exact)
{
	char text[UNITS_TEXT];
	int64_t value = 1, back;

	for (int i = 0; i < 1000; i++) {
		value = (int64_t)((uint64_t)value * 6364136223846793005u + 1442695040888963407u) & INT64_MAX;
		back = -1;
		ck_assert_ptr_null(units_duration(units_format_duration(text, value >> i % 60), &back));
		ck_assert_int_eq(back, value >> i % 60);
		ck_assert_ptr_null(units_size(units_format_size(text, value >> i % 60), &back));
		ck_assert_int_eq(back, value >> i % 60);
	}
}
END_TEST

#define COUNT(list) (int)(sizeof (list) / sizeof *(list))

int main(void)
{
	Suite *suite = suite_create("units");
	TCase *tcase = tcase_create("units");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, duration_is_taken, 0, COUNT(durations));
	tcase_add_loop_test(tcase, duration_is_refused_and_left_alone, 0, COUNT(bad_durations));
	tcase_add_test(tcase, what_does_not_fit_is_too_large);
	tcase_add_loop_test(tcase, size_is_taken, 0, COUNT(sizes));
	tcase_add_loop_test(tcase, size_is_refused_and_left_alone, 0, COUNT(bad_sizes));
	tcase_add_test(tcase, rendering_is_the_shortest);
	tcase_add_test(tcase, rendering_is_exact);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
