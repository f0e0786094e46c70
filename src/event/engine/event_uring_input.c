/*
 * event_uring_input.c - what is received, and kept until it is wanted.
 */
#include "event/engine/event_uring_parts.h"

#ifdef HAVE_LIBURING

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { END = 1 };

struct early {
	uint32_t at, len, size;
	char bytes[];
};

struct event_uring event_uring_own;
static struct event_uring *const own = &event_uring_own;

/* ---- orders ---- */

static void start_receiving(uint32_t slot)
{
	struct io_uring_sqe *sqe = event_ring_order(&own->ring);

	io_uring_prep_recv_multishot(sqe, own->pump->worker->fds[slot], NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = EVENT_RING_GROUP;
	sqe->user_data = event_uring_name(ORDER_RECEIVE, slot);
	own->side[slot].receiving = true;
}

void event_uring_stop_receiving(uint32_t slot)
{
	struct side *side = &own->side[slot];

	if (side->receiving && !side->stopping)
		event_uring_withdraw(event_uring_name(ORDER_RECEIVE, slot));
	side->stopping = side->receiving;
}

/* What was kept is to be an event again. */
static void tell_again(uint32_t slot)
{
	struct io_uring_sqe *sqe = event_ring_order(&own->ring);

	io_uring_prep_nop(sqe);
	sqe->user_data = event_uring_name(ORDER_AGAIN, slot);
}

void event_uring_want_input(uint32_t slot)
{
	const struct side *side = &own->side[slot];

	if (event_uring_has_kept(side))
		tell_again(slot);
	else if (!side->receiving)
		start_receiving(slot);
}

/* ---- keeping ---- */

static void keep(struct side *side, struct span came)
{
	uint32_t at = side->early ? side->early->at : 0, len = side->early ? side->early->len : 0;
	uint32_t wanted = len + (uint32_t)came.len, size = side->early ? side->early->size : 0;
	struct early *early = side->early;

	if (wanted > size) {
		size = wanted > 2 * size ? wanted : 2 * size;      /* what lies there is not to be moved each time */
		early = realloc(early, sizeof *early + size);
	}
	if (!early) {
		side->end = -ENOMEM;
		return;
	}
	memcpy(early->bytes + len, came.at, came.len);
	early->at = at;
	early->len = wanted;
	early->size = size;
	side->early = early;
}

static ssize_t receive_kept(uint32_t slot, size_t room)
{
	struct side *side = &own->side[slot];
	struct early *early = side->early;
	size_t len = early->len - early->at;

	if (len > room)
		len = room;
	memcpy(own->pump->in.at + own->pump->in.len, early->bytes + early->at, len);
	early->at += (uint32_t)len;
	if (early->at == early->len) {
		free(early);
		side->early = NULL;
	}
	event_uring_want_input(slot);
	return (ssize_t)len;
}

/* ---- taking ---- */

ssize_t event_uring_receive(uint32_t slot)
{
	const struct bytes *in = &own->pump->in;
	const struct side *side = &own->side[slot];

	if (own->came.len > 0 && own->came_for == slot) {
		ssize_t len = (ssize_t)own->came.len;

		assert(own->came.len <= in->size - in->len);
		memcpy(in->at + in->len, own->came.at, own->came.len);
		own->came.len = 0;
		return len;
	}
	if (side->early)
		return receive_kept(slot, in->size - in->len);
	if (side->end == END)
		return 0;
	/* asked without an event, when all that the ring told of was taken: what is there came after it */
	if (side->end == 0 && io_uring_cq_ready(&own->ring.uring) == 0)
		return recv(own->pump->worker->fds[slot], in->at + in->len, in->size - in->len, MSG_DONTWAIT);
	errno = side->end ? -side->end : EAGAIN;
	return -1;
}

/*
 * What the connection does not want now is kept, and no more is asked for.  If it waits for the outcome of a send, with
 * nothing more to receive, that outcome has to be made an event.
 */
bool event_uring_has_received(uint32_t slot, int result, bool goes_on)
{
	struct side *side = &own->side[slot];
	bool nothing = result == -ENOBUFS || result == -ECANCELED, kept = event_uring_has_kept(side);

	side->receiving = goes_on;
	side->stopping &= goes_on;
	if (result <= 0 && !nothing)
		side->end = result == 0 ? END : result;
	if (side->wants == EVENT_INPUT && !kept) {
		if (!side->receiving && !side->end)
			start_receiving(slot);
		return !nothing;
	}
	if (own->came.len > 0)
		keep(side, own->came);
	own->came.len = 0;
	if (event_uring_has_kept(side))
		event_uring_stop_receiving(slot);
	if (!kept || !side->receiving)
		tell_again(slot);
	return false;
}

#endif
