/*
 * load_tape.c - what clients ask, and what they must hear.
 */
#include "aphorism-bench/load_tape.h"

#include <string.h>

static const struct {
	const char *question, *answer;
} aphorisms[] = {
	{ "Beautiful is better than?", "Ugly." },
	{ "Explicit is better than?", "Implicit." },
	{ "Simple is better than?", "Complex." },
};
enum { APHORISMS = sizeof aphorisms / sizeof aphorisms[0] };

static uint32_t append(char *stream, uint32_t at, const char *text)
{
	size_t len = strlen(text);

	memcpy(stream + at, text, len);
	return at + (uint32_t)len;
}

void load_tape_make(struct load_tape *tape, uint64_t seed)
{
	size_t order[LOAD_TAPE];

	for (size_t i = 0; i < LOAD_TAPE; i++)
		order[i] = (size_t)(load_random(&seed) % APHORISMS);
	tape->question_at[0] = tape->answer_at[0] = 0;
	for (size_t i = 0; i < 2 * LOAD_TAPE; i++) {
		size_t which = order[i % LOAD_TAPE];

		tape->question_at[i + 1] = append(tape->questions, tape->question_at[i], aphorisms[which].question);
		tape->answer_at[i + 1] = append(tape->answers, tape->answer_at[i], aphorisms[which].answer);
	}
}
