/*
 * test_command.c - lines of the control protocol, and who may say them.
 */
#include "common/command.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static const char long_word[] = "statusstatusstatusstatusstatusstatus";

static const struct {
	const char *line, *name, *argument;
} lines[] = {
	{ "ping", "ping", NULL },          { "status", "status", NULL },      { "stop", "stop", NULL },
	{ "stop now", "stop", "now" },     { "drain 3", "drain", "3" },       { "drain ", "drain", "" },
	{ "log a b ", "log", "a b " },
	/* nor any of these */
	{ "", NULL, NULL },                { " ", NULL, NULL },               { " ping", NULL, NULL },
	{ "ping ", NULL, NULL },           { "ping more", NULL, NULL },       { "pign", NULL, NULL },
	{ "pin", NULL, NULL },             { "pings", NULL, NULL },           { "Ping", NULL, NULL },
	{ "stop ", NULL, NULL },           { "stop no", NULL, NULL },         { "stop now ", NULL, NULL },
	{ "stop --now", NULL, NULL },      { "drain", NULL, NULL },           { "log", NULL, NULL },
	{ "top", NULL, NULL },             { "help", NULL, NULL },            { "help ping", NULL, NULL },
	{ "ping\t", NULL, NULL },          { long_word, NULL, NULL },
};

START_TEST(a_line_is_a_command)
{
	const char *argument;
	const struct command *command = command_parse(lines[_i].line, &argument);

	ck_assert_pstr_eq(command ? command->name : NULL, lines[_i].name);
	if (command)
		ck_assert_pstr_eq(argument, lines[_i].argument);
}
END_TEST

START_TEST(what_the_lesser_right_is_for)
{
	char named[64] = "";

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (commands[i].right == COMMAND_BY_NAMED)
			strcat(strcat(named, " "), commands[i].name);
	ck_assert_str_eq(named, " status reload ping");
}
END_TEST

START_TEST(lists)
{
	ck_assert_str_eq(commands[COMMAND_WORKERS].name, "workers");
	ck_assert_ptr_eq(command_listing("worker"), &commands[COMMAND_WORKERS]);
	ck_assert(command_listing("worker")->fields);
	ck_assert_ptr_eq(command_listing("changed"), &commands[COMMAND_RELOAD]);
	ck_assert(!command_listing("changed")->fields);
	ck_assert_ptr_null(command_listing("error"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("command");
	TCase *tcase = tcase_create("command");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, a_line_is_a_command, 0, sizeof lines / sizeof *lines);
	tcase_add_test(tcase, what_the_lesser_right_is_for);
	tcase_add_test(tcase, lists);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
