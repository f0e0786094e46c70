/*
 * test_table.c - the table of aphorisms: what it takes, what it refuses, and that it finds all it holds.
 */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "protocol/table.h"

enum { LONGEST_QUESTION = 4096, MANY = 100000, MILLION = 1000000 };

/* All reports of a build, each as "LINE: reason\n". */
static char reports[8192];

static void note(void *arg, size_t line, const char *reason)
{
	size_t len = strlen(reports);

	ck_assert_ptr_eq(arg, reports);
	snprintf(reports + len, sizeof reports - len, "%zu: %s\n", line, reason);
}

/* A table to be freed; its block is full of rubbish and of the exact size: ASan sees a step beyond it. */
static struct table *build_bytes(const char *text, size_t len, size_t *errors)
{
	size_t lines = table_lines(text, len), size = table_size(len, lines);
	struct table *table = malloc(size);

	ck_assert_ptr_nonnull(table);
	memset(table, 0x5a, size);
	table->text_len = len;
	if (len > 0)
		memcpy(table_text(table), text, len);
	reports[0] = '\0';
	*errors = table_build(table, lines, LONGEST_QUESTION, note, reports);
	return table;
}

static struct table *build(const char *text)
{
	size_t errors;
	struct table *table = build_bytes(text, strlen(text), &errors);

	ck_assert_str_eq(reports, "");
	ck_assert_uint_eq(errors, 0);
	return table;
}

