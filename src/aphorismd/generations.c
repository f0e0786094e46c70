/*
 * generations.c - which generation is the next, the current and the old one, and what those counted that have left.
 */
#include "aphorismd/generations.h"

#include "aphorismd/part.h"
#include "aphorismd/wish.h"
#include "common/clock.h"

struct generations generations;
static struct generation **const all[GENERATIONS] = { &generations.next, &generations.current, &generations.old };
static uint32_t made;
static struct scoreboard_totals before;   /* of those that have left */

struct generation *generations_at(unsigned position)
{
	return *all[position];
}

bool generations_are_gone(void)
{
	return !generations.next && !generations.current && !generations.old;
}

struct generation *generations_make_next(struct snapshot *snapshot, struct listener *const *listeners)
{
	return generations.next = generation_new(++made, snapshot, listeners);
}

void generations_drop_next(void)
{
	generation_free(generations.next);
	generations.next = NULL;
}

void generations_replace(void)
{
	generations.old = generations.current;
	generations.current = generations.next;
	generations.next = NULL;
}

void generations_fail_next(uint64_t now_us)
{
	generation_kill(generations.next, now_us);
	generations.old = generations.next;
	generations.next = NULL;
}

bool generations_discard(bool any)
{
	bool discarded = false;

	for (unsigned i = any ? 0 : GENERATIONS - 1; i < GENERATIONS; i++) {
		if (!*all[i] || !generation_is_gone(*all[i]))
			continue;
		scoreboard_sum((*all[i])->board, &before);
		before.connections_open = 0;
		generation_free(*all[i]);
		*all[i] = NULL;
		discarded = true;
	}
	return discarded;
}

void generations_sum(struct scoreboard_totals *totals)
{
	*totals = before;
	for (unsigned i = 0; i < GENERATIONS; i++)
		if (*all[i])
			scoreboard_sum((*all[i])->board, totals);
}

void generations_forget(const struct generation *kept)
{
	for (unsigned i = 0; i < GENERATIONS; i++)
		if (*all[i] != kept)
			generation_free(*all[i]);
}

/* ---- as the loop asks ---- */

static uint64_t due_us(void)
{
	uint64_t now_us = clock_now_us(), first_us = UINT64_MAX;

	for (unsigned i = 0; i < GENERATIONS; i++)
		if (*all[i])
			first_us = clock_earlier(first_us, generation_due_us(*all[i], now_us));
	return first_us;
}

/*
 * A worker that has gone may have been told of a connection.  And the kernel closes a ring at its leisure, when its
 * process has long gone: until then it may tell nobody else of a connection, so that the others have to be sent more
 * than once.
 */
static bool reaped(pid_t pid, int status, uint64_t now_us)
{
	bool known = false;

	for (unsigned i = 0; i < GENERATIONS; i++) {
		if (!*all[i] || !generation_reaped(*all[i], pid, status, now_us))
			continue;
		wish_recheck(now_us + ((*all[i])->plan.makes & SANDBOX_ORDERS ? WISH_LATE_US : 0));
		known = true;
	}
	return known;
}

static void tend(uint64_t now_us)
{
	for (unsigned i = 0; i < GENERATIONS; i++)
		if (*all[i])
			generation_tend(*all[i], now_us);
}

const struct part part_generations = { .due_us = due_us, .reaped = reaped, .tend = tend };
