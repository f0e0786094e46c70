/*
 * pump.c - the blocking pump: recv, answer, send.
 *
 * On a connection that behaves, a question costs one recv and one send: time-outs are the socket's own (inherited
 * from the listener), and a stop ends a blocked recv from outside (worker.h).
 */
#include "worker/pump.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "net/listener.h"
#include "worker/driver.h"

enum { FIRST_OUT = 2048 };                /* bytes of the first output buffer: with a short question it fits a page */
_Static_assert((int)FIRST_OUT >= (int)PROTOCOL_PIECE, "which goes on to be one in there");

struct pump {
	struct worker *worker;
	int fd;
	struct conversation conversation;
	struct driver driver;
	struct bytes in, out, wide_out;   /* wide_out: instead of the first, when that is too small; else untouched */
	uint64_t now_us;
	uint64_t begun_ns;                /* the work on what is answered next */
	uint32_t unsent;                  /* questions that `out` answers */
	int late;                         /* how often was read since the deadline */
};

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Waits for input until a point in time; false when there is none by then. */
static bool wait_for_input(int fd, uint64_t until_us)
{
	struct pollfd input = { .fd = fd, .events = POLLIN };

	for (;;) {
		uint64_t now_us = clock_now_us();
		uint64_t left_ms = now_us < until_us ? (until_us - now_us + CLOCK_MS - 1) / CLOCK_MS : 0;
		int n = poll(&input, 1, (int)earlier(left_ms, 60 * CLOCK_MS));

		if (n > 0 || (n < 0 && errno != EINTR))
			return true;
		if (n == 0 && left_ms <= 60 * CLOCK_MS)
			return false;
	}
}

/* The clock is asked once, for the deadlines too. */
static void note_sent(struct pump *pump)
{
	struct recorder recorder = pump->driver.recorder;
	uint64_t now_ns = clock_now_ns();

	if (pump->unsent > 0) {
		recorder_service(recorder, pump->begun_ns, now_ns, pump->unsent);
		pump->begun_ns = now_ns;
	}
	recorder_count(recorder, COUNT_BYTES_OUT, pump->out.len);
	pump->unsent = 0;
	pump->now_us = now_ns / 1000;
}

/* When it came nobody knows: that a recv returns at once may mean that it has been there for long. */
static void note_received(struct pump *pump, size_t len, uint64_t now_ns)
{
	pump->begun_ns = now_ns;
	pump->in.len += (uint32_t)len;
	recorder_count(pump->driver.recorder, COUNT_BYTES_IN, len);
}

/*
 * Sends all of the output.  False when the client is gone, or took no byte for the whole of timeouts.write: send times
 * out after a part of that, since the queue may shrink long before there is room for more.
 */
static bool flush(struct pump *pump)
{
	int fd = pump->fd, unsent = -1, stalls = 0;
	uint32_t sent = 0;

	while (sent < pump->out.len) {
		ssize_t n = send(fd, pump->out.at + sent, pump->out.len - sent, MSG_NOSIGNAL);

		if (n >= 0) {
			sent += (uint32_t)n;
			stalls = 0;
		} else if (errno == EAGAIN) {
			int left = driver_unsent(fd);

			stalls = left == unsent || stalls == 0 ? stalls + 1 : 1;
			unsent = left;
			if (stalls == LISTENER_WRITE_PARTS) {
				driver_note_timeout(&pump->driver, COUNT_TIMEOUT_WRITE, "takes no answer: time-out");
				return false;
			}
		} else if (errno != EINTR) {
			worker_note(pump->worker, pump->driver.slot, "gone before its answer", NULL);
			return false;
		}
	}
	note_sent(pump);
	pump->out.len = 0;
	conversation_resume(&pump->conversation, pump->now_us);
	return true;
}

/*
 * Reads once.  While the deadline is the socket's own time-out, recv alone is enough; inside a question, or when white
 * space has come in, the deadline is absolute and the wait a poll.  False when the connection is to be dropped.
 */
static bool fill(struct pump *pump, enum conversation_state *state)
{
	struct conversation *c = &pump->conversation;
	int fd = pump->fd;

	for (;;) {
		bool absolute = c->asking || c->since_us != pump->now_us;
		bool enough = absolute && pump->late >= DRIVER_LATE_READS &&
		              conversation_deadline_us(c) <= pump->now_us;
		bool in_time = !absolute || (!enough && wait_for_input(fd, conversation_deadline_us(c)));
		ssize_t n = enough ? -1 : recv(fd, pump->in.at + pump->in.len, pump->in.size - pump->in.len,
		                               absolute ? MSG_DONTWAIT : 0);
		int error = enough ? EAGAIN : errno;
		uint64_t now_ns = clock_now_ns();

		pump->now_us = now_ns / 1000;
		if (n > 0) {
			pump->late = conversation_deadline_us(c) <= pump->now_us ? pump->late + 1 : 0;
			note_received(pump, (size_t)n, now_ns);
			return true;
		}
		if (n == 0) {
			conversation_end(c);
			return true;
		}
		if (error == EAGAIN && (!in_time || !absolute)) {
			*state = driver_expire(&pump->driver, &pump->in, &pump->out, clock_now_us());
			if (*state != CONVERSATION_READ)
				return true;
		} else if (error != EAGAIN && error != EINTR) {
			worker_note(pump->worker, pump->driver.slot, "connection lost", NULL);
			return false;
		}
	}
}

