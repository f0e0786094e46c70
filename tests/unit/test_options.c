/*
 * test_options.c - a command line, read by a table.
 */
#include "common/options.h"

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct options {
	uint64_t count;
	int64_t timeout_us, pause_us;
	const char *file, *how;
	bool quick, raw;
	int choice;
};

enum { FETCH, DROP, OF_FETCH = 1 << FETCH, OF_DROP = 1 << DROP };

#define AT(member) .at = offsetof(struct options, member)

static const struct options_row rows[] = {
	{ 'n', "count", "COUNT", "how often", options_take_number, AT(count), 7, 0 },
	{ 'w', "timeout", "TIME", "how long", options_take_time, AT(timeout_us), 0, 0 },
	{ 0, "pause", "TIME", "between two", options_take_pause, AT(pause_us), 1000000, 0 },
	{ 'f', "file", "FILE", "which", NULL, AT(file), 0, OF_FETCH },
	{ 0, "how", "HOW", "in which way", NULL, AT(how), 0, OF_FETCH, "often|seldom" },
	{ 0, "a-name-that-leaves-no-room", "FOR-ITS-HELP",
	  "as long as a name can be, and beyond it a help goes on and on", NULL, AT(file), 0, OF_DROP },
	{ 'q', "quick", NULL, "no waiting", NULL, AT(quick), 0, 0 },
	{ 'r', "raw", NULL, "as it is", NULL, AT(raw), 0, 0 },
	{ 'x', "extra", NULL, "more", options_take_choice, AT(choice), 3, 0 },
	{ 0, "plain", NULL, "less", options_take_choice, AT(choice), 4, 0 },
	OPTIONS_LAST
};

static const struct options_command commands[] = {
	{ "fetch", "[FROM]", "fetch things", NULL }, { "drop", "WHAT", "drop things", "this|that" },
	{ "help", "[COMMAND]", "tell", NULL },
	{ 0 }
};

static const struct options_program alone = { .name = "some", .argument = "[WORD...]", .rows = rows };
static const struct options_program strict = { .name = "some", .rows = rows };
static const struct options_program many = { .name = "some", .about = "Does.", .rows = rows, .commands = commands };

static struct options options;
static struct options_found found;
static char line[256];

/* Reads a line of words that are parted by blanks; they last until the next. */
static const char *read_line(const struct options_program *program, const char *text)
{
	static char *argv[32];
	int argc = 0;

	snprintf(line, sizeof line, "some %s", text);
	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	options = (struct options){ 0 };
	return options_read(program, &options, argc, argv, &found);
}

static void is_wrong(const struct options_program *program, const char *text, const char *why)
{
	const char *said = read_line(program, text);

	ck_assert_ptr_nonnull(said);
	ck_assert_str_eq(said, why);
}

START_TEST(each_way_to_say_it)
{
	static const char *const ways[] = {
		"-n 5 -f where -q -r", "-n5 -fwhere -qr", "-qrn5 -f where", "-rqfwhere --count 5",
		"--count=5 --file=where --quick --raw", "--count 5 --file where --quick --raw",
		"--co 5 --fi=where --qu --r",
	};

	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		ck_assert_ptr_null(read_line(&alone, ways[i]));
		ck_assert_uint_eq(options.count, 5);
		ck_assert_str_eq(options.file, "where");
		ck_assert(options.quick && options.raw);
		ck_assert_int_eq(found.count, 0);
	}
}
END_TEST

START_TEST(operands_stand_anywhere)
{
	ck_assert_ptr_null(read_line(&alone, "one -q two - --count=2 three -- -n --raw"));
	ck_assert_int_eq(found.count, 6);
	ck_assert_str_eq(found.operands[0], "one");
	ck_assert_str_eq(found.operands[1], "two");
	ck_assert_str_eq(found.operands[2], "-");
	ck_assert_str_eq(found.operands[3], "three");
	ck_assert_str_eq(found.operands[4], "-n");
	ck_assert_str_eq(found.operands[5], "--raw");
	ck_assert(options.quick && !options.raw && options.count == 2);
}
END_TEST

START_TEST(last_one_counts)
{
	ck_assert_ptr_null(read_line(&alone, "-x --plain -n 2 -n 3"));
	ck_assert_int_eq(options.choice, 4);
	ck_assert_uint_eq(options.count, 3);
	ck_assert_ptr_null(read_line(&alone, "--plain -x"));
	ck_assert_int_eq(options.choice, 3);
}
END_TEST

START_TEST(values)
{
	ck_assert_ptr_null(read_line(&alone, "-n 7 -w 3ms --pause 0"));
	ck_assert_int_eq(options.timeout_us, 3000);
	is_wrong(&alone, "-n 8", "--count 8: not a number from 1 to 7");
	is_wrong(&alone, "-n 0", "--count 0: not a number from 1 to 7");
	is_wrong(&alone, "-n 9", "--count 9: not a number from 1 to 7");
	is_wrong(&alone, "--count=", "--count : not a number from 1 to 7");
	is_wrong(&alone, "-w 0s", "--timeout 0s: no time at all");
	is_wrong(&alone, "-w 3x", "--timeout 3x: unknown unit, use us, ms, s, m or h");
	is_wrong(&alone, "--pause 1001ms", "--pause 1001ms: longer than 1s");
	is_wrong(&alone, "-n 99999999999999999999", "--count 99999999999999999999: not a number from 1 to 7");
	is_wrong(&alone, "-n +3", "--count +3: not a number from 1 to 7");
	ck_assert_ptr_null(read_line(&alone, "--how seldom"));
	ck_assert_str_eq(options.how, "seldom");
	is_wrong(&alone, "--how oftne", "--how oftne: did you mean often?");
	is_wrong(&alone, "--how", "--how needs a value: HOW");
	is_wrong(&alone, "--how elephants", "--how elephants: none of often|seldom");
	is_wrong(&many, "drop thsi", "WHAT thsi: did you mean this?");
	is_wrong(&many, "drop elephants", "WHAT elephants: none of this|that");
}
END_TEST

