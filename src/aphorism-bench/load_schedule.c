/*
 * load_schedule.c - when the questions of an open loop arrive, and to whom.
 */
#include "aphorism-bench/load_schedule.h"

#include <math.h>

#include "aphorism-bench/load_tape.h"

static uint32_t burst_size(const struct crowd *crowd)
{
	return crowd->burst > 1 ? crowd->burst : 1;
}

/* One arrival further, no matter whose. */
static void step(struct load_schedule *s)
{
	s->client = s->client + 1 < s->crowd->connections ? s->client + 1 : 0;
	if (--s->burst_left > 0)
		return;
	s->burst_left = burst_size(s->crowd);
	s->at_ns += s->crowd->poisson ? -log1p(-load_random_fraction(&s->random)) * s->gap_ns : s->gap_ns;
	s->next_ns = s->start_ns + (uint64_t)s->at_ns;
}

void load_schedule_advance(struct load_schedule *s)
{
	do
		step(s);
	while (s->client % s->threads != s->thread);
}

void load_schedule_start(struct load_schedule *s, const struct crowd *crowd, uint32_t thread, uint32_t threads,
                         uint64_t seed, uint64_t start_ns)
{
	*s = (struct load_schedule){
		.next_ns = UINT64_MAX, .crowd = crowd, .thread = thread, .threads = threads, .random = seed,
		.start_ns = start_ns,
	};
	/* a thread without a client of this crowd would look for its turn for ever */
	if (crowd->rate <= 0 || thread >= crowd->connections)
		return;
	s->gap_ns = 1e9 * burst_size(crowd) / crowd->rate;
	s->burst_left = burst_size(crowd);
	s->next_ns = start_ns;
	if (thread != 0)
		load_schedule_advance(s);
}
