/*
 * generation_ready.c - workers that become ready, each by a word of its own; how many there are.
 *
 * Whoever is not ready in time is killed.  So readiness is no matter of the scoreboard, in which any worker can write
 * about any other: it is a word in a page that is mapped for one worker, which has no other, and it is remembered here.
 * (A pipe for each would cost descriptors, of which there may be just enough.)
 */
#include <signal.h>
#include <sys/mman.h>

#include "aphorismd/generation_parts.h"

bool generation_open_ready(struct generation *generation, uint32_t number)
{
	void *page = mmap(NULL, sizeof(_Atomic bool), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	generation->members[number].says_ready = page == MAP_FAILED ? NULL : page;
	return page != MAP_FAILED;
}

static void unmap(const struct member *member)
{
	if (member->says_ready)
		munmap((void *)(uintptr_t)member->says_ready, sizeof *member->says_ready);
}

_Atomic bool *generation_keep_ready(const struct generation *generation, uint32_t number)
{
	for (uint32_t n = 0; n < generation->board->workers; n++)
		if (n != number)
			unmap(&generation->members[n]);
	return generation->members[number].says_ready;
}

void generation_close_ready(struct member *member)
{
	unmap(member);
	member->says_ready = NULL;
}

void generation_see_ready(struct generation *generation, uint64_t now_us)
{
	for (uint32_t n = 0; n < generation->board->workers; n++) {
		struct member *member = &generation->members[n];

		if (!generation_is_alive(member) || member->ready)
			continue;
		if (atomic_load(member->says_ready)) {
			member->ready = true;
			generation_close_ready(member);
			generation->pause_us = generation->fork_us = 0;
		} else if (now_us >= member->ready_by_us) {
			kill(-member->pid, SIGKILL);
		}
	}
}

enum worker_state generation_worker_state(const struct generation *generation, uint32_t number)
{
	return atomic_load_explicit(&generation->board->row[number].state, memory_order_relaxed);
}

void generation_count(const struct generation *generation, int *all, int *idle)
{
	*all = *idle = 0;
	for (uint32_t n = 0; n < generation->board->workers; n++) {
		const struct member *member = &generation->members[n];

		if (!generation_is_alive(member) || member->retiring)
			continue;
		++*all;
		/* a new worker counts as idle from its fork on */
		*idle += generation_worker_state(generation, n) != WORKER_BUSY;
	}
}
