/*
 * event_ring.c - opening, tying, handing over, waiting.
 */
#include "event/engine/event_ring.h"

#ifdef HAVE_LIBURING

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/clock.h"
#include "common/log.h"
#include "worker/worker.h"

enum {
	ORDERS = 512,                     /* handed over at once, at most */
	BUFFERS = 512, BUFFER = 2048 + 64,        /* beginnings on different lines of the cache */
	PAUSE_MS = 10,                    /* after a shortage */
};
_Static_assert((int)BUFFER >= (int)PROTOCOL_PIECE, "what came as one comes as one");

/* ---- orders ---- */

static void wait_out(int error)
{
	static struct log_limit limit;

	log_limited(&limit, LOG_WARNING, "io_uring: %s; trying on", strerror(error));
	poll(NULL, 0, PAUSE_MS);
}

/* Whatever the call said that was to do it: all is with the kernel afterwards. */
static void hand_over(struct event_ring *ring)
{
	while (io_uring_sq_ready(&ring->uring) > 0) {
		int rc = io_uring_submit(&ring->uring);

		if (rc < 0 && rc != -EINTR)
			wait_out(-rc);
	}
}

struct io_uring_sqe *event_ring_order(struct event_ring *ring)
{
	struct io_uring_sqe *sqe;

	while (!(sqe = io_uring_get_sqe(&ring->uring)))
		hand_over(ring);
	return sqe;
}

void event_ring_say_nothing(struct io_uring_sqe *sqe)
{
	sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
	sqe->user_data = 0;
}

void event_ring_wait(struct event_ring *ring, uint64_t until_us)
{
	uint64_t now_us = until_us == 0 || until_us == UINT64_MAX ? 0 : clock_now_us();
	uint64_t left_us = until_us > now_us ? until_us - now_us : 0;
	struct __kernel_timespec left = { (int64_t)(left_us / CLOCK_S), (int64_t)(left_us % CLOCK_S) * 1000 };
	struct io_uring_cqe *cqe;
	int rc;

	if (left_us == 0)
		rc = io_uring_submit_and_get_events(&ring->uring);
	else
		rc = io_uring_submit_and_wait_timeout(&ring->uring, &cqe, 1, until_us == UINT64_MAX ? NULL : &left,
		                                      NULL);
	/* an outcome the kernel had no memory to keep would be waited for in vain; it is told once, among others */
	if (rc == -EBADR) {
		log_error("io_uring has lost events");
		exit(EX_OSERR);
	}
	hand_over(ring);
	if (rc < 0 && rc != -EINTR && rc != -ETIME && io_uring_cq_ready(&ring->uring) == 0)
		wait_out(-rc);
}

/* ---- buffers ---- */

char *event_ring_buffer(struct event_ring *ring, uint32_t number)
{
	return ring->buffers + (size_t)number * BUFFER;
}

void event_ring_provide(struct event_ring *ring, uint32_t number)
{
	io_uring_buf_ring_add(ring->provided, event_ring_buffer(ring, number), BUFFER, (unsigned short)number,
	                      io_uring_buf_ring_mask(BUFFERS), 0);
	io_uring_buf_ring_advance(ring->provided, 1);
}

/* ---- opening ---- */

/* To the orders that event_uring.c gives. */
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

/*
 * Room for the outcomes of all that can be on its way, so that those of sends are there when they are looked for: of a
 * connection its end, a send, an order taken back and one to be told again.
 */
static int open_ring(struct io_uring *ring, uint32_t orders, uint32_t connections)
{
	struct io_uring_params params = {
		.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_R_DISABLED |
		         IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		.cq_entries = 2 * orders + 4 * connections,
	};
	int rc = io_uring_queue_init_params(orders, ring, &params);

	if (rc < 0)
		return rc;
	/* nothing is to be done, and the ring is not enabled yet: only who forbids the call can say this */
	rc = io_uring_enter((unsigned)ring->ring_fd, 0, 0, 0, NULL);
	if (rc != -EPERM && rc != -ENOSYS)
		return 0;
	io_uring_queue_exit(ring);
	return rc;
}

static int provide_all(struct event_ring *ring)
{
	struct io_uring_buf_reg provided = { .ring_entries = BUFFERS, .bgid = EVENT_RING_GROUP };

	ring->provided = worker_reserve(BUFFERS, sizeof(struct io_uring_buf));
	ring->buffers = worker_reserve(BUFFERS, BUFFER);
	provided.ring_addr = (uint64_t)(uintptr_t)ring->provided;
	io_uring_buf_ring_init(ring->provided);
	for (uint32_t i = 0; i < BUFFERS; i++)
		event_ring_provide(ring, i);
	return io_uring_register_buf_ring(&ring->uring, &provided, 0);
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

const char *event_ring_lacks(void)
{
	struct io_uring ring;
	int rc = open_ring(&ring, 1, 0);

	if (rc < 0)
		return reason_of(-rc);
	io_uring_queue_exit(&ring);
	return NULL;
}

const char *event_ring_open(struct event_ring *ring, uint32_t connections)
{
	int rc = open_ring(&ring->uring, ORDERS, connections);

	if (rc == 0 && (rc = provide_all(ring)) == 0 && (rc = io_uring_register_ring_fd(&ring->uring)) > 0)
		rc = tie(ring->uring.ring_fd);
	return rc < 0 ? reason_of(-rc) : NULL;
}

void event_ring_close(struct event_ring *ring)
{
	struct io_uring_sqe *sqe = event_ring_order(ring);

	io_uring_prep_cancel64(sqe, 0, IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
	event_ring_say_nothing(sqe);
	event_ring_wait(ring, 0);
	io_uring_queue_exit(&ring->uring);
}

#endif
