/*
 * test_nearest.c - the nearest known name.
 */
#include "common/nearest.h"

#include <check.h>
#include <stddef.h>

static const char *nearest_of(const char *name, const char *const *known)
{
	struct nearest nearest = { .name = name };

	for (; *known; known++)
		nearest_offer(&nearest, *known);
	return nearest.best;
}

static const char *const keys[] = {
	"backlog", "max_connections", "max_connections_per_source", "timeouts.idle", "timeouts.write", "model", NULL,
};

START_TEST(typing_errors_are_understood)
{
	ck_assert_str_eq(nearest_of("backlog", keys), "backlog");
	ck_assert_str_eq(nearest_of("bcklog", keys), "backlog");            /* left out */
	ck_assert_str_eq(nearest_of("backklog", keys), "backlog");          /* doubled */
	ck_assert_str_eq(nearest_of("bakclog", keys), "backlog");           /* swapped */
	ck_assert_str_eq(nearest_of("backlag", keys), "backlog");           /* replaced */
	ck_assert_str_eq(nearest_of("timeout.idle", keys), "timeouts.idle");
	ck_assert_str_eq(nearest_of("max_connection", keys), "max_connections");
	ck_assert_str_eq(nearest_of("max_connections_per_sorce", keys), "max_connections_per_source");
}
END_TEST

START_TEST(what_is_far_is_not_offered)
{
	ck_assert_ptr_null(nearest_of("color", keys));
	ck_assert_ptr_null(nearest_of("timeouts", keys));
	ck_assert_ptr_null(nearest_of("", keys));
}
END_TEST

START_TEST(limit_is_a_third_but_two_at_least)
{
	const char *const four[] = { "abcd", NULL }, *const nine[] = { "abcdefghi", NULL };

	ck_assert_str_eq(nearest_of("abxx", four), "abcd");
	ck_assert_ptr_null(nearest_of("axxx", four));
	ck_assert_str_eq(nearest_of("abcdefxxx", nine), "abcdefghi");
	ck_assert_ptr_null(nearest_of("abcdexxxx", nine));
}
END_TEST

START_TEST(swap_costs_one)
{
	struct nearest nearest = { .name = "abcdef" };

	nearest_offer(&nearest, "badcef");
	ck_assert_uint_eq(nearest.distance, 2);
	nearest_offer(&nearest, "bacdef");
	ck_assert_str_eq(nearest.best, "bacdef");
	ck_assert_uint_eq(nearest.distance, 1);
}
END_TEST

START_TEST(first_of_equals_stays)
{
	const char *const known[] = { "abcx", "abcy", NULL };

	ck_assert_str_eq(nearest_of("abcd", known), "abcx");
}
END_TEST

START_TEST(long_names_are_never_near)
{
	char longest[64], longer[65];
	const char *known[] = { longest, NULL };

	for (size_t i = 0; i < sizeof longer; i++) {
		longer[i] = 'a';
		longest[i % sizeof longest] = 'a';
	}
	longest[63] = longer[64] = '\0';
	ck_assert_str_eq(nearest_of(longest, known), longest);
	ck_assert_ptr_null(nearest_of(longer, known));
	known[0] = longer;
	ck_assert_ptr_null(nearest_of(longest, known));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("nearest");
	TCase *tcase = tcase_create("nearest");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, typing_errors_are_understood);
	tcase_add_test(tcase, what_is_far_is_not_offered);
	tcase_add_test(tcase, limit_is_a_third_but_two_at_least);
	tcase_add_test(tcase, swap_costs_one);
	tcase_add_test(tcase, first_of_equals_stays);
	tcase_add_test(tcase, long_names_are_never_near);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
