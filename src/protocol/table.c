/*
 * table.c - the table of aphorisms: which answer belongs to a question.
 *
 * An entry of the index is 0 while it is empty; else its low 40 bits are 1 + the question's offset in the text,
 * and its high 24 bits are those of the question's hash: a look-up leaves the index for the text only when
 * these agree.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "protocol/table.h"

#define OFFSET_MASK ((UINT64_C(1) << 40) - 1)

enum { ENTRIES_LEAST = 8, REPORTS_MOST = 100, REASON_SIZE = 64 };

static const char *text_of(const struct table *table)
{
	return (const char *)(table + 1);
}

static const uint64_t *index_of(const struct table *table)
{
	return (const void *)((const char *)table + table->index_at);
}

static uint64_t *writable_index(struct table *table)
{
	return (void *)((char *)table + table->index_at);
}

static uint64_t index_offset(uint64_t text_len)
{
	return (sizeof(struct table) + text_len + 7) & ~UINT64_C(7);
}

static uint64_t entries_for(size_t lines)
{
	uint64_t entries = ENTRIES_LEAST;

	while (entries / 4 * 3 < lines)
		entries *= 2;
	return entries;
}

char *table_text(struct table *table)
{
	return (char *)(table + 1);
}

size_t table_lines(const char *text, size_t len)
{
	const char *end = text + len, *newline;
	size_t lines = 0;

	for (; text < end; text = newline + 1, lines++) {
		newline = memchr(text, '\n', (size_t)(end - text));
		if (!newline)
			return lines + 1;
	}
	return lines;
}

uint64_t table_size(size_t text_len, size_t lines)
{
	return index_offset(text_len) + entries_for(lines) * sizeof(uint64_t);
}

static uint64_t offset_in(uint64_t entry)
{
	return (entry & OFFSET_MASK) - 1;
}

/*
 * The number of the entry that holds the question, or of the empty one where it belongs.  A question that
 * starts with the same bytes is the same one: both end with their only '?'.
 */
static uint64_t probe(const struct table *table, struct span question, uint64_t hash)
{
	const uint64_t *index = index_of(table);
	uint64_t i = hash & table->mask;

	for (; index[i] != 0; i = (i + 1) & table->mask) {
		uint64_t offset = offset_in(index[i]);

		if (((index[i] ^ hash) & ~OFFSET_MASK) == 0 && question.len <= table->text_len - offset
		    && memcmp(text_of(table) + offset, question.at, question.len) == 0)
			break;
	}
	return i;
}

struct span table_find(const struct table *table, struct span question)
{
	uint64_t entry = index_of(table)[probe(table, question, XXH3_64bits(question.at, question.len))];
	const char *at, *end;

	if (entry == 0)
		return (struct span){ NULL, 0 };
	at = text_of(table) + offset_in(entry) + question.len;
	while (protocol_is_space(*at))
		at++;
	end = memchr(at, '.', table->longest_answer);
	return (struct span){ at, (size_t)(end - at) + 1 };
}

static struct span trim(const char *begin, const char *end)
{
	while (begin < end && protocol_is_space(*begin))
		begin++;
	while (begin < end && protocol_is_space(end[-1]))
		end--;
	return (struct span){ begin, (size_t)(end - begin) };
}

/* Takes an aphorism apart; NULL, or the reason why it is none. */
static const char *parse(struct span line, size_t max_question_length,
                         struct span *question, struct span *answer)
{
	const char *end = line.at + line.len, *mark = memchr(line.at, '?', line.len);

	if (!mark)
		return "no '?'";
	*question = (struct span){ line.at, (size_t)(++mark - line.at) };
	*answer = trim(mark, end);
	if (memchr(answer->at, '?', answer->len))
		return "a second '?'";
	if (question->len > max_question_length)
		return "a question longer than max_question_length";
	if (answer->len == 0)
		return "no answer";
	if (answer->at == mark)
		return "no white space between question and answer";
	if (end[-1] != '.')
		return "no '.' at the end of the answer";
	if (memchr(answer->at, '.', answer->len - 1))
		return "another '.' in the answer";
	if (answer->len > TABLE_LONGEST_ANSWER)
		return "an answer longer than 65535 bytes";
	return NULL;
}

/* Enters a question; NULL, or where in the text the same one stands already. */
static const char *enter(struct table *table, struct span question)
{
	uint64_t hash = XXH3_64bits(question.at, question.len);
	uint64_t *entry = &writable_index(table)[probe(table, question, hash)];

	if (*entry != 0)
		return text_of(table) + offset_in(*entry);
	*entry = (hash & ~OFFSET_MASK) | ((uint64_t)(question.at - text_of(table)) + 1);
	table->count++;
	return NULL;
}

/* Enters a line's aphorism, if it holds one; NULL, or what is wrong, if need be rendered in `reason`. */
static const char *read_line(struct table *table, struct span line, size_t max_question_length,
                             char reason[REASON_SIZE])
{
	struct span question, answer;
	const char *fault, *first;

	if (line.len == 0 || *line.at == '#')
		return NULL;
	fault = parse(line, max_question_length, &question, &answer);
	if (fault)
		return fault;
	if (answer.len > table->longest_answer)
		table->longest_answer = answer.len;
	first = enter(table, question);
	if (!first)
		return NULL;
	snprintf(reason, REASON_SIZE, "the question of line %zu again",
	         table_lines(text_of(table), (size_t)(first - text_of(table)) + 1));
	return reason;
}

size_t table_build(struct table *table, size_t lines, size_t max_question_length,
                   table_report *report, void *arg)
{
	const char *at = text_of(table), *end = at + table->text_len, *newline;
	size_t errors = 0;

	if (table->text_len >= OFFSET_MASK) {
		report(arg, 0, "larger than 1 TiB");
		return 1;
	}
	table->index_at = index_offset(table->text_len);
	table->mask = entries_for(lines) - 1;
	table->count = table->longest_answer = 0;
	memset(writable_index(table), 0, (table->mask + 1) * sizeof(uint64_t));
	for (size_t line = 1; at < end; at = newline + 1, line++) {
		char room[REASON_SIZE];
		const char *reason;

		newline = memchr(at, '\n', (size_t)(end - at));
		if (!newline)
			newline = end;
		assert(line <= lines);
		reason = read_line(table, trim(at, newline), max_question_length, room);
		if (!reason)
			continue;
		if (errors++ == REPORTS_MOST) {
			report(arg, 0, "more errors, not shown");
			return errors;
		}
		report(arg, line, reason);
	}
	if (errors == 0 && table->count == 0) {
		report(arg, 0, "no aphorism in it");
		errors++;
	}
	return errors;
}
