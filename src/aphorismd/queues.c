/*
 * queues.c - sees to it that nobody waits in a queue for one worker while others are idle.
 *
 * The kernel wakes one worker for a connection.  With epoll it passes over who does not wait; an order to poll that
 * lies in a ring of io_uring it can't pass over, while its worker computes or is stopped.  To have all rings told
 * instead would wake all workers for each connection.  So we look some ms after somebody has come, and when there is
 * still somebody in the queue, all workers are told to look, too.  That is two wake-ups of ours in these ms, at most,
 * however many workers there are and however many clients come.
 */
#include "aphorismd/queues.h"

#include <stdbool.h>

#include "aphorismd/generations.h"
#include "aphorismd/wish.h"
#include "common/clock.h"

enum { PAUSE_US = 10 * CLOCK_MS, LONGEST_PAUSE_US = 160 * CLOCK_MS };

static struct {
	uint64_t look_us;                 /* when to look who is queued; 0: when somebody comes */
	uint64_t pause_us;                /* from one look to the next */
} queues;

static bool are_watched(const struct generation *current)
{
	return current && current->plan.makes & SANDBOX_ORDERS && current->plan.most_workers > 1;
}

/* One that was shut down is ready for ever. */
static int list(const struct generation *current, struct pollfd *fds)
{
	int count = 0;

	for (int64_t i = 0; i < current->image.config->listeners; i++)
		if (!current->listeners[i]->shut)
			fds[count++] = (struct pollfd){ .fd = current->listeners[i]->fd, .events = POLLIN };
	return count;
}

int queues_list(struct pollfd *fds)
{
	const struct generation *current = generations_current();

	return are_watched(current) && queues.look_us == 0 ? list(current, fds) : 0;
}

void queues_see(const struct pollfd *fds, int count)
{
	for (int i = 0; i < count && queues.look_us == 0; i++)
		if (fds[i].revents) {
			queues.pause_us = PAUSE_US;
			queues.look_us = clock_now_us() + PAUSE_US;
		}
}

uint64_t queues_due_us(void)
{
	return queues.look_us > 0 ? queues.look_us : UINT64_MAX;
}

void queues_tend(uint64_t now_us)
{
	const struct generation *current = generations_current();
	struct pollfd fds[CONFIG_LISTENERS];

	if (now_us < queues_due_us())
		return;
	queues.look_us = 0;
	if (!are_watched(current) || poll(fds, (nfds_t)list(current, fds), 0) <= 0)
		return;
	wish_look(0);
	/* perhaps all are busy, or no seat is free: then it is of no use, and to be asked less often */
	if (queues.pause_us < LONGEST_PAUSE_US)
		queues.pause_us *= 2;
	queues.look_us = now_us + queues.pause_us;
}
