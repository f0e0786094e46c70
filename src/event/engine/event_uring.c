/*
 * event_uring.c - the engine of one system call for many events: io_uring(7).
 *
 * Whatever is wanted is written to a ring, and handed over by the very call that waits for what has come of it.  Each
 * connection has one standing order to receive, into buffers that are provided to the kernel and shared by all; what a
 * connection does not want at the moment is kept here until it does, and the order is withdrawn.  Sends do not wait, so
 * they are over when the call returns that began them, and only those that fell short are worth a word from the kernel:
 * the others would end the wait that follows.
 */
#include "event/engine/event_uring_parts.h"

#ifdef HAVE_LIBURING

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "sandbox/sandbox.h"

enum { BATCH = 262144 };                  /* bytes */

struct watched {
	int fd;
	uint32_t turn;
	bool on, shared;
};

/* Sends between two waits, whose outcomes are events after the next: so there are two of these, by turns. */
struct batch {
	char *bytes;
	struct {
		uint32_t slot, turn;
	} *send;
	uint32_t sends, reported;
};

static struct event_uring *const own = &event_uring_own;
static struct watched watched[EVENT_WATCHED];
static struct {
	struct batch both[2], *now, *before;
} batches;

/* ---- orders ---- */

static void poll_for(int fd, uint32_t events, uint64_t named)
{
	struct io_uring_sqe *sqe = event_ring_order(&own->ring);

	io_uring_prep_poll_add(sqe, fd, events);
	sqe->user_data = named;
}

/* ---- what is watched ---- */

static void tell_of(uint32_t number)
{
	const struct watched *w = &watched[number - EVENT_WATCHED_AT];

	poll_for(w->fd, POLLIN | (w->shared ? (uint32_t)EPOLLEXCLUSIVE : 0),
	         event_uring_name_of(ORDER_WATCH, number, w->turn));
}

/* Each event takes it out of the kernel's queue and each order adds it at the end: turns come by themselves. */
static bool watch(int fd, uint32_t number, bool shared)
{
	struct watched *w = &watched[number - EVENT_WATCHED_AT];

	if (w->on)
		return true;
	*w = (struct watched){ .fd = fd, .turn = w->turn + 1, .on = true, .shared = shared };
	tell_of(number);
	return true;
}

/* At once: others are to be told of connections from now on. */
static void unwatch(int fd, uint32_t number)
{
	struct watched *w = &watched[number - EVENT_WATCHED_AT];

	(void)fd;
	if (!w->on)
		return;
	w->on = false;
	event_uring_withdraw(event_uring_name_of(ORDER_WATCH, number, w->turn));
	event_ring_wait(&own->ring, 0);
}

/* ---- connections ---- */

/*
 * Such an order tells of the client's end, too, whatever it asks for, and one that is level-triggered would tell of it
 * for ever.  So it stands, and tells of changes: to be given when a send fell short, or anew.
 */
static void watch_output(uint32_t slot)
{
	struct io_uring_sqe *sqe = event_ring_order(&own->ring);

	io_uring_prep_poll_multishot(sqe, own->pump->worker->fds[slot], POLLOUT);
	sqe->user_data = event_uring_name(ORDER_POLL, slot);
}

static bool has_room(uint32_t slot, const struct io_uring_cqe *cqe)
{
	const struct side *side = &own->side[slot];

	if (cqe->res == -ECANCELED || side->wants != EVENT_OUTPUT)
		return false;
	if (!(cqe->flags & IORING_CQE_F_MORE))
		watch_output(slot);
	return cqe->res < 0 || cqe->res & (POLLOUT | POLLERR | POLLHUP);
}

static bool want(uint32_t slot, enum event_want before, enum event_want now)
{
	(void)before;
	if (own->side[slot].wants == EVENT_OUTPUT)
		event_uring_withdraw(event_uring_name(ORDER_POLL, slot));
	own->side[slot].wants = (uint8_t)now;
	if (now == EVENT_ABSENT)
		event_uring_stop_receiving(slot);
	else if (now == EVENT_INPUT)
		event_uring_want_input(slot);
	else if (now == EVENT_OUTPUT)
		watch_output(slot);
	return true;
}

static enum order order_of(const struct batch *batch)
{
	return batch == batches.both ? ORDER_SEND : ORDER_SEND_TOO;
}

