/*
 * test_calendar.c - the time of day as text, in the local zone.
 */
#include "common/calendar.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"

static const char *text_of(uint64_t wall_us)
{
	static char text[CALENDAR_TEXT + 2];

	memset(text, '#', sizeof text);
	calendar_write(text, wall_us);
	ck_assert_int_eq(text[CALENDAR_TEXT], '#');
	text[CALENDAR_TEXT] = '\0';
	return text;
}

static void open_zone(const char *zone)
{
	ck_assert_int_eq(setenv("TZ", zone, 1), 0);
	calendar_open();
}

START_TEST(known_times)
{
	static const struct {
		uint64_t s;
		const char *text;
	} times[] = {
		{ 0, "Thu Jan  1 00:00:00 1970" },
		{ 8 * 86400, "Fri Jan  9 00:00:00 1970" },
		{ 9 * 86400, "Sat Jan 10 00:00:00 1970" },
		{ 951782399, "Mon Feb 28 23:59:59 2000" },
		{ 951782400, "Tue Feb 29 00:00:00 2000" },
		{ INT32_MAX, "Tue Jan 19 03:14:07 2038" },
		{ INT32_MAX + UINT64_C(1), "Tue Jan 19 03:14:08 2038" },
		{ UINT32_MAX + UINT64_C(1), "Sun Feb  7 06:28:16 2106" },
		{ 253402300799, "Fri Dec 31 23:59:59 9999" },
	};

	open_zone("UTC0");
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		ck_assert_str_eq(text_of(times[i].s * CLOCK_S), times[i].text);
		ck_assert_str_eq(text_of(times[i].s * CLOCK_S + CLOCK_S - 1), times[i].text);
	}
}
END_TEST

START_TEST(the_same_as_ctime)
{
	static const char *const zones[] = { "UTC0", "XXX-5:30", "YYY11", "CET-1CEST,M3.5.0,M10.5.0/3" };

	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
		open_zone(zones[i]);
		for (uint64_t s = 0; s < UINT64_C(8000000000); s += 86400 * 3 + 12345) {
			time_t time = (time_t)s;
			char line[32];

			ck_assert_str_eq(strtok(ctime_r(&time, line), "\n"), text_of(s * CLOCK_S));
		}
	}
}
END_TEST

START_TEST(zones)
{
	open_zone("XXX-5:30");
	ck_assert_str_eq(text_of(0), "Thu Jan  1 05:30:00 1970");
	open_zone("YYY11");
	ck_assert_str_eq(text_of(0), "Wed Dec 31 13:00:00 1969");
	open_zone("CET-1CEST,M3.5.0,M10.5.0/3");
	ck_assert_str_eq(text_of(UINT64_C(1774745999) * CLOCK_S), "Sun Mar 29 01:59:59 2026");
	ck_assert_str_eq(text_of(UINT64_C(1774746000) * CLOCK_S), "Sun Mar 29 03:00:00 2026");
}
END_TEST

START_TEST(the_zone_is_that_of_the_opening)
{
	open_zone("XXX-5:30");
	ck_assert_int_eq(setenv("TZ", "UTC0", 1), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_str_eq(text_of(0), "Thu Jan  1 05:30:00 1970");
	calendar_open();
	ck_assert_str_eq(text_of(0), "Thu Jan  1 00:00:00 1970");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("calendar");
	TCase *tcase = tcase_create("calendar");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, known_times);
	tcase_add_test(tcase, the_same_as_ctime);
	tcase_add_test(tcase, zones);
	tcase_add_test(tcase, the_zone_is_that_of_the_opening);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
