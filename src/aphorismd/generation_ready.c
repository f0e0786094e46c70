/*
 * generation_ready.c - workers that become ready, each by a word of its own.
 *
 * Whoever is not ready in time is killed.  So readiness is no matter of the scoreboard, in which any worker can write
 * about any other: it is a byte in a pipe, of which the worker alone has the other end, and it is remembered here.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "aphorismd/generation_parts.h"

int generation_open_ready(struct generation *generation, uint32_t number)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -1;
	generation->members[number].ready_pipe = ends[0];
	return ends[1];
}

void generation_close_ready(struct member *member)
{
	if (member->ready_pipe == 0)
		return;           /* and not written to: a worker would pay for a copy of the page */
	close(member->ready_pipe);
	member->ready_pipe = 0;
}

void generation_forget_ready(struct generation *generation)
{
	for (uint32_t n = 0; n < generation->board->workers; n++)
		generation_close_ready(&generation->members[n]);
}

static bool says_ready(struct member *member)
{
	char word;

	if (read(member->ready_pipe, &word, 1) != 1)
		return false;
	generation_close_ready(member);
	return true;
}

void generation_see_ready(struct generation *generation, uint64_t now_us)
{
	for (uint32_t n = 0; n < generation->board->workers; n++) {
		struct member *member = &generation->members[n];

		if (!generation_is_alive(member) || member->ready)
			continue;
		if (says_ready(member)) {
			member->ready = true;
			generation->pause_us = generation->fork_us = 0;
		} else if (now_us >= member->ready_by_us) {
			kill(-member->pid, SIGKILL);
		}
	}
}