static void pay(struct pump *pump)
{
	uint64_t delay_us = driver_work(&pump->driver), due_us = clock_now_us() + delay_us;
	struct timespec due = { (time_t)(due_us / CLOCK_S), (long)(due_us % CLOCK_S) * 1000 };

	while (delay_us > 0 && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
		;         /* a stop: what was received is still answered, at its price */
	conversation_paid(&pump->conversation);
}

/* The last answer is on its way: drop what still comes until the client's own end, so that no reset overtakes it. */
static void linger(struct pump *pump)
{
	uint64_t until_us = clock_now_us() + DRIVER_LINGER_US;
	size_t dropped = 0;
	ssize_t n;

	shutdown(pump->fd, SHUT_WR);
	while (dropped < DRIVER_LINGER_BYTES && wait_for_input(pump->fd, until_us)) {
		n = recv(pump->fd, pump->in.at, pump->in.size, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
			break;
		dropped += n > 0 ? (size_t)n : 0;
	}
}

/*
 * The end of a connection that we cut for reading.  The client may go on sending, and unread input makes close() send
 * a reset that destroys answers on their way: so they must have arrived before.  Nothing more is read, or a busy
 * client could hold the drain to its end.
 */
static void end_drained(struct pump *pump)
{
	int fd = pump->fd, unsent = driver_unsent(fd), left;
	uint64_t stalled_us = clock_now_us() + (uint64_t)pump->worker->config->write_us;
	struct timespec pause = { 0, 1000000 };

	while ((left = driver_unsent(fd)) > 0 && clock_now_us() < stalled_us) {
		if (left < unsent)
			stalled_us = clock_now_us() + (uint64_t)pump->worker->config->write_us;
		unsent = left;
		nanosleep(&pause, NULL);
		if (pause.tv_nsec < 16000000)
			pause.tv_nsec *= 2;
	}
	shutdown(fd, SHUT_WR);
}

/* Goes on in the wide output buffer; false when it is in use. */
static bool widen(struct pump *pump)
{
	if (pump->out.at == pump->wide_out.at)
		return false;
	memcpy(pump->wide_out.at, pump->out.at, pump->out.len);
	pump->wide_out.len = pump->out.len;
	pump->out = pump->wide_out;
	return true;
}

static void converse(struct pump *pump)
{
	enum conversation_state state = CONVERSATION_READ;
	uint32_t answered;

	while (state < CONVERSATION_LINGER) {
		state = driver_answer(&pump->driver, &pump->in, &pump->out, pump->now_us, &answered);
		pump->unsent += answered;
		if (state == CONVERSATION_FLUSH && widen(pump))
			continue;         /* no more sends than with the wide one from the start */
		if (state == CONVERSATION_MEET || (pump->out.len > 0 && !flush(pump)))
			return;
		if (state == CONVERSATION_PAY)
			pay(pump);
		else if (state == CONVERSATION_READ && !fill(pump, &state))
			return;
	}
	if (pump->out.len > 0 && !flush(pump))
		return;
	if (state == CONVERSATION_LINGER)
		linger(pump);
	else if (worker_phase(pump->worker) >= PHASE_DRAINS)
		end_drained(pump);
}

void pump_converse(struct connection *connection, uint32_t buffers, uint32_t counter_set)
{
	struct worker *worker = connection->worker;
	char *at = worker->buffers + (size_t)buffers * (worker->in_size + worker->out_size);
	struct pump pump = {
		.worker = worker,
		.fd = connection->fd,
		.driver = {
			.worker = worker,
			.conversation = &pump.conversation,
			.recorder = recorder_of(worker->board, worker->number, counter_set, worker->shares_counters),
			.slot = connection->slot,
		},
		.out = { .at = at, .size = FIRST_OUT },
		.in = { .at = at + FIRST_OUT, .size = worker->in_size },
		.wide_out = { .at = at + FIRST_OUT + worker->in_size, .size = worker->out_size - FIRST_OUT },
		.now_us = clock_coarse_us(),
	};

	conversation_init(&pump.conversation, connection->service, pump.now_us);
	converse(&pump);
}
