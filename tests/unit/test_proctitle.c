/*
 * test_proctitle.c - what ps shows of this very process.
 */
#include "common/proctitle.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char **arguments;
static const char *name_before;

static const char *shown(void)
{
	static char text[65536];
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, text, sizeof text - 1);

	close(fd);
	ck_assert_int_ge(len, 0);
	text[len] = '\0';
	/* nothing of what was there before shines through */
	for (ssize_t i = (ssize_t)strlen(text); i < len; i++)
		ck_assert_int_eq(text[i], '\0');
	return text;
}

START_TEST(title_is_shown)
{
	proctitle_set("aphorismd: prefork %d: ", 3);
	ck_assert_str_eq(shown(), "aphorismd: prefork 3: ");
	proctitle_mark();
	proctitle_tail("busy, 1204 answered");
	ck_assert_str_eq(shown(), "aphorismd: prefork 3: busy, 1204 answered");
	proctitle_tail("idle");
	ck_assert_str_eq(shown(), "aphorismd: prefork 3: idle");
	proctitle_set("x");
	ck_assert_str_eq(shown(), "x");
}
END_TEST

START_TEST(title_is_cut_to_the_room)
{
	static char text[1 << 20];

	memset(text, 'y', sizeof text - 1);
	proctitle_set("%s", text);
	ck_assert_uint_gt(strlen(shown()), 100);
	proctitle_mark();
	proctitle_tail("there is no room for this");
	ck_assert_int_eq(shown()[strlen(shown()) - 1], 'y');
	proctitle_set("z");
	proctitle_mark();
	proctitle_tail(text);
	ck_assert_uint_gt(strlen(shown()), 100);
}
END_TEST

START_TEST(arguments_and_environment_survive)
{
	proctitle_set("%s", "longer than what this program was called by, so that both are overwritten");
	ck_assert_str_eq(arguments[0], name_before);
	ck_assert_str_eq(getenv("PROCTITLE_TEST"), "kept");
	ck_assert_str_eq(program_invocation_name, name_before);
	ck_assert_ptr_nonnull(strstr(name_before, program_invocation_short_name));
	ck_assert_int_eq(setenv("PROCTITLE_TEST", "changed", 1), 0);
	ck_assert_str_eq(getenv("PROCTITLE_TEST"), "changed");
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite = suite_create("proctitle");
	TCase *tcase = tcase_create("proctitle");
	SRunner *runner = srunner_create(suite);
	const char *room = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";
	char *copy = strdup(argv[0]);
	int failed;

	/* What the title overwrites has to be there from the start: an argument, and variables. */
	if (!getenv("PROCTITLE_TEST")) {
		setenv("PROCTITLE_TEST", "kept", 1);
		setenv("PROCTITLE_ROOM", room, 1);
		execl("/proc/self/exe", argv[0], room, NULL);
		return 99;
	}
	name_before = copy;
	arguments = argv;
	proctitle_init(argc, argv);
	tcase_add_test(tcase, title_is_shown);
	tcase_add_test(tcase, title_is_cut_to_the_room);
	tcase_add_test(tcase, arguments_and_environment_survive);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	free(copy);
	return failed > 0;
}
