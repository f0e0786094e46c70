/*
 * verdict.c - who is better, who fails, and what is excused.
 */
#include "aphorism-bench/verdict.h"

#include <string.h>

#include "aphorism-bench/scenario.h"

enum { TOLERATED = 1000 };                /* one error in so many answers */

uint64_t verdict_errors(const struct cell *cell)
{
	uint64_t sum = 0;

	for (int i = 0; i < LOAD_ERRORS; i++)
		sum += cell->errors[i];
	return sum;
}

/* What a client must take when a worker is told to go or is killed: each connection may end, once each time. */
static uint64_t excused(const struct cell *cell)
{
	const struct scenario *scenario = scenario_find(cell->scenario);
	uint64_t ended = cell->errors[LOAD_LOST] + cell->errors[LOAD_RESET];
	uint64_t most = scenario ? (uint64_t)scenario->events * cell->rounds * cell->connections * cell->pipeline : 0;

	return ended < most ? ended : most;
}

static bool fails(const struct cell *cell)
{
	return cell->answers == 0 || cell->errors[LOAD_WRONG] > 0 ||
	       (verdict_errors(cell) - excused(cell)) * TOLERATED > cell->answers;
}

/* With nothing answered and nothing wrong, all have waited. */
bool verdict_starves(const struct cell *cell)
{
	return cell->never_served > 0 || (cell->answers == 0 && verdict_errors(cell) == 0);
}

bool verdict_serves(const struct cell *cell)
{
	return !verdict_starves(cell) && !fails(cell);
}

/* Beyond the noise.  Without an interval, after a single round, there is no such thing. */
static bool is_better(const struct cell *one, const struct cell *other)
{
	const struct scenario *scenario = scenario_find(one->scenario);

	if (scenario && scenario->judge == SCENARIO_BY_TAIL)
		return one->tail_us.high < other->tail_us.low;
	return one->answers_per_second.low > other->answers_per_second.high;
}

enum standing verdict_standing(const struct cell *cell)
{
	bool alone = true, best = true;

	if (verdict_starves(cell))
		return VERDICT_STARVES;
	if (fails(cell))
		return VERDICT_FAILS;
	for (const struct cell *other = cell->block_first; other; other = other->next_in_block) {
		if (other == cell)
			continue;
		alone = false;
		if (!verdict_serves(other))
			continue;
		if (!cell->saturated && is_better(other, cell))
			return VERDICT_BEHIND;
		if (other->saturated || !is_better(cell, other))
			best = false;
	}
	return cell->saturated ? VERDICT_VOID : alone ? VERDICT_ALONE : best ? VERDICT_BEST : VERDICT_TIE;
}
