/*
 * load_tape.h - what clients ask, and what they must hear: an endless stream of the questions that every server of
 * this protocol knows, in a random order, and the stream of answers that belongs to it.
 *
 * Question number n stands at load_tape_index(n) of either stream.  Both are held twice over, so that any LOAD_TAPE
 * questions in a row, and their answers, lie side by side.
 */
#ifndef BENCH_LOAD_TAPE_H
#define BENCH_LOAD_TAPE_H

#include <stddef.h>
#include <stdint.h>

enum { LOAD_TAPE = 256, LOAD_TAPE_LONGEST = 32 };

struct load_tape {
	uint32_t question_at[2 * LOAD_TAPE + 1], answer_at[2 * LOAD_TAPE + 1];
	char questions[2 * LOAD_TAPE * LOAD_TAPE_LONGEST], answers[2 * LOAD_TAPE * LOAD_TAPE_LONGEST];
};

void load_tape_make(struct load_tape *, uint64_t seed);

static inline size_t load_tape_index(uint64_t number)
{
	return (size_t)(number % LOAD_TAPE);
}

/* A random number, by splitmix64: good enough for order and arrivals, and the same everywhere. */
static inline uint64_t load_random(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* The same as a fraction: 0 <= it < 1. */
static inline double load_random_fraction(uint64_t *state)
{
	return (double)(load_random(state) >> 11) * 0x1p-53;
}

#endif