static ssize_t send_soon(uint32_t slot, bool awaited)
{
	struct bytes *out = &own->pump->out;
	struct side *side = &own->side[slot];
	struct io_uring_sqe *sqe;
	int fd = own->pump->worker->fds[slot];

	if (out->at + out->len > batches.now->bytes + BATCH)
		return send(fd, out->at, out->len, MSG_NOSIGNAL | MSG_DONTWAIT);
	sqe = event_ring_order(&own->ring);
	/* to wait for all and not to wait is to fail with less than all */
	io_uring_prep_send(sqe, fd, out->at, out->len, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
	/* if it goes well, the client's next word ends the wait */
	if (!awaited && side->receiving && !side->stopping && !event_uring_has_kept(side))
		sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = event_uring_name(order_of(batches.now), slot);
	batches.now->send[batches.now->sends].slot = slot;
	batches.now->send[batches.now->sends++].turn = side->turn;
	side->output = out->at;
	side->output_len = out->len;
	side->sent = (int)out->len;
	out->at += out->len;
	assert(out->at <= batches.now->bytes + BATCH);      /* with room behind it for whatever comes next */
	out->len = 0;
	errno = EINPROGRESS;
	return -1;
}

/* In the ring, behind what is ordered for it: a number that were free before could be another connection's by then. */
static void drop(uint32_t slot, int fd)
{
	struct side *side = &own->side[slot];
	struct io_uring_sqe *sqe;

	if (side->receiving || side->wants == EVENT_OUTPUT) {
		sqe = event_ring_order(&own->ring);
		io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
		event_ring_say_nothing(sqe);
	}
	sqe = event_ring_order(&own->ring);
	io_uring_prep_close(sqe, fd);
	event_ring_say_nothing(sqe);
	free(side->early);
	*side = (struct side){ .turn = side->turn + 1 };
}

/* ---- events ---- */

/* The outcome of a send from before the wait. */
static bool next_sent(struct event *event)
{
	while (batches.before->reported < batches.before->sends) {
		uint32_t slot = batches.before->send[batches.before->reported].slot;
		const struct side *side = &own->side[slot];

		if (batches.before->send[batches.before->reported++].turn != side->turn)
			continue;
		*event = (struct event){
			.what = slot, .sent = true, .result = side->sent, .output = { side->output, side->output_len },
		};
		return true;
	}
	return false;
}

/* What has been withdrawn meanwhile, or concerns somebody who has gone. */
static bool is_late(enum order kind, uint32_t what, uint64_t named)
{
	if (kind == ORDER_WATCH) {
		const struct watched *w = &watched[what - EVENT_WATCHED_AT];

		return !w->on || named != event_uring_name_of(kind, what, w->turn);
	}
	return kind == ORDER_NONE || named != event_uring_name(kind, what);
}

/* Is this an event?  Orders that have gone their way without a word are none. */
static bool is_event(const struct io_uring_cqe *cqe, struct event *event)
{
	uint32_t what = (uint32_t)cqe->user_data;
	enum order kind = (enum order)(cqe->user_data >> 32 & 0xff);

	if (cqe->flags & IORING_CQE_F_BUFFER) {
		own->came_in = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
		own->came.at = event_ring_buffer(&own->ring, own->came_in);
		own->came.len = cqe->res > 0 ? (size_t)cqe->res : 0;
		own->came_for = what;
	}
	if (is_late(kind, what, cqe->user_data))
		return false;
	*event = (struct event){ .what = what };
	switch (kind) {
	case ORDER_RECEIVE:
		return event_uring_has_received(what, cqe->res, cqe->flags & IORING_CQE_F_MORE);
	case ORDER_AGAIN:
		return own->side[what].wants == EVENT_INPUT && event_uring_has_kept(&own->side[what]);
	case ORDER_POLL:
		return has_room(what, cqe);
	case ORDER_WATCH:
		tell_of(what);
		return true;
	default:
		if (kind == order_of(batches.now))
			own->side[what].sent = cqe->res;   /* handed over before the wait, for want of room */
		return false;
	}
}

static void provide_again(void)
{
	if (own->came.at)
		event_ring_provide(&own->ring, own->came_in);
	own->came = (struct span){ NULL, 0 };
}

static bool next(struct event *event)
{
	struct io_uring_cqe *cqe;
	unsigned head;

	provide_again();
	if (next_sent(event))
		return true;
	io_uring_for_each_cqe(&own->ring.uring, head, cqe) {
		bool is = is_event(cqe, event);

		io_uring_cq_advance(&own->ring.uring, 1);
		if (is)
			return true;
		provide_again();
	}
	return false;
}

/* Before anything is told of a connection it has to be known what became of its output. */
static void collect_outcomes(const struct batch *batch)
{
	struct io_uring_cqe *cqe;
	unsigned head;

	io_uring_for_each_cqe(&own->ring.uring, head, cqe) {
		uint32_t slot = (uint32_t)cqe->user_data;
		enum order kind = (enum order)(cqe->user_data >> 32 & 0xff);

		if (kind == order_of(batch) && !is_late(kind, slot, cqe->user_data))
			own->side[slot].sent = cqe->res;
	}
}

static bool wait_for_events(uint64_t until_us)
{
	batches.before = batches.now;
	batches.now = &batches.both[batches.now == batches.both];
	batches.now->sends = batches.now->reported = 0;
	own->pump->out.at = batches.now->bytes;
	event_ring_wait(&own->ring, until_us);
	collect_outcomes(batches.before);
	return batches.before->sends > 0 || io_uring_cq_ready(&own->ring.uring) > 0;
}

/* ---- opening ---- */

static const char *open_all(struct event_pump *pump)
{
	uint32_t slots = pump->worker->board->slots;
	const char *reason = event_ring_open(&own->ring, slots);

	if (reason)
		return reason;
	own->pump = pump;
	own->side = worker_reserve(slots, sizeof *own->side);
	for (int i = 0; i < 2; i++) {
		batches.both[i].bytes = worker_reserve(1, (size_t)BATCH + pump->out.size);
		batches.both[i].send = worker_reserve(slots, sizeof *batches.both[i].send);
	}
	batches.now = batches.before = batches.both;
	return NULL;
}

static void close_all(void)
{
	event_ring_close(&own->ring);
}

const struct event_engine event_uring = {
	.makes = SANDBOX_ORDERS,
	.lacks = event_ring_lacks,
	.open = open_all,
	.close = close_all,
	.watch = watch,
	.unwatch = unwatch,
	.want = want,
	.receive = event_uring_receive,
	.send = send_soon,
	.drop = drop,
	.wait = wait_for_events,
	.next = next,
};

#else

const struct event_engine event_uring = { .absent = "io_uring is not built in" };

#endif
