/*
 * aphorism.c - the aphorism protocol: a question ends with its first '?', a table holds the answers.
 */
#include <string.h>

#include "protocol/protocol.h"
#include "protocol/table.h"

static struct frame frame_question(const char *at, size_t len, size_t most)
{
	size_t begin = 0;
	const char *mark;

	while (begin < len && protocol_is_space(at[begin]))
		begin++;
	if (most > len - begin)
		most = len - begin;
	mark = memchr(at + begin, '?', most);
	if (!mark)
		return (struct frame){ .begin = (uint32_t)begin, .verdict = FRAME_MORE };
	return (struct frame){ .begin = (uint32_t)begin, .end = (uint32_t)(mark - at) + 1 };
}

static bool may_end(const char *at, size_t len)
{
	return memchr(at, '?', len) != NULL;
}

static size_t longest(const void *data)
{
	return ((const struct table *)data)->longest_answer;
}

static struct span answer_question(const void *data, struct span question)
{
	struct span answer = table_find(data, question);

	return answer.len > 0 ? answer : protocol_aphorism.unknown;
}

const struct protocol protocol_aphorism = {
	.name = "aphorism",
	.summary = "answers questions from a table",
	.counted = true,
	.frame = frame_question,
	.may_end = may_end,
	.longest = longest,
	.answer = answer_question,
	.too_long = { "Error: question too long.", sizeof "Error: question too long." - 1 },
	.too_slow = { "Error: too slow.", sizeof "Error: too slow." - 1 },
	.unknown = { "Error: unknown aphorism.", sizeof "Error: unknown aphorism." - 1 },
	.too_busy = { "Error: too busy.", sizeof "Error: too busy." - 1 },
};