static bool same(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static void holds(const struct table *table, const char *question, const char *answer)
{
	struct span found = table_find(table, (struct span){ question, strlen(question) });

	ck_assert_msg(same(found, (struct span){ answer, strlen(answer) }), "%s -> %.*s, not %s",
	              question, (int)found.len, found.at ? found.at : "", answer);
}

static void refuses(const char *text, const char *expected)
{
	size_t errors, lines = 0;
	struct table *table = build_bytes(text, strlen(text), &errors);

	for (const char *at = expected; *at; at++)
		lines += *at == '\n';
	ck_assert_str_eq(reports, expected);
	ck_assert_uint_eq(errors, lines);
	free(table);
}

START_TEST(test_forms)
{
	struct table *table = build("# A comment? It is. One.\n"
	                            "\n \t\r\n"
	                            "  # not at the margin\n"
	                            "Beautiful is better than? Ugly.\n"
	                            "\t Explicit is better than?\t  Implicit. \t\n"
	                            "Simple is better than? Complex.\r\n"
	                            "? Nothing.\n"
	                            "Silence? .\n"
	                            "What is 3.5? A number.\n"
	                            "Two  spaces? Count.\n"
	                            "What # is this? A # sign.\n"
	                            "The last? Needs no newline.");

	ck_assert_uint_eq(table->count, 9);
	ck_assert_uint_eq(table->longest_answer, strlen("Needs no newline."));
	holds(table, "Beautiful is better than?", "Ugly.");
	holds(table, "Explicit is better than?", "Implicit.");
	holds(table, "Simple is better than?", "Complex.");
	holds(table, "?", "Nothing.");
	holds(table, "Silence?", ".");
	holds(table, "What is 3.5?", "A number.");
	holds(table, "Two  spaces?", "Count.");
	holds(table, "What # is this?", "A # sign.");
	holds(table, "The last?", "Needs no newline.");
	holds(table, "Two spaces?", "");
	holds(table, "beautiful is better than?", "");
	holds(table, "Beautiful is better than ?", "");
	holds(table, "# A comment?", "");
	holds(table, " A comment?", "");
	holds(table, "last?", "");
	holds(table, "The last? Needs no newline.?", "");
	free(table);
}
END_TEST

START_TEST(test_any_byte)
{
	static const char text[] = "a\0b? c\0d.\na? e.\n\xff\xfe? \x80.\na\rb? \r\x7f.\n";
	size_t errors;
	struct table *table = build_bytes(text, sizeof text - 1, &errors);

	ck_assert_uint_eq(errors, 0);
	ck_assert(same(table_find(table, SPAN("a\0b?")), SPAN("c\0d.")));
	ck_assert(same(table_find(table, SPAN("a?")), SPAN("e.")));
	ck_assert(same(table_find(table, SPAN("\xff\xfe?")), SPAN("\x80.")));
	ck_assert(same(table_find(table, SPAN("a\rb?")), SPAN("\x7f.")));
	ck_assert_uint_eq(table_find(table, SPAN("a\0c?")).len, 0);
	free(table);
}
END_TEST

START_TEST(test_errors)
{
	refuses("", "0: no aphorism in it\n");
	refuses("\n\n# nothing? here.\n", "0: no aphorism in it\n");
	refuses("No question.\n", "1: no '?'\n");
	refuses("A? B.\nWho? Me? You.\n", "2: a second '?'\n");
	refuses("A? B?\n", "1: a second '?'\n");
	refuses("A?? B.\n", "1: a second '?'\n");
	refuses("A?\n", "1: no answer\n");
	refuses("A? \t\r\nB? C.", "1: no answer\n");
	refuses("Who?Me.\n", "1: no white space between question and answer\n");
	refuses("A? B\n", "1: no '.' at the end of the answer\n");
	refuses("A? B. C\n", "1: no '.' at the end of the answer\n");
	refuses("A? B. C.\n", "1: another '.' in the answer\n");
	refuses("A? B..\n", "1: another '.' in the answer\n");
	refuses("A? B.\nC? D.\nA? E.\n", "3: the question of line 1 again\n");
	refuses("\n#\nA? B.\n\n A?  B.\nA? C.",
	        "5: the question of line 3 again\n6: the question of line 3 again\n");
	refuses("x\n\ny?\nB? C.\nz? z", "1: no '?'\n3: no answer\n5: no '.' at the end of the answer\n");
}
END_TEST

START_TEST(test_limits)
{
	static char text[2 * TABLE_LONGEST_ANSWER];
	struct span answer;
	struct table *table;

	memset(text, 'q', LONGEST_QUESTION);
	strcpy(text + LONGEST_QUESTION - 1, "? a.\n");
	free(build(text));
	strcpy(text + LONGEST_QUESTION - 1, "q? a.\n");
	refuses(text, "1: a question longer than max_question_length\n");

	strcpy(text, "q? ");
	memset(text + 3, 'a', TABLE_LONGEST_ANSWER);
	strcpy(text + 3 + TABLE_LONGEST_ANSWER - 1, ".\n");
	table = build(text);
	answer = table_find(table, SPAN("q?"));
	ck_assert(same(answer, (struct span){ text + 3, TABLE_LONGEST_ANSWER }));
	ck_assert_uint_eq(table->longest_answer, TABLE_LONGEST_ANSWER);
	free(table);
	strcpy(text + 3 + TABLE_LONGEST_ANSWER - 1, "a.\n");
	refuses(text, "1: an answer longer than 65535 bytes\n");
}
END_TEST

START_TEST(test_too_large)
{
	struct table table = { .text_len = UINT64_C(1) << 40 };

	reports[0] = '\0';
	ck_assert_uint_eq(table_build(&table, 1, LONGEST_QUESTION, note, reports), 1);
	ck_assert_str_eq(reports, "0: larger than 1 TiB\n");
}
END_TEST

/* Exactly 100 errors are all told; beyond, one line says so. */
START_TEST(test_many_errors)
{
	static char text[1000], expected[8192];

	for (int line = 1; line <= 100; line++) {
		strcat(text, "bad\n");
		sprintf(expected + strlen(expected), "%d: no '?'\n", line);
	}
	refuses(text, expected);
	strcat(text, "bad\nbad\nbad\n");
	strcat(expected, "0: more errors, not shown\n");
	refuses(text, expected);
}
END_TEST

/* Every prefix of a file builds or reports, and what it holds of whole lines is found. */
START_TEST(test_truncated)
{
	static const char text[] = "# c\nA? B.\r\n  long question? long answer.\n\nA1? x\0y.\nWhy? So.";

	for (size_t len = 0; len < sizeof text; len++) {
		size_t errors;
		struct table *table = build_bytes(text, len, &errors);

		if (len < 5 || len == sizeof text - 2)
			ck_assert_uint_eq(errors, 1);
		if (errors == 0 && len >= 9) {
			ck_assert(same(table_find(table, SPAN("A?")), SPAN("B.")));
			ck_assert_uint_eq(table_find(table, SPAN("Who?")).len, 0);
		}
		free(table);
	}
}
END_TEST

/* With any number of aphorisms all are found, and a look-up in vain comes to an end. */
START_TEST(test_every_size)
{
	char text[4096], question[16], answer[16];

	for (int count = 1; count <= 200; count++) {
		char *end = text;
		struct table *table;

		for (int i = 0; i < count; i++)
			end += sprintf(end, "%dx? %dy.\n", i, i);
		table = build(text);
		for (int i = 0; i < count; i++) {
			sprintf(question, "%dx?", i);
			sprintf(answer, "%dy.", i);
			holds(table, question, answer);
			sprintf(question, "%dz?", i);
			holds(table, question, "");
		}
		free(table);
	}
}
END_TEST

/* Questions with the entry and the tag of another, one short, one longer than the block: neither is found. */
START_TEST(test_twins)
{
	struct table *table = build("A? A long answer.");
	uint64_t hash = XXH3_64bits("A?", 2);
	char twin[209];

	memset(twin, 'x', sizeof twin);
	memcpy(twin, "0a887d53?", 9);
	ck_assert_uint_eq((XXH3_64bits(twin, 9) ^ hash) & ~UINT64_C(0xfffffffff8), 0);
	ck_assert_uint_eq(table_find(table, (struct span){ twin, 9 }).len, 0);
	memcpy(twin, "02660779x", 9);
	twin[sizeof twin - 1] = '?';
	ck_assert_uint_eq((XXH3_64bits(twin, sizeof twin) ^ hash) & ~UINT64_C(0xfffffffff8), 0);
	ck_assert_uint_eq(table_find(table, (struct span){ twin, sizeof twin }).len, 0);
	free(table);
}
END_TEST

/* A question of its own for each number: eight digits, ':', bytes of any kind, '?'.  Returns its length. */
static size_t random_question(char *to, unsigned number)
{
	size_t len = (size_t)sprintf(to, "%08x:", number);

	for (size_t more = (size_t)rand() % 40; more > 0; more--) {
		char byte = (char)rand();

		to[len++] = byte == '\n' || byte == '?' ? 'n' : byte;
	}
	to[len++] = '?';
	return len;
}

static void near_misses_fail(const struct table *table, char *question, size_t len, size_t i)
{
	question[i] = (char)(question[i] ^ 0x80);
	ck_assert_uint_eq(table_find(table, (struct span){ question, len }).len, 0);
	question[i] = (char)(question[i] ^ 0x80);
	ck_assert_uint_eq(table_find(table, (struct span){ question + 1, len - 1 }).len, 0);
	question[len - 1] = '!';
	question[len] = '?';
	ck_assert_uint_eq(table_find(table, (struct span){ question, len + 1 }).len, 0);
	question[len - 2] = '?';
	ck_assert_uint_eq(table_find(table, (struct span){ question, len - 1 }).len, 0);
}

START_TEST(test_random)
{
	char *text = malloc((size_t)MANY * 80), *end = text, question[64];
	struct table *table;
	size_t errors;

	srand(1);
	for (unsigned i = 0; i < MANY; i++) {
		end += random_question(end, i);
		end += sprintf(end, " %u times %u.\n", i, i);
	}
	table = build_bytes(text, (size_t)(end - text), &errors);
	ck_assert_str_eq(reports, "");
	ck_assert_uint_eq(table->count, MANY);
	free(text);
	srand(1);
	for (unsigned i = 0; i < MANY; i++) {
		char answer[32];
		size_t len = random_question(question, i);

		sprintf(answer, "%u times %u.", i, i);
		ck_assert(same(table_find(table, (struct span){ question, len }),
		               (struct span){ answer, strlen(answer) }));
		near_misses_fail(table, question, len, i % (len - 1));
	}
	free(table);
}
END_TEST

START_TEST(test_million)
{
	char *text = malloc((size_t)MILLION * 40), *end = text, question[32], answer[32];
	struct table *table;

	for (int i = 0; i < MILLION; i++)
		end += sprintf(end, "What is %d? Number %d.\n", i, i);
	table = build(text);
	ck_assert_uint_eq(table->count, MILLION);
	for (int i = 0; i < MILLION; i += 7) {
		sprintf(question, "What is %d?", i);
		sprintf(answer, "Number %d.", i);
		holds(table, question, answer);
	}
	free(table);
	strcpy(end, "What is 777777? That again.\n");
	refuses(text, "1000001: the question of line 777778 again\n");
	free(text);
}
END_TEST

static char *shipped(const char *name)
{
	const char *top = getenv("srcdir");
	char *text = calloc(1, 4096), path[4096];
	FILE *file;

	snprintf(path, sizeof path, "%s/etc/%s", top ? top : ".", name);
	file = fopen(path, "re");
	ck_assert_msg(file != NULL, "%s", path);
	ck_assert_uint_gt(fread(text, 1, 4095, file), 0);
	fclose(file);
	return text;
}

/* The default table holds the protocol's own three aphorisms, in its order; the samples do not clash. */
START_TEST(test_shipped)
{
	static const char three[] = "\nBeautiful is better than? Ugly.\nExplicit is better than? Implicit.\n"
	                            "Simple is better than? Complex.\n";
	char *zen = shipped("zen.aphorisms"), *lancelot = shipped("lancelot.aphorisms"), both[8192];
	struct table *table = build(zen);

	ck_assert_uint_eq(table->count, 3);
	ck_assert_ptr_nonnull(strstr(zen, three));
	free(table);
	snprintf(both, sizeof both, "%s%s", zen, lancelot);
	table = build(both);
	holds(table, "Simple is better than?", "Complex.");
	holds(table, "Now is better than?", "Never.");
	holds(table, "What is your name?", "My name is Sir Lancelot of Camelot.");
	holds(table, "What is your quest?", "To seek the Holy Grail.");
	holds(table, "What is your favorite color?", "Blue.");
	free(table);
	free(lancelot);
	free(zen);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("table");
	TCase *tests = tcase_create("table");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tests, 120);
	tcase_add_test(tests, test_forms);
	tcase_add_test(tests, test_any_byte);
	tcase_add_test(tests, test_errors);
	tcase_add_test(tests, test_limits);
	tcase_add_test(tests, test_too_large);
	tcase_add_test(tests, test_many_errors);
	tcase_add_test(tests, test_truncated);
	tcase_add_test(tests, test_every_size);
	tcase_add_test(tests, test_twins);
	tcase_add_test(tests, test_random);
	tcase_add_test(tests, test_million);
	tcase_add_test(tests, test_shipped);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
