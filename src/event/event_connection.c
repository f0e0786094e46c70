/*
 * event_connection.c - what becomes of one connection between two events.
 *
 * One receive and one send per event; what an event leaves undone is a state.
 */
#include "event/event_connection.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/log.h"
#include "event/event_parked.h"
#include "worker/driver.h"

enum { BUDGET = 262144 };                 /* bytes of answers to one before others have their turn */

static struct driver driver_of(struct event_pump *pump, uint32_t slot)
{
	return (struct driver){ pump->worker, &pump->at[slot].conversation, pump->recorder, slot };
}

static enum event_want wants(enum event_state state)
{
	static const uint8_t wants[] = {
		[EVENT_READS] = EVENT_INPUT, [EVENT_SENDS] = EVENT_NOTHING,  [EVENT_WRITES] = EVENT_OUTPUT,
		[EVENT_PAYS] = EVENT_NOTHING, [EVENT_PAYS_UNWATCHED] = EVENT_ABSENT,
		[EVENT_LINGERS] = EVENT_INPUT, [EVENT_LEAVES] = EVENT_ABSENT,
	};

	return wants[state];
}

static void become(struct event_pump *pump, uint32_t slot, enum event_state state)
{
	static struct log_limit limit;
	struct event_connection *c = &pump->at[slot];

	/* one that can't be watched is cut, which is an event whatever is watched for */
	if (wants(state) != wants(c->state) && !pump->engine->want(slot, wants(c->state), wants(state))) {
		log_limited(&limit, LOG_WARNING, "can't watch a connection: %s; it is closed", strerror(errno));
		shutdown(pump->worker->fds[slot], SHUT_RDWR);
	}
	if (c->state == EVENT_LEAVES)
		pump->leaving--;
	if (state == EVENT_LEAVES)
		pump->leaving++;
	c->state = (uint8_t)state;
}

void event_connection_close(struct event_pump *pump, uint32_t slot)
{
	struct event_connection *c = &pump->at[slot];
	int fd = pump->worker->fds[slot];

	if (c->state == EVENT_LEAVES)
		pump->leaving--;
	event_parked_drop(&c->parked);
	memset(c, 0, sizeof *c);
	pump->open--;
	pump->mark_ns = 0;
	/* cleared first: the stop handler must not shut down whatever gets this number next */
	atomic_store(&pump->worker->fds[slot], 0);
	pump->engine->drop(slot, fd);
	worker_leave(pump->worker, slot);
}

void event_connection_time_out(struct event_pump *pump, uint32_t slot)
{
	struct driver driver = driver_of(pump, slot);

	driver_note_timeout(&driver, COUNT_TIMEOUT_WRITE, "takes no answer: time-out");
	event_connection_close(pump, slot);
}

/* ---- parking ---- */

/* The buffers that all share become this connection's. */
static void take_up(struct event_pump *pump, struct event_connection *c)
{
	pump->in.at -= pump->in.before;
	pump->in.size += pump->in.before;
	pump->in.len = pump->in.before = pump->in.searched = pump->in.skip = 0;
	pump->out.len = 0;
	if (!c->parked)
		return;
	pump->came_ns = c->parked->came_ns;
	if (conversation_is_amid(&c->conversation))
		pump->begun_ns = c->parked->begun_ns;
	event_parked_return_few(&c->parked, &pump->in);
}

/* The input that is at hand: what was parked, or else what has just come. */
static struct bytes *input_of(struct event_pump *pump, struct event_connection *c)
{
	return c->parked ? &c->parked->in : &pump->in;
}

/* For want of memory.  Returns false. */
static bool give_up(struct event_pump *pump, uint32_t slot)
{
	static struct log_limit limit;

	log_limited(&limit, LOG_WARNING, "out of memory: a connection is closed");
	event_connection_close(pump, slot);
	return false;
}

