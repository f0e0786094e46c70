/*
 * aphorism.c - the aphorism protocol: a question ends with its first '?', a table holds the answers.
 */
#include <string.h>

#include "protocol/protocol.h"
#include "protocol/table.h"

static struct frame frame_question(const char *at, size_t len, size_t most)
{
	struct frame frame = { 0, 0 };
	const char *mark;

	while (frame.begin < len && protocol_is_space(at[frame.begin]))
		frame.begin++;
	if (most > len - frame.begin)
		most = len - frame.begin;
	mark = memchr(at + frame.begin, '?', most);
	if (mark)
		frame.end = (size_t)(mark - at) + 1;
	return frame;
}

static bool may_end(const char *at, size_t len)
{
	return memchr(at, '?', len) != NULL;
}

static struct span answer_question(const void *data, struct span question)
{
	struct span answer = table_find(data, question);

	return answer.len > 0 ? answer : protocol_aphorism.unknown;
}

const struct protocol protocol_aphorism = {
	.name = "aphorism",
	.summary = "answers questions from a table",
	.limited = true,
	.frame = frame_question,
	.may_end = may_end,
	.answer = answer_question,
	.too_long = { "Error: question too long.", sizeof("Error: question too long.") - 1 },
	.too_slow = { "Error: too slow.", sizeof("Error: too slow.") - 1 },
	.unknown = { "Error: unknown aphorism.", sizeof("Error: unknown aphorism.") - 1 },
	.too_busy = { "Error: too busy.", sizeof("Error: too busy.") - 1 },
};
