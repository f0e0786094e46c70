/*
 * event_epoll.c - the engine that is always there: epoll(7), one recv and one send per event.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/compat.h"
#include "event/event_pump.h"

enum { EVENTS = 256 };                    /* handled between two waits */

static struct {
	struct event_pump *pump;
	int set, count, at;
	struct epoll_event events[EVENTS];
} own = { .set = -1 };

static const char *open_set(struct event_pump *pump)
{
	static char reason[64];

	own.pump = pump;
	if ((own.set = epoll_create1(EPOLL_CLOEXEC)) >= 0)
		return NULL;
	snprintf(reason, sizeof reason, "epoll_create1: %s", strerror(errno));
	return reason;
}

static void close_set(void)
{
	close(own.set);
}

static bool change(int op, int fd, uint32_t events, uint32_t what)
{
	struct epoll_event event = { .events = events, .data.u32 = what };

	return epoll_ctl(own.set, op, fd, &event) == 0;
}

/* EPOLLEXCLUSIVE wakes the process at the head of the kernel's queue; who comes anew is at its end. */
static bool watch(int fd, uint32_t number, bool shared)
{
	change(EPOLL_CTL_DEL, fd, 0, number);
	return change(EPOLL_CTL_ADD, fd, EPOLLIN | (shared ? (uint32_t)EPOLLEXCLUSIVE : 0), number);
}

static void unwatch(int fd, uint32_t number)
{
	change(EPOLL_CTL_DEL, fd, 0, number);
}

static bool want(uint32_t slot, enum event_want before, enum event_want now)
{
	static const uint32_t events[] = { [EVENT_INPUT] = EPOLLIN, [EVENT_OUTPUT] = EPOLLOUT };
	int op = now == EVENT_ABSENT ? EPOLL_CTL_DEL : before == EVENT_ABSENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	return change(op, own.pump->worker->fds[slot], events[now], slot) || now == EVENT_ABSENT;
}

static ssize_t receive(uint32_t slot)
{
	const struct bytes *in = &own.pump->in;

	return recv(own.pump->worker->fds[slot], in->at + in->len, in->size - in->len, MSG_DONTWAIT);
}

static ssize_t send_now(uint32_t slot, bool awaited)
{
	const struct bytes *out = &own.pump->out;

	(void)awaited;
	return send(own.pump->worker->fds[slot], out->at, out->len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void drop(uint32_t slot, int fd)
{
	(void)slot;
	close(fd);
}

static bool wait_for_events(uint64_t until_us)
{
	own.at = 0;
	if (until_us == 0 || until_us == UINT64_MAX)
		own.count = epoll_wait(own.set, own.events, EVENTS, until_us ? -1 : 0);
	else
		own.count = compat_epoll_wait(own.set, own.events, EVENTS, until_us);
	return own.count > 0;
}

static bool next(struct event *event)
{
	if (own.at >= own.count)
		return false;
	*event = (struct event){ .what = own.events[own.at++].data.u32 };
	return true;
}

const struct event_engine event_epoll = {
	.open = open_set,
	.close = close_set,
	.watch = watch,
	.unwatch = unwatch,
	.want = want,
	.receive = receive,
	.send = send_now,
	.drop = drop,
	.wait = wait_for_events,
	.next = next,
};
