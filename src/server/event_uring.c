/*
 * event_uring.c - the engine of one system call for many events: io_uring(7).
 *
 * Whatever is wanted is written to a ring, and handed over by the very call that waits for what has come of it.  Each
 * connection has one standing order to receive, into buffers that are lent to the kernel and shared by all; what a
 * connection does not want at the moment is kept here until it does, and the order is withdrawn.  Sends do not wait, so
 * they are over when the call returns that began them, and only those that fell short are worth a word from the kernel:
 * the others would end the wait that follows.
 *
 * A ring could do what the sandbox denies.  So it is opened before, and tied for good to what is used here.
 */
#include "server/event_pump.h"

#ifdef HAVE_LIBURING

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "common/clock.h"
#include "common/log.h"

enum {
	ORDERS = 512,                     /* handed over at once, at most */
	BUFFERS = 512, BUFFER = 2048 + 64,        /* lent to receive; beginnings on different lines of the cache */
	BATCH = 262144,                   /* bytes */
	PAUSE_MS = 10,                    /* after a shortage */
	GROUP = 0,
};

/* What an order is about: in its user_data, above the seat and below its turn. */
enum order { ORDER_NONE, ORDER_RECEIVE, ORDER_AGAIN, ORDER_POLL, ORDER_WATCH, ORDER_SEND, ORDER_SEND_TOO };

/* What came while the connection did not want it. */
struct early {
	uint32_t at, len;
	char bytes[];
};

/* The ring's side of a connection. */
struct side {
	struct early *early;
	char *output;                     /* of a send on its way */
	uint32_t output_len;
	int sent;                         /* all, unless we hear otherwise */
	uint32_t turn;                    /* counts the connections that sat here: what is late concerns another one */
	int end;                          /* after what came early: -errno, END for the client's end, or 0 */
	uint8_t wants;                    /* enum event_want */
	bool receiving, stopping, polling;
};

enum { END = 1 };

struct watched {
	int fd;
	uint32_t turn;
	bool on, shared;
};

/* Sends between two waits, whose outcomes are events after the next: so there are two of these, by turns. */
struct batch {
	char *bytes;
	struct {
		uint32_t seat, turn;
	} *send;
	uint32_t sends, told;
};

static struct {
	struct event_pump *pump;
	struct io_uring ring;
	struct side *side;                /* by seat */
	struct watched watched[EVENT_WATCHED];
	struct io_uring_buf_ring *lent;
	char *buffers;
	struct batch batches[2], *batch, *before;
	struct span came;                 /* with the event at hand, in a buffer that is lent again after it */
	uint32_t came_for, came_in;
} own;

/* ---- orders ---- */

static struct io_uring_sqe *order(void)
{
	struct io_uring_sqe *sqe;

	while (!(sqe = io_uring_get_sqe(&own.ring)))
		io_uring_submit(&own.ring);
	return sqe;
}

static uint64_t name(enum order kind, uint32_t what, uint32_t turn)
{
	return (uint64_t)(turn & 0xffffff) << 40 | (uint64_t)kind << 32 | what;
}

static uint64_t name_of(enum order kind, uint32_t seat)
{
	return name(kind, seat, own.side[seat].turn);
}

static void quietly(struct io_uring_sqe *sqe)
{
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = name(ORDER_NONE, 0, 0);
}

static void withdraw(uint64_t named)
{
	struct io_uring_sqe *sqe = order();

	io_uring_prep_cancel64(sqe, named, 0);
	quietly(sqe);
}

