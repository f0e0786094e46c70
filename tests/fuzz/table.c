/*
 * table.c - fuzz target: a table is taken exactly when a slow and simple reader of protocol.md takes it, with the same
 * lines named as bad, and answers as that reader does.
 *
 * input: the longest question, two bytes; then the file.
 */
#include <stdbool.h>

#include "fuzz.h"
#include "protocol/table.h"

enum { MOST_LINES = 2000, MOST_REPORTS = 100 };

struct aphorism {
	const char *question, *answer;
	size_t question_len, answer_len;
};

static struct aphorism known[MOST_LINES];
static size_t known_count, bad[MOST_LINES], bad_count, reported[MOST_REPORTS + 2], report_count;

static bool is_white(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static bool is_known(const char *question, size_t len)
{
	for (size_t i = 0; i < known_count; i++)
		if (known[i].question_len == len && memcmp(known[i].question, question, len) == 0)
			return true;
	return false;
}

/* Returns whether the line is right; an aphorism is remembered. */
static bool read_line(const char *at, size_t len, size_t longest)
{
	size_t mark = 0, answer;

	while (len > 0 && is_white(at[len - 1]))
		len--;
	while (len > 0 && is_white(*at))
		at++, len--;
	if (len == 0 || *at == '#')
		return true;
	while (mark < len && at[mark] != '?')
		mark++;
	if (mark + 1 >= len || mark + 1 > longest || !is_white(at[mark + 1]) || at[len - 1] != '.')
		return false;
	for (answer = mark + 1; is_white(at[answer]); answer++)
		;
	for (size_t i = answer; i + 1 < len; i++)
		if (at[i] == '?' || at[i] == '.')
			return false;
	if (len - answer > TABLE_LONGEST_ANSWER || is_known(at, mark + 1))
		return false;
	known[known_count++] = (struct aphorism){ at, at + answer, mark + 1, len - answer };
	return true;
}

/* False when the text is too long for the slow reader. */
static bool read_slowly(const char *text, size_t len, size_t longest)
{
	size_t line = 0, begin = 0;

	known_count = bad_count = report_count = 0;
	for (size_t i = 0; i <= len; i++) {
		if (i < len && text[i] != '\n')
			continue;
		if (++line == MOST_LINES)
			return false;
		if (!read_line(text + begin, i - begin, longest))
			bad[bad_count++] = line;
		begin = i + 1;
	}
	return true;
}

static void report(void *arg, size_t line, const char *reason)
{
	REQUIRE(arg == known && reason && *reason);
	REQUIRE(report_count <= MOST_REPORTS);
	reported[report_count++] = line;
}

static void expect_reports(void)
{
	size_t count = bad_count < MOST_REPORTS ? bad_count : MOST_REPORTS;

	if (bad_count == 0) {
		REQUIRE(report_count == (known_count == 0) && (report_count == 0 || reported[0] == 0));
		return;
	}
	REQUIRE(report_count == count + (bad_count > MOST_REPORTS));
	REQUIRE(memcmp(reported, bad, count * sizeof *bad) == 0);
}

static void expect_answers(const struct table *table, const char *text, size_t len)
{
	size_t longest = 0;

	REQUIRE(table->count == known_count);
	for (size_t i = 0; i < known_count; i++) {
		struct span found = table_find(table, (struct span){ known[i].question, known[i].question_len });

		REQUIRE(found.len == known[i].answer_len && memcmp(found.at, known[i].answer, found.len) == 0);
		longest = found.len > longest ? found.len : longest;
	}
	REQUIRE(table->longest_answer == longest);
	/* any other question that the text could be mistaken to hold */
	for (size_t begin = 0, end = 0; end < len && end < 200; end++) {
		if (text[end] != '?')
			continue;
		for (; begin <= end; begin++) {
			struct span question = { text + begin, end + 1 - begin };

			REQUIRE((table_find(table, question).len > 0) == is_known(question.at, question.len));
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed feed = { data, data + size };
	size_t longest = 2 + feed_byte(&feed) + (size_t)feed_byte(&feed) * 64;
	const char *text = (const char *)feed.at;
	size_t len = feed_left(&feed), lines = table_lines(text, len), whole = table_size(len, lines), reports;
	struct table *table;

	if (!read_slowly(text, len, longest))
		return 0;
	table = malloc(whole);
	REQUIRE(table);
	memset(table, 0xa5, whole);
	memcpy(table_text(table), text, len);
	table->text_len = len;
	reports = table_build(table, lines, longest, report, known);
	REQUIRE(reports == report_count);
	expect_reports();
	if (reports == 0)
		expect_answers(table, text, len);
	free(table);
	return 0;
}
