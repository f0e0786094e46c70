/*
 * test_plain.c - what a terminal may be shown of somebody else's text.
 */
#include "common/plain.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

static const struct {
	const char *bytes, *shown;
} texts[] = {
	{ "", "" },
	{ "Is it? \"Yes\\no\".", "Is it? \"Yes\\no\"." },
	{ "a\033[2Jb\a\177", "a\\x1b[2Jb\\x07\\x7f" },
	{ "one\ntwo\rthree\tfour", "one\\ntwo\\rthree\\tfour" },
	{ "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80" },
	/* C1, and a no-break space */
	{ "\xc2\x80 \xc2\x9b \xc2\x9f|\xc2\xa0", "\\xc2\\x80 \\xc2\\x9b \\xc2\\x9f|\xc2\xa0" },
	{ "\x9b" "2J \x80 \xff \xfe", "\\x9b" "2J \\x80 \\xff \\xfe" },
	{ "\xe2\x80\xae \xe2\x81\xa6 \xe2\x80\xa8", "\\xe2\\x80\\xae \\xe2\\x81\\xa6 \\xe2\\x80\\xa8" },
	/* overlong forms, a surrogate, what is beyond the last character, and what is cut */
	{ "\xc0\x9b \xe0\x82\x9b \xed\xa0\x80", "\\xc0\\x9b \\xe0\\x82\\x9b \\xed\\xa0\\x80" },
	{ "\xf4\x90\x80\x80 \xf5\x80\x80\x80", "\\xf4\\x90\\x80\\x80 \\xf5\\x80\\x80\\x80" },
	{ "\xc3(\xe2\x82", "\\xc3(\\xe2\\x82" },
};

START_TEST(what_commands_a_terminal_is_escaped)
{
	const char *bytes = texts[_i].bytes, *shown = texts[_i].shown;
	char to[200], *printed;
	size_t size;
	FILE *stream = open_memstream(&printed, &size);

	ck_assert_str_eq(plain_text(to, sizeof to, bytes, strlen(bytes)), shown);
	ck_assert_uint_eq(plain_put(NULL, bytes, strlen(bytes)), strlen(shown));
	ck_assert_uint_eq(plain_put(stream, bytes, strlen(bytes)), strlen(shown));
	plain_say(stream, "%d%s", 5, bytes);
	fclose(stream);
	ck_assert_uint_eq(size, 2 * strlen(shown) + 2);
	ck_assert_int_eq(strncmp(printed, shown, strlen(shown)), 0);
	ck_assert_int_eq(printed[strlen(shown)], '5');
	ck_assert_int_eq(strncmp(printed + strlen(shown) + 1, shown, strlen(shown)), 0);
	ck_assert_int_eq(printed[size - 1], '\n');
	free(printed);
	ck_assert_int_eq(plain_is_text(bytes), strcmp(bytes, shown) == 0);
}
END_TEST

START_TEST(no_character_is_cut)
{
	static const char bytes[] = "a\xe2\x82\xac\033z";
	static const char *const cut[] = { "", "a", "a", "a", "a\xe2\x82\xac", "a\xe2\x82\xac", "a\xe2\x82\xac",
		                           "a\xe2\x82\xac", "a\xe2\x82\xac\\x1b", "a\xe2\x82\xac\\x1bz" };
	char to[16];

	for (size_t i = 0; i < sizeof cut / sizeof *cut; i++)
		ck_assert_str_eq(plain_text(to, i + 1, bytes, strlen(bytes)), cut[i]);
}
END_TEST

START_TEST(a_text_that_may_not_grow)
{
	char text[] = "a\033\xc2\x9b\xc3\xa4\x9b\xe2\x80\xae\n", line[] = "\xff\xc3\xa4\r";

	ck_assert_str_eq(plain_clean(text, strlen(text), ' '), "a   \xc3\xa4     ");
	ck_assert_str_eq(log_clean(line), "?\xc3\xa4?");
}
END_TEST

/* Whatever the bytes are, what is shown is plain, and to show it again changes nothing. */
START_TEST(what_is_shown_is_plain)
{
	char bytes[64], once[4 * sizeof bytes + 1], twice[4 * sizeof bytes + 1];

	srandom(1);
	for (int i = 0; i < 20000; i++) {
		for (size_t n = 0; n < sizeof bytes; n++)
			bytes[n] = (char)(random() >> 8);
		plain_text(once, sizeof once, bytes, sizeof bytes);
		ck_assert(plain_is_text(once));
		ck_assert_str_eq(plain_text(twice, sizeof twice, once, strlen(once)), once);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("plain");
	TCase *tcase = tcase_create("plain");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, what_commands_a_terminal_is_escaped, 0, (int)(sizeof texts / sizeof *texts));
	tcase_add_test(tcase, no_character_is_cut);
	tcase_add_test(tcase, a_text_that_may_not_grow);
	tcase_add_test(tcase, what_is_shown_is_plain);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
