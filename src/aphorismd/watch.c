/*
 * watch.c - what the supervisor itself sees of the listeners.
 *
 * A worker that was taken over can shut them down, for all who share them.  Then a reload opens them anew.
 *
 * And nobody is to wait in a queue for one worker while others are idle.  The kernel wakes one worker for a connection.
 * With epoll it passes over who does not wait; an order to poll that lies in a ring of io_uring it can't pass over,
 * while its worker computes or is stopped.  To have all rings told instead would wake all workers for each connection.
 * So we poll some ms after somebody has come, and when there is still somebody in the queue, all workers are told to
 * recheck, too.  That is two wake-ups of ours in these ms, at most, however many workers there are and however many
 * clients come.
 */
#include "aphorismd/generations.h"
#include "aphorismd/part.h"
#include "aphorismd/predecessor.h"
#include "aphorismd/reload.h"
#include "aphorismd/upgrade.h"
#include "aphorismd/wish.h"
#include "common/clock.h"
#include "common/log.h"

enum { PAUSE_US = 10 * CLOCK_MS, LONGEST_PAUSE_US = 160 * CLOCK_MS };

static struct {
	const struct pollfd *fds;         /* that were listed for the last wait; in the order of the configuration */
	int count;
	uint64_t poll_us;                 /* when to poll who is queued; 0: when somebody comes */
	uint64_t pause_us;                /* from one poll to the next */
} watch;

/* Not at an end, or beside another process, when workers close what nobody takes over. */
static bool may_not_be_shut(const struct generation *current)
{
	return current && !reload_is_under_way() && upgrade_step == UPGRADE_NONE && !predecessor_is_there();
}

static bool has_rings(const struct generation *current)
{
	return current && current->plan.makes & SANDBOX_ORDERS && current->plan.most_workers > 1;
}

/* One that was shut down is ready for ever. */
static int list_open(const struct generation *current, short events, struct pollfd *fds)
{
	int count = 0;

	for (int64_t i = 0; events && i < current->snapshot.config->listeners; i++)
		if (!current->listeners[i]->shut)
			fds[count++] = (struct pollfd){ .fd = current->listeners[i]->fd, .events = events };
	return count;
}

static int list(struct pollfd *fds)
{
	int events = (may_not_be_shut(generations.current) ? POLLRDHUP : 0) |
	             (has_rings(generations.current) && watch.poll_us == 0 ? POLLIN : 0);

	watch.fds = fds;
	return watch.count = list_open(generations.current, (short)events, fds);
}

static void see_shut(struct listener *listener)
{
	listener->shut = true;
	if (!listener->borrowed)
		wish.reload = true;
	log_error("%s was shut down by a worker: %s", listener->address,
	          listener->borrowed ? "whoever has opened it is to do so anew" : "it is opened anew");
}

static void hear(uint64_t now_us)
{
	const struct pollfd *polled = watch.fds;

	for (int64_t i = 0; polled < watch.fds + watch.count &&
	     i < generations.current->snapshot.config->listeners; i++) {
		if (polled->fd != generations.current->listeners[i]->fd)
			continue;         /* it was not listed */
		if (polled->revents && polled->events & POLLIN && watch.poll_us == 0) {
			watch.pause_us = PAUSE_US;
			watch.poll_us = now_us + PAUSE_US;
		}
		if (polled->revents & ~POLLIN && polled->events & POLLRDHUP)
			see_shut(generations.current->listeners[i]);
		polled++;
	}
}

static uint64_t due_us(void)
{
	return watch.poll_us > 0 ? watch.poll_us : UINT64_MAX;
}

static void tend(uint64_t now_us)
{
	struct pollfd fds[CONFIG_LISTENERS];

	if (now_us < due_us())
		return;
	watch.poll_us = 0;
	if (!has_rings(generations.current) || poll(fds, (nfds_t)list_open(generations.current, POLLIN, fds), 0) <= 0)
		return;
	wish_recheck(now_us);
	/* perhaps all are busy, or no slot is free: then it is of no use, and to be asked less often */
	if (watch.pause_us < LONGEST_PAUSE_US)
		watch.pause_us *= 2;
	watch.poll_us = now_us + watch.pause_us;
}

const struct part part_watch = { .serves = true, .list = list, .due_us = due_us, .hear = hear, .tend = tend };
