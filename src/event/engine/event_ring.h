/*
 * event_ring.h - a ring of io_uring(7), in which a worker orders what it wants of the kernel.
 *
 * A ring could do what the sandbox denies.  So it is opened before, and tied for good: it takes the orders that
 * event_uring.c gives, and no others, and nobody can change that, or register anything with it.
 */
#ifndef ENGINE_EVENT_RING_H
#define ENGINE_EVENT_RING_H

#ifdef HAVE_LIBURING

#include <liburing.h>
#include <stdint.h>

enum { EVENT_RING_GROUP = 0 };            /* of the buffers that orders to receive may take */

struct event_ring {
	struct io_uring uring;
	struct io_uring_buf_ring *provided;
	char *buffers;
};

/* What a ring lacks on this system; NULL for nothing.  Does not block. */
const char *event_ring_lacks(void);

/*
 * Opens a ring for so many connections, and provides buffers for it.  Returns NULL; or the reason why that can't be,
 * which is static, with errno.
 */
const char *event_ring_open(struct event_ring *, uint32_t connections);

/* Withdraws all orders, and closes it.  One that is left would hold its socket, and a port, for ms after our end. */
void event_ring_close(struct event_ring *);

/* Room for an order.  It is handed over by the next wait, or before for want of room. */
struct io_uring_sqe *event_ring_order(struct event_ring *);

/* Of an order that was prepared: nobody wants to know that it was carried out. */
void event_ring_say_nothing(struct io_uring_sqe *);

/* Hands the orders over, all of them, and blocks until that time or an event; 0 is not at all, UINT64_MAX for ever. */
void event_ring_wait(struct event_ring *, uint64_t until_us);

/* A buffer that came with an event, and providing it again. */
char *event_ring_buffer(struct event_ring *, uint32_t number);
void event_ring_provide(struct event_ring *, uint32_t number);

#endif

#endif
