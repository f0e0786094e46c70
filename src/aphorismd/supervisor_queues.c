/*
 * supervisor_queues.c - sees to it that nobody waits in a queue for one worker while others are idle.
 *
 * The kernel wakes one worker for a connection.  With epoll it passes over who does not wait; an order to poll that
 * lies in a ring of io_uring it can't pass over, while its worker computes or is stopped.  To have all rings told
 * instead would wake all workers for each connection.  So we look some ms after somebody has come, and when there is
 * still somebody in the queue, all workers are told to look, too.  That is two wake-ups of ours in these ms, at most,
 * however many workers there are and however many clients come.
 */
#include "aphorismd/supervisor_parts.h"
#include "common/clock.h"

enum { PAUSE_US = 10 * CLOCK_MS, LONGEST_PAUSE_US = 160 * CLOCK_MS };

static bool are_watched(const struct supervisor *s)
{
	const struct generation *current = s->current;

	return current && !s->stopping && s->upgrade.step != UPGRADE_DONE && current->plan.makes & SANDBOX_ORDERS &&
	       current->plan.most_workers > 1;
}

/* One that was shut down is ready for ever. */
static int list(const struct supervisor *s, struct pollfd *fds)
{
	int count = 0;

	for (int64_t i = 0; i < s->current->image.config->listeners; i++)
		if (!s->current->listeners[i]->shut)
			fds[count++] = (struct pollfd){ .fd = s->current->listeners[i]->fd, .events = POLLIN };
	return count;
}

int supervisor_poll_queues(const struct supervisor *s, struct pollfd *fds)
{
	return are_watched(s) && s->queues.look_us == 0 ? list(s, fds) : 0;
}

void supervisor_hear_queues(struct supervisor *s, const struct pollfd *fds, int count, uint64_t now_us)
{
	for (int i = 0; i < count && s->queues.look_us == 0; i++)
		if (fds[i].revents) {
			s->queues.pause_us = PAUSE_US;
			s->queues.look_us = now_us + PAUSE_US;
		}
}

uint64_t supervisor_queues_due_us(const struct supervisor *s)
{
	return s->queues.look_us > 0 ? s->queues.look_us : UINT64_MAX;
}

void supervisor_tend_queues(struct supervisor *s, uint64_t now_us)
{
	struct pollfd fds[CONFIG_LISTENERS];

	if (now_us < supervisor_queues_due_us(s))
		return;
	s->queues.look_us = 0;
	if (!are_watched(s) || poll(fds, (nfds_t)list(s, fds), 0) <= 0)
		return;
	s->look = true;
	/* perhaps all are busy, or no seat is free: then it is of no use, and to be asked less often */
	if (s->queues.pause_us < LONGEST_PAUSE_US)
		s->queues.pause_us *= 2;
	s->queues.look_us = now_us + s->queues.pause_us;
}