/* Keeps the input for this connection until its next event.  False without memory: it is closed. */
static bool park(struct event_pump *pump, uint32_t slot)
{
	struct event_connection *c = &pump->at[slot];

	if (c->parked)
		event_parked_trim(&c->parked);
	else if (pump->in.len > 0 && !event_parked_put_input(&c->parked, &pump->in, pump->came_ns))
		return give_up(pump, slot);
	if (c->parked)
		c->parked->begun_ns = pump->begun_ns;
	return true;
}

/* ---- the conversation goes on ---- */

/* Keeps what was not sent of the output, and the input.  False without memory: it is closed. */
static bool keep_unsent(struct event_pump *pump, uint32_t slot, struct span output, size_t sent)
{
	struct event_connection *c = &pump->at[slot];

	if (c->parked && c->parked->out_len > 0) {         /* it lies there already */
		event_parked_sent(c->parked, (uint32_t)sent);
		return true;
	}
	if (!park(pump, slot))
		return false;
	output = (struct span){ output.at + sent, output.len - sent };
	return event_parked_put_output(&c->parked, output) || give_up(pump, slot);
}

/* From now on the client has to take something within timeouts.write. */
static void give_time(struct event_pump *pump, uint32_t slot)
{
	struct event_connection *c = &pump->at[slot];

	c->unsent = driver_unsent(pump->worker->fds[slot]);
	c->until_us = pump->now_us + (uint64_t)pump->worker->config->write_us;
	event_pump_sweep_by(pump, c->until_us);
}

/* That output was sent, n as send(2) says.  False when that is not all: it is parked, or the connection closed. */
static bool is_all_sent(struct event_pump *pump, uint32_t slot, struct span output, ssize_t n)
{
	struct event_connection *c = &pump->at[slot];

	if (n > 0)
		recorder_count(pump->recorder, COUNT_BYTES_OUT, (uint64_t)n);
	if (n == (ssize_t)output.len) {
		pump->out.len = 0;
		conversation_resume(&c->conversation, pump->now_us);
		return true;
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		worker_note(pump->worker, slot, "gone before its answer", NULL);
		event_connection_close(pump, slot);
		return false;
	}
	if (!keep_unsent(pump, slot, output, n > 0 ? (size_t)n : 0))
		return false;
	if (n > 0 || c->state != EVENT_WRITES || c->unsent < 0)
		give_time(pump, slot);
	become(pump, slot, EVENT_WRITES);
	return false;
}

/* Sends what the output buffer holds, answers to so many questions.  False when that can't go on at once. */
static bool send_out(struct event_pump *pump, uint32_t slot, bool awaited, uint32_t answered)
{
	struct span output = { pump->out.at, pump->out.len };
	ssize_t n = pump->engine->send(slot, awaited);

	pump->mark_ns = answered > 0 ? clock_now_ns() : 0;
	if (answered > 0) {
		recorder_time(pump->recorder, pump->came_ns, pump->begun_ns, pump->mark_ns, answered);
		pump->begun_ns = pump->mark_ns;
	}
	if (n >= 0 || errno != EINPROGRESS)
		return is_all_sent(pump, slot, output, n);
	if (park(pump, slot))
		become(pump, slot, EVENT_SENDS);
	return false;
}

/* Computes now; the wait is a place in the queue. */
static bool pay_at_once(struct event_pump *pump, uint32_t slot)
{
	struct event_connection *c = &pump->at[slot];
	const struct driver driver = driver_of(pump, slot);
	uint64_t delay_us = driver_work(&driver);

	if (delay_us == 0) {
		conversation_paid(&c->conversation);
		return true;
	}
	if (!park(pump, slot))
		return false;
	c->until_us = clock_now_us();
	event_due_add(&pump->due, slot, c->until_us + delay_us);
	become(pump, slot, EVENT_PAYS);
	return false;
}

