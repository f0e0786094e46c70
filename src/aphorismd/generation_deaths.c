/*
 * generation_deaths.c - workers that become ready, and that die; how many there are.
 *
 * Whoever is not ready in time is killed.  So readiness is no matter of the scoreboard, in which any worker can write
 * about any other: it is a word in a page that is mapped for one worker, which has no other, and it is remembered here.
 * (A pipe for each would cost descriptors, of which there may be just enough.)
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>

#include "aphorismd/generation.h"
#include "common/clock.h"
#include "common/log.h"

enum { PAUSE_US = 100 * CLOCK_MS, LONGEST_PAUSE_US = 30 * CLOCK_S };

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

uint32_t generation_see_ready(struct generation *generation, uint64_t now_us)
{
	uint32_t ready = 0;

	for (uint32_t n = 0; n < generation->board->workers; n++) {
		struct member *member = &generation->members[n];

		if (!generation_is_alive(member))
			continue;
		if (!member->ready && atomic_load(member->says_ready)) {
			member->ready = true;
			member->end_us = 0;
			generation_close_ready(member);
			generation->pause_us = generation->fork_us = 0;
		}
		ready += member->ready;
		if (member->end_us == 0 || now_us < member->end_us)
			continue;
		if (member->ready)
			log_warning("%s %u: killed, it did not leave in time", generation->model->name, n);
		kill(-member->pid, SIGKILL);
		member->end_us = UINT64_MAX;
	}
	return ready;
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

/* ---- deaths ---- */

/* No fork for a while: at first 0.1 s, then twice as long each time, up to 30 s. */
static void pause_forks(struct generation *generation, uint64_t now_us)
{
	uint64_t pause_us = generation->pause_us * 2;

	pause_us = pause_us < PAUSE_US ? PAUSE_US : pause_us > LONGEST_PAUSE_US ? LONGEST_PAUSE_US : pause_us;
	generation->pause_us = pause_us;
	generation->fork_us = now_us + pause_us;
}

void generation_fail(struct generation *generation, int status)
{
	generation->status = status;
	generation->state = GENERATION_FAILED;
}

void generation_lacks_process(struct generation *generation, uint64_t now_us)
{
	int all, idle;

	pause_forks(generation, now_us);
	if (generation->state != GENERATION_STARTS)
		return;
	generation_count(generation, &all, &idle);
	generation->awaited = (uint32_t)all;
	if (all == 0)
		generation_fail(generation, EX_OSERR);
}

void generation_release_rows(struct generation *generation)
{
	for (uint32_t n = 0; n < generation->board->workers; n++) {
		struct member *member = &generation->members[n];

		if (!member->dead || kill(-member->pid, 0) == 0 || errno != ESRCH)
			continue;
		scoreboard_evict(generation->board, n);
		*member = (struct member){ .pid = 0 };
	}
}

/* What it ended with: a sysexits code, or EX_OSERR for a signal; in words, too. */
static int describe(char *to, size_t size, int status)
{
	if (WIFSIGNALED(status))
		snprintf(to, size, "%s", strsignal(WTERMSIG(status)));
	else
		snprintf(to, size, "status %d", WEXITSTATUS(status));
	return WIFSIGNALED(status) ? EX_OSERR : WEXITSTATUS(status);
}

/*
 * Of workers that were forked together and die together the first is one step of the back-off, and one line; the
 * others say nothing new.  Where not one of the first can start, there is no generation.
 */
static void note_failed_start(struct generation *generation, const char *name, const char *end, int code,
                              uint64_t now_us)
{
	uint32_t ready = 0, enough = generation->plan.workers;

	if (enough > GENERATION_STARTING)
		enough = GENERATION_STARTING;
	for (uint32_t n = 0; n < generation->board->workers; n++)
		ready += generation->members[n].ready;
	generation->failures++;
	if (code == EX_CONFIG || (code == EX_NOPERM && generation->state == GENERATION_STARTS)) {
		log_error("%s died before it was ready: %s; it is not tried again", name, end);
		generation_fail(generation, code);
	} else if (generation->state == GENERATION_STARTS && ready == 0 && generation->failures >= enough) {
		log_error("%s died before it was ready: %s", name, end);
		generation_fail(generation, code);
	} else if (!generation->step_failed) {
		generation->step_failed = true;
		pause_forks(generation, now_us);
		log_error("%s died before it was ready: %s; the next is started in %u ms", name, end,
		          (unsigned)(generation->pause_us / CLOCK_MS));
	}
}

static void note_failure(struct generation *generation, uint32_t n, int status, uint64_t now_us)
{
	const struct member *member = &generation->members[n];
	char name[CONFIG_NAME + 48], end[64];
	int code = describe(end, sizeof end, status);

	snprintf(name, sizeof name, "%s %u (process %d)", generation->model->name, n, (int)member->pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && generation->killed)
		return;           /* by us */
	if (generation->state == GENERATION_FAILED && !member->ready)
		return;           /* it goes the way of the one that was told of */
	generation->to_replace += member->ready;
	if (generation->state == GENERATION_DRAINS || member->ready)
		log_error("%s died: %s", name, end);
	else
		note_failed_start(generation, name, end, code, now_us);
}

bool generation_reaped(struct generation *generation, pid_t pid, int status, uint64_t now_us)
{
	bool ours = false;

	for (uint32_t n = 0; n < generation->board->workers; n++) {
		struct member *member = &generation->members[n];

		if (member->pid != pid || member->dead)
			continue;
		ours = member->dead = true;
		generation_close_ready(member);
		atomic_store(&generation->board->row[n].state, WORKER_GONE);
		if (WIFEXITED(status) && (WEXITSTATUS(status) == EX_OK || WEXITSTATUS(status) == WORKER_CUT))
			generation->queued = false;
		if (WIFEXITED(status) && WEXITSTATUS(status) == WORKER_CUT)
			log_warning("%s %u: the drain's time was over, connections were cut",
			            generation->model->name, n);
		else if (!WIFEXITED(status) || WEXITSTATUS(status) != EX_OK)
			note_failure(generation, n, status, now_us);
	}
	generation_release_rows(generation);
	return ours;
}
