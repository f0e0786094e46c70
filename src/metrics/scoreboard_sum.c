/*
 * scoreboard_sum.c - what the workers have counted, added up.
 */
#include "metrics/scoreboard.h"

static void add_latency(struct latency *to, const struct latency_shared *from)
{
	uint64_t largest_ns = atomic_load_explicit(&from->largest_ns, memory_order_relaxed);

	to->sum_ns += atomic_load_explicit(&from->sum_ns, memory_order_relaxed);
	if (largest_ns > to->largest_ns)
		to->largest_ns = largest_ns;
	for (size_t i = 0; i < LATENCY_BUCKETS; i++)
		to->buckets[i] += atomic_load_explicit(&from->buckets[i], memory_order_relaxed);
}

uint64_t scoreboard_counted(const struct scoreboard *board, uint32_t worker, enum scoreboard_count what)
{
	const struct counters *counters = &board->counters[(size_t)worker * board->counter_sets];
	uint64_t sum = 0;

	if (what >= COUNT_CONVERSED)
		return atomic_load_explicit(&board->row[worker].count[what - COUNT_CONVERSED], memory_order_relaxed);
	for (uint32_t n = 0; n < board->counter_sets; n++)
		sum += atomic_load_explicit(&counters[n].count[what], memory_order_relaxed);
	return sum;
}

static void sum_worker(const struct scoreboard *board, uint32_t worker, struct scoreboard_totals *totals)
{
	for (int what = 0; what < COUNT_ALL; what++)
		totals->count[what] += scoreboard_counted(board, worker, what);
	for (uint32_t n = 0; n < board->counter_sets; n++) {
		const struct counters *counters = &board->counters[(size_t)worker * board->counter_sets + n];

		add_latency(&totals->wait, &counters->wait);
		add_latency(&totals->service, &counters->service);
	}
}

void scoreboard_sum(const struct scoreboard *board, struct scoreboard_totals *totals)
{
	for (uint32_t n = scoreboard_next(board, 0); n < board->slots; n = scoreboard_next(board, n + 1))
		totals->connections_open += atomic_load_explicit(&board->slot[n].family, memory_order_relaxed) != 0;
	for (uint32_t n = 0; n < board->used; n++)
		sum_worker(board, n, totals);
}

uint64_t scoreboard_timeouts(const struct scoreboard_totals *totals)
{
	return totals->count[COUNT_TIMEOUT_QUESTION] + totals->count[COUNT_TIMEOUT_IDLE] +
	       totals->count[COUNT_TIMEOUT_WRITE] + totals->count[COUNT_TIMEOUT_HEADER];
}

uint64_t scoreboard_refused(const struct scoreboard_totals *totals)
{
	return totals->count[COUNT_REFUSED_LIMIT] + totals->count[COUNT_REFUSED_SOURCE];
}