/* See end_drained() of the blocking pump: here the wait for the last byte's arrival is a state. */
static void finish(struct event_pump *pump, uint32_t slot)
{
	struct event_connection *c = &pump->at[slot];
	int fd = pump->worker->fds[slot];

	event_parked_drop(&c->parked);
	if (worker_phase(pump->worker) >= PHASE_DRAINS && (c->unsent = driver_unsent(fd)) > 0) {
		become(pump, slot, EVENT_LEAVES);
		c->until_us = pump->now_us + (uint64_t)pump->worker->config->write_us;
		return;
	}
	if (worker_phase(pump->worker) >= PHASE_DRAINS)
		shutdown(fd, SHUT_WR);
	event_connection_close(pump, slot);
}

static void linger(struct event_pump *pump, uint32_t slot)
{
	struct event_connection *c = &pump->at[slot];

	event_parked_drop(&c->parked);
	shutdown(pump->worker->fds[slot], SHUT_WR);
	pump->mark_ns = 0;
	c->unsent = 0;
	c->until_us = pump->now_us + DRIVER_LINGER_US;
	event_pump_sweep_by(pump, c->until_us);
	become(pump, slot, EVENT_LINGERS);
}

/* It has had its turn, and others wait for theirs: goes on with the next event. */
static void rest(struct event_pump *pump, uint32_t slot)
{
	if (!park(pump, slot))
		return;
	give_time(pump, slot);
	become(pump, slot, EVENT_SENDS);  /* an engine may tell once that there is room: it is asked anew */
	become(pump, slot, EVENT_WRITES);
}

/* Answers what the input buffer holds, as far as the client takes the answers; then waits for the next event. */
static void go_on(struct event_pump *pump, uint32_t slot)
{
	struct event_connection *c = &pump->at[slot];
	const struct driver driver = driver_of(pump, slot);
	uint32_t sent = 0;

	for (;;) {
		uint32_t answered = 0;
		enum conversation_state state = c->conversation.over;

		if (!state)
			state = driver_answer(&driver, input_of(pump, c), &pump->out, pump->now_us, &answered);
		sent += pump->out.len;
		/* who has more to do when it is sent waits for that; and a deadline does not run before */
		if (pump->out.len > 0 &&
		    !send_out(pump, slot, state != CONVERSATION_READ || c->conversation.asking, answered))
			return;
		switch (state) {
		case CONVERSATION_FLUSH:
		case CONVERSATION_PAY:
			if (sent >= BUDGET)
				rest(pump, slot);
			else if (state == CONVERSATION_FLUSH || pay_at_once(pump, slot))
				continue;
			return;
		case CONVERSATION_MEET:
			event_connection_close(pump, slot);
			return;
		case CONVERSATION_LINGER:
			linger(pump, slot);
			return;
		case CONVERSATION_CLOSE:
			finish(pump, slot);
			return;
		case CONVERSATION_READ:
			if (!park(pump, slot))
				return;
			become(pump, slot, EVENT_READS);
			if (c->conversation.asking)
				event_pump_sweep_by(pump, conversation_deadline_us(&c->conversation));
			return;
		}
	}
}

/* Reads once and answers; false when there was nothing to read. */
static bool read_once(struct event_pump *pump, uint32_t slot)
{
	struct event_connection *c = &pump->at[slot];
	uint32_t held;
	ssize_t n;

	take_up(pump, c);
	held = c->parked ? c->parked->in.len : 0;
	pump->in.size -= held;    /* together they are no more than that */
	n = pump->engine->receive(slot);
	pump->in.size += held;
	if (n > 0) {
		pump->came_ns = pump->woken_ns;
		recorder_count(pump->recorder, COUNT_BYTES_IN, (uint64_t)n);
		if (!c->parked) {
			pump->in.len += (uint32_t)n;
		} else if (!event_parked_add_input(&c->parked, (struct span){ pump->in.at, (size_t)n },
		                                   pump->in.size, pump->came_ns)) {
			give_up(pump, slot);
			return true;
		}
	} else if (n == 0) {
		conversation_end(&c->conversation);
	} else if (errno == EAGAIN || errno == EINTR) {
		park(pump, slot);
		return false;
	} else {
		worker_note(pump->worker, slot, "connection lost", NULL);
		event_connection_close(pump, slot);
		return true;
	}
	go_on(pump, slot);
	return true;
}