START_TEST(what_is_no_option)
{
	is_wrong(&alone, "-qz", "unknown option -z, see some --help");
	is_wrong(&alone, "--cuont 3", "unknown option --cuont, did you mean --count?");
	is_wrong(&alone, "--cuont=3", "unknown option --cuont, did you mean --count?");
	is_wrong(&alone, "--elephant", "unknown option --elephant, see some --help");
	is_wrong(&alone, "--p", "option --p may be --pause or --plain");
	is_wrong(&alone, "-qn", "--count needs a value: COUNT");
	is_wrong(&alone, "--file", "--file needs a value: FILE");
	is_wrong(&alone, "--quick=yes", "--quick takes no value");
	is_wrong(&alone, "--plain=yes", "--plain takes no value");
}
END_TEST

START_TEST(commands_have_options_of_their_own)
{
	ck_assert_ptr_null(read_line(&many, "-q fetch -f where here"));
	ck_assert(found.command == FETCH && found.count == 1 && options.quick);
	ck_assert_str_eq(found.operands[0], "here");
	ck_assert_str_eq(options.file, "where");
	ck_assert_ptr_null(read_line(&many, "--file=where fetch"));
	ck_assert(found.command == FETCH && found.count == 0);
	ck_assert_ptr_null(read_line(&many, "-- fetch -q"));
	ck_assert_str_eq(found.operands[0], "-q");
	is_wrong(&many, "drop this -f where", "--file is no option of drop, but of fetch");
	is_wrong(&many, "drop this --file where", "--file is no option of drop, but of fetch");
	is_wrong(&many, "--file where drop this", "--file is no option of drop, but of fetch");
	setenv("POSIXLY_CORRECT", "1", true);
	ck_assert_ptr_null(read_line(&many, "drop this -q"));
	ck_assert(options.quick);
	is_wrong(&many, "drop this --fiel where", "unknown option --fiel, see some drop --help");
	is_wrong(&many, "drop this --cuont 3", "unknown option --cuont, did you mean --count?");
}
END_TEST

START_TEST(what_is_no_command)
{
	is_wrong(&many, "", "no command, see some --help");
	is_wrong(&many, "-q", "no command, see some --help");
	is_wrong(&many, "fecth", "unknown command fecth, did you mean fetch?");
	is_wrong(&many, "hlep", "unknown command hlep, did you mean help?");
	is_wrong(&many, "elephant", "unknown command elephant, see some --help");
	is_wrong(&many, "help fecth", "unknown command fecth, did you mean fetch?");
}
END_TEST

START_TEST(operands_are_counted)
{
	is_wrong(&many, "drop", "WHAT: not given");
	is_wrong(&many, "drop this that", "that: one operand too many");
	is_wrong(&many, "fetch this that", "that: one operand too many");
	is_wrong(&strict, "-q this", "this: one operand too many");
	ck_assert_ptr_null(read_line(&strict, "-q"));
}
END_TEST

/* What goes to standard output meanwhile. */
static void printed(char *to, size_t size, const struct options_command *command)
{
	FILE *file = tmpfile();
	int out = dup(STDOUT_FILENO);
	size_t len;

	ck_assert(file && out >= 0);
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	options_help(&many, command);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	rewind(file);
	len = fread(to, 1, size - 1, file);
	to[len] = '\0';
	fclose(file);
}

START_TEST(help_of_each)
{
	char text[4096];

	printed(text, sizeof text, NULL);
	ck_assert_ptr_nonnull(strstr(text, "usage: some [OPTION...] COMMAND\nDoes.\n\nCommands:\n"
	                                   "  fetch [FROM]            fetch things\n"
	                                   "  drop WHAT               drop things\n"
	                                   "  help [COMMAND] "));
	ck_assert_ptr_nonnull(strstr(text, "\n\nOptions:\n  -n, --count COUNT       how often\n"));
	ck_assert_ptr_nonnull(strstr(text, "\n  -V, --version           print the version\n"));
	ck_assert_ptr_null(strstr(text, "--file"));
	printed(text, sizeof text, &commands[FETCH]);
	ck_assert_ptr_nonnull(strstr(text, "\nFetch things.\nHOW: often|seldom\n\nOptions:\n"));
	printed(text, sizeof text, &commands[DROP]);
	ck_assert_ptr_nonnull(strstr(text, "usage: some drop [OPTION...] WHAT\nDrop things.\n"
					   "WHAT: this|that\n\nOptions:\n"));
	ck_assert_ptr_null(strstr(text, "--file"));
	ck_assert_ptr_nonnull(strstr(text, "\n      --a-name-that-leaves-no-room FOR-ITS-HELP\n"
	                                   "                          as long as a name can be, and beyond it a help "
	                                   "goes on\n                          and on\n"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("options");
	TCase *tcase = tcase_create("options");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, each_way_to_say_it);
	tcase_add_test(tcase, operands_stand_anywhere);
	tcase_add_test(tcase, last_one_counts);
	tcase_add_test(tcase, values);
	tcase_add_test(tcase, what_is_no_option);
	tcase_add_test(tcase, commands_have_options_of_their_own);
	tcase_add_test(tcase, what_is_no_command);
	tcase_add_test(tcase, operands_are_counted);
	tcase_add_test(tcase, help_of_each);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