static void start_receiving(uint32_t seat)
{
	struct io_uring_sqe *sqe = order();

	io_uring_prep_recv_multishot(sqe, own.pump->worker->fds[seat], NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	sqe->user_data = name_of(ORDER_RECEIVE, seat);
	own.side[seat].receiving = true;
}

static void stop_receiving(uint32_t seat)
{
	struct side *side = &own.side[seat];

	if (side->receiving && !side->stopping)
		withdraw(name_of(ORDER_RECEIVE, seat));
	side->stopping = side->receiving;
}

static void poll_for(int fd, uint32_t events, uint64_t named)
{
	struct io_uring_sqe *sqe = order();

	io_uring_prep_poll_add(sqe, fd, events);
	sqe->user_data = named;
}

/* What was kept is to be an event again. */
static void tell_again(uint32_t seat)
{
	struct io_uring_sqe *sqe = order();

	io_uring_prep_nop(sqe);
	sqe->user_data = name_of(ORDER_AGAIN, seat);
}

/* ---- what is watched ---- */

static void tell_of(uint32_t number)
{
	const struct watched *w = &own.watched[number - EVENT_WATCHED_AT];

	poll_for(w->fd, POLLIN | (w->shared ? (uint32_t)EPOLLEXCLUSIVE : 0), name(ORDER_WATCH, number, w->turn));
}

/* Each event takes it out of the kernel's queue and each order adds it at the end: turns come by themselves. */
static bool watch(int fd, uint32_t number, bool shared)
{
	struct watched *w = &own.watched[number - EVENT_WATCHED_AT];

	if (w->on)
		return true;
	*w = (struct watched){ .fd = fd, .turn = w->turn + 1, .on = true, .shared = shared };
	tell_of(number);
	return true;
}

/* At once: others are to be told of connections from now on. */
static void unwatch(int fd, uint32_t number)
{
	struct watched *w = &own.watched[number - EVENT_WATCHED_AT];

	(void)fd;
	if (!w->on)
		return;
	w->on = false;
	withdraw(name(ORDER_WATCH, number, w->turn));
	io_uring_submit_and_get_events(&own.ring);
}

/* ---- connections ---- */

static bool has_kept(const struct side *side)
{
	return side->early || side->end;
}

static bool want(uint32_t seat, enum event_want before, enum event_want now)
{
	struct side *side = &own.side[seat];

	(void)before;
	side->wants = (uint8_t)now;
	if (now == EVENT_ABSENT)
		stop_receiving(seat);
	else if (now == EVENT_INPUT && has_kept(side))
		tell_again(seat);
	else if (now == EVENT_INPUT && !side->receiving)
		start_receiving(seat);
	else if (now == EVENT_OUTPUT && !side->polling)
		poll_for(own.pump->worker->fds[seat], POLLOUT, name_of(ORDER_POLL, seat));
	side->polling |= now == EVENT_OUTPUT;
	return true;
}

static void keep(struct side *side, struct span came)
{
	uint32_t len = side->early ? side->early->len : 0;
	struct early *early = realloc(side->early, sizeof *early + len + came.len);

	if (!early) {
		side->end = -ENOMEM;
		return;
	}
	if (!side->early)
		early->at = 0;
	memcpy(early->bytes + len, came.at, came.len);
	early->len = len + (uint32_t)came.len;
	side->early = early;
}

static ssize_t receive_kept(uint32_t seat, size_t room)
{
	struct side *side = &own.side[seat];
	struct early *early = side->early;
	size_t len = early->len - early->at;

	if (len > room)
		len = room;
	memcpy(own.pump->in.at + own.pump->in.len, early->bytes + early->at, len);
	early->at += (uint32_t)len;
	if (early->at == early->len) {
		free(early);
		side->early = NULL;
	}
	if (has_kept(side))
		tell_again(seat);
	else if (!side->receiving)
		start_receiving(seat);
	return (ssize_t)len;
}

static ssize_t receive(uint32_t seat)
{
	const struct bytes *in = &own.pump->in;
	const struct side *side = &own.side[seat];

	if (own.came.len > 0 && own.came_for == seat) {
		ssize_t len = (ssize_t)own.came.len;

		assert(own.came.len <= in->size - in->len);
		memcpy(in->at + in->len, own.came.at, own.came.len);
		own.came.len = 0;
		return len;
	}
	if (side->early)
		return receive_kept(seat, in->size - in->len);
	if (side->end == END)
		return 0;
	/* asked without an event, when all that the ring told of was taken: what is there came after it */
	if (side->end == 0)
		return recv(own.pump->worker->fds[seat], in->at + in->len, in->size - in->len, MSG_DONTWAIT);
	errno = -side->end;
	return -1;
}

static enum order order_of(const struct batch *batch)
{
	return batch == own.batches ? ORDER_SEND : ORDER_SEND_TOO;
}

static ssize_t send_soon(uint32_t seat, bool awaited)
{
	struct bytes *out = &own.pump->out;
	struct side *side = &own.side[seat];
	struct io_uring_sqe *sqe;
	int fd = own.pump->worker->fds[seat];

	if (out->at >= own.batch->bytes + BATCH)
		return send(fd, out->at, out->len, MSG_NOSIGNAL | MSG_DONTWAIT);
	sqe = order();
	/* to wait for all and not to wait is to fail with less than all */
	io_uring_prep_send(sqe, fd, out->at, out->len, MSG_NOSIGNAL | MSG_DONTWAIT | MSG_WAITALL);
	/* if it goes well, the client's next word ends the wait */
	if (!awaited && side->receiving && !side->stopping && !has_kept(side))
		sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = name_of(order_of(own.batch), seat);
	own.batch->send[own.batch->sends].seat = seat;
	own.batch->send[own.batch->sends++].turn = side->turn;
	side->output = out->at;
	side->output_len = out->len;
	side->sent = (int)out->len;
	out->at += out->len;
	out->len = 0;
	errno = EINPROGRESS;
	return -1;
}

/* In the ring, behind what is ordered for it: a number that were free before could be another connection's by then. */
static void drop(uint32_t seat, int fd)
{
	struct side *side = &own.side[seat];
	struct io_uring_sqe *sqe;

	if (side->receiving || side->polling) {
		sqe = order();
		io_uring_prep_cancel_fd(sqe, fd, IORING_ASYNC_CANCEL_ALL);
		quietly(sqe);
	}
	sqe = order();
	io_uring_prep_close(sqe, fd);
	quietly(sqe);
	free(side->early);
	*side = (struct side){ .turn = side->turn + 1 };
}

/* ---- events ---- */

static void lend(uint32_t buffer)
{
	io_uring_buf_ring_add(own.lent, own.buffers + (size_t)buffer * BUFFER, BUFFER, (unsigned short)buffer,
	                      io_uring_buf_ring_mask(BUFFERS), 0);
	io_uring_buf_ring_advance(own.lent, 1);
}

/*
 * Is there something for the connection to take?  What it does not want now is kept, and no more is asked for.  If it
 * waits for the outcome of a send, with nothing more to receive, that outcome has to be made an event.
 */
static bool has_received(uint32_t seat, int result, bool goes_on)
{
	struct side *side = &own.side[seat];
	bool nothing = result == -ENOBUFS || result == -ECANCELED, kept = has_kept(side);

	side->receiving = goes_on;
	side->stopping &= goes_on;
	if (result <= 0 && !nothing)
		side->end = result == 0 ? END : result;
	if (side->wants == EVENT_INPUT && !kept) {
		if (!side->receiving && !side->end)
			start_receiving(seat);
		return !nothing;
	}
	if (own.came.len > 0)
		keep(side, own.came);
	own.came.len = 0;
	if (has_kept(side))
		stop_receiving(seat);
	if (!kept || !side->receiving)
		tell_again(seat);
	return false;
}

/* The outcome of a send from before the wait. */
static bool next_sent(struct event *event)
{
	while (own.before->told < own.before->sends) {
		uint32_t seat = own.before->send[own.before->told].seat;
		const struct side *side = &own.side[seat];

		if (own.before->send[own.before->told++].turn != side->turn)
			continue;
		*event = (struct event){
			.what = seat, .sent = true, .result = side->sent, .output = { side->output, side->output_len },
		};
		return true;
	}
	return false;
}

/* What has been withdrawn meanwhile, or concerns somebody who has gone. */
static bool is_late(enum order kind, uint32_t what, uint64_t named)
{
	if (kind == ORDER_WATCH) {
		const struct watched *w = &own.watched[what - EVENT_WATCHED_AT];

		return !w->on || named != name(kind, what, w->turn);
	}
	return kind == ORDER_NONE || named != name_of(kind, what);
}

/* Is this an event?  Orders that have gone their way without a word are none. */
static bool is_event(const struct io_uring_cqe *cqe, struct event *event)
{
	uint32_t what = (uint32_t)cqe->user_data;
	enum order kind = (enum order)(cqe->user_data >> 32 & 0xff);

	if (cqe->flags & IORING_CQE_F_BUFFER) {
		own.came_in = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
		own.came = (struct span){ own.buffers + (size_t)own.came_in * BUFFER, cqe->res > 0 ? (size_t)cqe->res : 0 };
		own.came_for = what;
	}
	if (is_late(kind, what, cqe->user_data))
		return false;
	*event = (struct event){ .what = what };
	switch (kind) {
	case ORDER_RECEIVE:
		return has_received(what, cqe->res, cqe->flags & IORING_CQE_F_MORE);
	case ORDER_AGAIN:
		return own.side[what].wants == EVENT_INPUT && has_kept(&own.side[what]);
	case ORDER_POLL:
		own.side[what].polling = false;
		return own.side[what].wants == EVENT_OUTPUT;
	case ORDER_WATCH:
		tell_of(what);
		return true;
	default:
		if (kind == order_of(own.batch))
			own.side[what].sent = cqe->res;   /* handed over before the wait, for want of room */
		return false;
	}
}

static void lend_again(void)
{
	if (own.came.at)
		lend(own.came_in);
	own.came = (struct span){ NULL, 0 };
}

static bool next(struct event *event)
{
	struct io_uring_cqe *cqe;
	unsigned head;

	lend_again();
	if (next_sent(event))
		return true;
	io_uring_for_each_cqe(&own.ring, head, cqe) {
		bool is = is_event(cqe, event);

		io_uring_cq_advance(&own.ring, 1);
		if (is)
			return true;
		lend_again();
	}
	return false;
}

/* Before anything is told of a connection it has to be known what became of its output. */
static void look_for_outcomes(const struct batch *batch)
{
	struct io_uring_cqe *cqe;
	unsigned head;

	io_uring_for_each_cqe(&own.ring, head, cqe) {
		uint32_t seat = (uint32_t)cqe->user_data;

		if ((cqe->user_data >> 32 & 0xff) == order_of(batch) && cqe->user_data == name_of(order_of(batch), seat))
			own.side[seat].sent = cqe->res;
	}
}

/* What was ordered is tried again.  An outcome that the kernel had no memory to keep would be waited for in vain. */
static void wait_out(int error)
{
	static struct log_limit limit;

	if (error == EBADR) {
		log_error("io_uring has lost events");
		exit(EX_OSERR);
	}
	log_limited(&limit, LOG_WARNING, "can't wait for events: %s; trying on", strerror(error));
	poll(NULL, 0, PAUSE_MS);
}

static bool wait_for_events(uint64_t until_us)
{
	uint64_t now_us = until_us == 0 || until_us == UINT64_MAX ? 0 : clock_now_us();
	uint64_t left_us = until_us > now_us ? until_us - now_us : 0;
	struct __kernel_timespec left = { (int64_t)(left_us / CLOCK_S), (int64_t)(left_us % CLOCK_S) * 1000 };
	struct io_uring_cqe *cqe;
	int rc;

	own.before = own.batch;
	own.batch = &own.batches[own.batch == own.batches];
	own.batch->sends = own.batch->told = 0;
	own.pump->out.at = own.batch->bytes;
	if (left_us == 0)
		rc = io_uring_submit_and_get_events(&own.ring);
	else
		rc = io_uring_submit_and_wait_timeout(&own.ring, &cqe, 1, until_us == UINT64_MAX ? NULL : &left, NULL);
	look_for_outcomes(own.before);
	if (own.before->sends > 0 || io_uring_cq_ready(&own.ring) > 0)
		return true;
	if (rc < 0 && rc != -EINTR && rc != -ETIME)
		wait_out(-rc);
	return false;
}

/* ---- opening ---- */

static int tie(int fd)
{
	static const uint8_t used[] = { IORING_OP_NOP, IORING_OP_RECV, IORING_OP_SEND, IORING_OP_POLL_ADD,
		                        IORING_OP_ASYNC_CANCEL, IORING_OP_CLOSE };
	struct io_uring_restriction ties[sizeof used + 1] = {
		{ .opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED,
		  .sqe_flags = IOSQE_BUFFER_SELECT | IOSQE_CQE_SKIP_SUCCESS },
	};
	int rc;

	for (size_t i = 0; i < sizeof used; i++)
		ties[i + 1] = (struct io_uring_restriction){ .opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = used[i] };
	rc = io_uring_register((unsigned)fd, IORING_REGISTER_RESTRICTIONS, ties, sizeof ties / sizeof *ties);
	return rc < 0 ? rc : io_uring_register((unsigned)fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

/* Room for the outcomes of all that can be on its way: what comes of more is the kernel's to keep. */
static int open_ring(struct io_uring *ring, uint32_t orders, uint32_t connections)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_R_DISABLED |
		         IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		.cq_entries = 2 * orders + 2 * connections,
	};

	return io_uring_queue_init_params(orders, ring, &params);
}

static int lend_all(void)
{
	struct io_uring_buf_reg lent = { .ring_entries = BUFFERS, .bgid = GROUP };

	own.lent = worker_reserve(BUFFERS * sizeof(struct io_uring_buf));
	own.buffers = worker_reserve((size_t)BUFFERS * BUFFER);
	lent.ring_addr = (uint64_t)(uintptr_t)own.lent;
	io_uring_buf_ring_init(own.lent);
	for (uint32_t i = 0; i < BUFFERS; i++)
		lend(i);
	return io_uring_register_buf_ring(&own.ring, &lent, 0);
}

static const char *reason_of(int error)
{
	errno = error;
	switch (error) {
	case ENOSYS:
		return "this kernel has no io_uring";
	case EINVAL:
		return "this kernel's io_uring is older than that of Linux 6.1";
	case EPERM:
		return "io_uring is forbidden here, by sysctl kernel.io_uring_disabled or a filter of system calls";
	case ENOMEM:
		return "io_uring may lock too little memory (RLIMIT_MEMLOCK)";
	default:
		return strerror(error);
	}
}

static const char *lacks(void)
{
	struct io_uring ring;
	int rc = open_ring(&ring, 1, 0);

	if (rc < 0)
		return reason_of(-rc);
	io_uring_queue_exit(&ring);
	return NULL;
}

static const char *open_all(struct event_pump *pump)
{
	uint32_t seats = pump->worker->board->seats;
	int rc = open_ring(&own.ring, ORDERS, seats);

	own.pump = pump;
	if (rc == 0 && (rc = lend_all()) == 0 && (rc = io_uring_register_ring_fd(&own.ring)) > 0)
		rc = tie(own.ring.ring_fd);
	if (rc < 0)
		return reason_of(-rc);
	own.side = worker_reserve(seats * sizeof *own.side);
	for (int i = 0; i < 2; i++) {
		own.batches[i].bytes = worker_reserve((size_t)BATCH + pump->out.size);
		own.batches[i].send = worker_reserve(seats * sizeof *own.batches[i].send);
	}
	own.batch = own.before = own.batches;
	return NULL;
}

/* An order that is left would hold its socket for some ms after our end: the port would still be in use. */
static void close_all(void)
{
	struct io_uring_sqe *sqe = order();

	io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
	quietly(sqe);
	io_uring_submit_and_get_events(&own.ring);
	io_uring_queue_exit(&own.ring);
}

const bool event_uring_is_built = true;
const struct event_engine event_uring = {
	.lacks = lacks,
	.open = open_all,
	.close = close_all,
	.watch = watch,
	.unwatch = unwatch,
	.want = want,
	.receive = receive,
	.send = send_soon,
	.drop = drop,
	.wait = wait_for_events,
	.next = next,
};

#else

const bool event_uring_is_built = false;
const struct event_engine event_uring = { .lacks = NULL };

#endif