/* Sends what was parked, with either engine from where it lies; then answers what was held back meanwhile. */
static void write_once(struct event_pump *pump, uint32_t slot)
{
	struct event_connection *c = &pump->at[slot];
	struct span output = c->parked ? event_parked_output(c->parked) : SPAN("");
	ssize_t n = 0;

	if (output.len > 0)
		n = send(pump->worker->fds[slot], output.at, output.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	take_up(pump, c);
	if (output.len > 0 && !is_all_sent(pump, slot, output, n))
		return;
	c->unsent = -1;           /* it was taken: whatever finds no room now begins to wait anew */
	if (n > 0) {
		event_parked_sent(c->parked, (uint32_t)n);
		event_parked_trim(&c->parked);
	}
	go_on(pump, slot);
}

void event_connection_greet(struct event_pump *pump, uint32_t slot)
{
	take_up(pump, &pump->at[slot]);
	pump->came_ns = pump->begun_ns = clock_now_ns();
	go_on(pump, slot);
}

/* What became of output that the engine put off. */
static void take_outcome(struct event_pump *pump, const struct event *event)
{
	uint32_t slot = event->what;

	take_up(pump, &pump->at[slot]);
	errno = event->result < 0 ? -event->result : 0;
	if (is_all_sent(pump, slot, event->output, event->result))
		go_on(pump, slot);
}

static void drop_input(struct event_pump *pump, uint32_t slot)
{
	struct event_connection *c = &pump->at[slot];
	ssize_t n;

	take_up(pump, c);
	n = pump->engine->receive(slot);
	if (n > 0)
		c->unsent += (int)n;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || c->unsent >= DRIVER_LINGER_BYTES)
		event_connection_close(pump, slot);
}

void event_connection_expire(struct event_pump *pump, uint32_t slot)
{
	struct event_connection *c = &pump->at[slot];
	struct driver driver = driver_of(pump, slot);

	pump->begun_ns = clock_now_ns();
	for (int n = 0; n < DRIVER_LATE_READS && c->state == EVENT_READS &&
	     conversation_deadline_us(&c->conversation) <= pump->now_us; n++)
		if (!read_once(pump, slot))
			break;
	if (c->state != EVENT_READS)
		return;
	take_up(pump, c);
	driver_expire(&driver, input_of(pump, c), &pump->out, pump->now_us);
	go_on(pump, slot);
}

void event_connection_handle(struct event_pump *pump, const struct event *event)
{
	uint32_t slot = event->what;

	pump->begun_ns = pump->mark_ns ? pump->mark_ns : clock_now_ns();
	pump->mark_ns = 0;
	switch (pump->at[slot].state) {
	case EVENT_READS:
		read_once(pump, slot);
		break;
	case EVENT_WRITES:
		write_once(pump, slot);
		break;
	case EVENT_SENDS:
		if (event->sent)
			take_outcome(pump, event);
		break;
	case EVENT_LINGERS:
		drop_input(pump, slot);
		break;
	case EVENT_PAYS:
		/* an end that nobody asked for would be reported for ever */
		become(pump, slot, EVENT_PAYS_UNWATCHED);
		break;
	default:
		break;            /* closed by an event earlier in this round */
	}
}

void event_connection_paid(struct event_pump *pump, uint32_t slot)
{
	struct event_connection *c = &pump->at[slot];

	conversation_paid(&c->conversation);
	pump->begun_ns = c->until_us * 1000;
	become(pump, slot, EVENT_READS);
	take_up(pump, c);
	go_on(pump, slot);
}

void event_connection_begin(struct event_pump *pump, const struct connection *connection)
{
	struct event_connection *c = &pump->at[connection->slot];

	conversation_init(&c->conversation, connection->service, pump->now_us);
	c->state = EVENT_READS;
	c->family = (uint8_t)connection->family;
	event_pump_sweep_by(pump, conversation_deadline_us(&c->conversation));
}
