/*
 * ask.c - asks a conversation and a table the same questions each time, under callgrind: see tests/check-instructions.
 *
 * usage: ask COUNT     so many questions of each kind; at the end of each kind callgrind's counts are dumped under
 *                      its name
 *        ask           says what the counts depend on
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <valgrind/callgrind.h>
#include <xxhash.h>

#include "protocol/conversation.h"
#include "protocol/table.h"

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

enum { AHEAD = 16, LONG = 1000, LONGEST = 4096, ROOM = 65536 };

static const char *const three[] = {
	"Beautiful is better than?", "Explicit is better than?", "Simple is better than?",
};
static char in[ROOM], out[ROOM];

static void begin(void)
{
	CALLGRIND_ZERO_STATS;
}

static void end(const char *name)
{
	CALLGRIND_DUMP_STATS_AT(name);
}

static void unexpected(void *arg, size_t line, const char *reason)
{
	(void)arg;
	fprintf(stderr, "ask: line %zu: %s\n", line, reason);
	exit(1);
}

static struct table *load(const char *text, size_t len, size_t lines)
{
	struct table *table = malloc(table_size(len, lines));

	if (!table)
		exit(1);
	memcpy(table_text(table), text, len);
	table->text_len = len;
	begin();
	table_build(table, lines, LONGEST, unexpected, NULL);
	if (lines > 3)
		end("table-to-load");
	return table;
}

/* The three, and as many more as are missing to `lines`. */
static struct table *table_of(int lines)
{
	char *text = malloc((size_t)lines * 64), *at = text;

	for (int i = 0; i < 3; i++)
		at += sprintf(at, "%s Number %d.\n", three[i], i);
	for (int i = 3; i < lines; i++)
		at += sprintf(at, "What is better than %d? Number %d.\n", i, i);
	return load(text, (size_t)(at - text), (size_t)lines);
}

/* Gives the pieces in turn, which are questions or parts of them, and drops what is said. */
static void converse(const char *name, const struct table *table, const char *const *pieces, int kinds, int count)
{
	struct service service = { .protocol = &protocol_aphorism, .data = table, .greatest = LONGEST,
		                   .question_us = 1000000, .idle_us = 1000000 };
	struct bytes input = { .at = in, .size = sizeof in }, output = { .at = out, .size = sizeof out };
	struct conversation c;

	begin();
	conversation_init(&c, &service, 1);
	for (int i = 0; i < count; i++) {
		const char *piece = pieces[i % kinds];
		uint32_t len = (uint32_t)strlen(piece);

		memcpy(in + input.len, piece, len);
		input.len += len;
		output.len = 0;
		if (conversation_answer(&c, &input, &output, 1) != CONVERSATION_READ)
			exit(1);
	}
	end(name);
}

static void ask_conversation(const struct table *table, int count)
{
	static const char *const halves[] = { "Simple is", " better than?" };
	char ahead[AHEAD * 32] = "", endless[LONG + 1];

	converse("one-at-a-time", table, three, 3, count);
	converse("unknown", table, &(const char *){ "What is your quest?" }, 1, count);
	converse("in-two-halves", table, halves, 2, 2 * count);
	converse("between-spaces", table, &(const char *){ "\r\n \tSimple is better than?\r\n" }, 1, count);
	for (int i = 0; i < AHEAD; i++)
		strcat(ahead, three[i % 3]);
	converse("sixteen-at-once", table, &(const char *){ ahead }, 1, count / AHEAD);
	memset(endless, 'x', LONG);
	strcpy(endless + LONG - 1, "?");
	converse("a-thousand-bytes", table, &(const char *){ endless }, 1, count);
}

static void find(const char *name, const struct table *table, const struct span *questions, int kinds, int count)
{
	begin();
	for (int i = 0; i < count; i++)
		if (table_find(table, questions[i % kinds]).len == 0)
			exit(1);
	end(name);
}

static void ask_tables(const struct table *small, int count)
{
	static struct span same[3];
	struct span *any = malloc((size_t)count * sizeof *any);
	char *text = malloc((size_t)count * 32), *at = text;
	const struct table *large = table_of(count);
	unsigned number = 1;

	for (int i = 0; i < 3; i++)
		same[i] = (struct span){ three[i], strlen(three[i]) };
	for (int i = 0; i < count; i++) {
		number = number * 1664525 + 1013904223;
		any[i].at = at;
		at += any[i].len = (size_t)sprintf(at, "What is better than %u?",
		                                   3 + (number >> 8) % (unsigned)(count - 3));
	}
	find("table-of-three", small, same, 3, count);
	find("same-three-of-many", large, same, 3, count);
	find("any-of-many", large, any, count, count);
}

int main(int argc, char **argv)
{
	int count = argc > 1 ? atoi(argv[1]) : 0;
	char libc[64] = "another libc";
	const struct table *small;

	if (count < AHEAD) {
		confstr(_CS_GNU_LIBC_VERSION, libc, sizeof libc);
		printf("%s, %s, xxhash %u\n", COMPILER, libc, XXH_VERSION_NUMBER);
		return 0;
	}
	small = table_of(3);
	ask_conversation(small, count);
	ask_tables(small, count);
	return 0;
}
