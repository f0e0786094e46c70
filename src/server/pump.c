/*
 * pump.c - the blocking pump: recv, answer, send.
 *
 * On a connection that behaves, a question costs one recv and one send: time-outs are the socket's own (inherited
 * from the listener), and a stop ends a blocked recv from outside (worker.h).
 */
#include "server/pump.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "server/listener.h"

enum { FIRST_OUT = 2048 };                /* bytes of the first output buffer: with a short question it fits a page */

struct pump {
	struct worker *worker;
	struct connection *connection;
	struct conversation conversation;
	struct bytes in, out, wide_out;   /* wide_out: instead of the first, when that is too small; else untouched */
	uint64_t now_us;
	uint64_t begun_ns;                /* the work on what is answered next */
	uint32_t unsent;                  /* questions that `out` answers */
	int late;                         /* how often was read since the deadline */
};

/* ---- shared with the event pump ---- */

int pump_unsent(int fd)
{
	struct pollfd gone = { .fd = fd };
	int unsent = 0;

	/* the count of a connection that was reset stays; our side is open, so HUP can only mean a reset */
	if (poll(&gone, 1, 0) > 0)
		return 0;
	return ioctl(fd, SIOCOUTQ, &unsent) < 0 ? 0 : unsent;
}

void pump_compute(const struct config *config)
{
	uint64_t end_us = clock_read_us(CLOCK_THREAD_CPUTIME_ID) + (uint64_t)config->cpu_us;

	if (config->cpu_us > 0)
		while (clock_read_us(CLOCK_THREAD_CPUTIME_ID) < end_us)
			;
}

void pump_note_timeout(const struct worker *worker, const struct connection *connection, enum scoreboard_count kind,
                       const char *what)
{
	meter_count(connection->meter, kind, 1);
	worker_note(worker, connection, what, NULL);
}

void pump_note_end(const struct worker *worker, const struct connection *connection,
                   const struct conversation *conversation, const struct bytes *in, bool too_slow)
{
	uint32_t most = conversation->service->max_questions;

	if (too_slow) {
		meter_count(connection->meter, COUNT_TIMEOUT_QUESTION, 1);
		worker_note(worker, connection, "question too slow", in);
	} else if (most == 0 || conversation->questions < most) {
		meter_count(connection->meter, COUNT_TOO_LONG, 1);
		worker_note(worker, connection, "question too long", in);
	}
}

/* That is a fault of the set-up, which no client can see, so the operator is told. */
static void note_bad_header(const struct worker *worker, const struct connection *connection, bool ended,
                            const struct bytes *in)
{
	const struct seat *seat = &worker->board->seat[connection->seat];
	char peer[CONFIG_ADDRESS], said[LOG_ESCAPED];
	struct proxy_header header;
	const char *reason = proxy_read(&header, in->at, in->len);

	if (!reason && ended && worker_phase(worker) >= PHASE_DRAINS)
		return;           /* it was ourselves who ended it */
	if (!reason && !ended)
		meter_count(connection->meter, COUNT_TIMEOUT_HEADER, 1);
	if (!reason)
		reason = ended ? "the end came first" : "time-out";
	meter_count(connection->meter, COUNT_BAD_HEADERS, 1);
	log_limited(&worker->board->shared->limits[LIMIT_HEADER], LOG_WARNING,
	            "%s: closed for a bad PROXY header: %s: %s", scoreboard_peer(seat, peer, sizeof peer), reason,
	            log_escape(said, sizeof said, in->at, in->len));
}

static void note_unfinished(const struct worker *worker, const struct connection *connection, const struct bytes *in)
{
	meter_count(connection->meter, COUNT_UNFINISHED, 1);
	worker_note(worker, connection, "unfinished question dropped", in);
}

void pump_note_close(const struct worker *worker, const struct connection *connection,
                     const struct conversation *conversation, const struct bytes *in)
{
	if (conversation->unmet)
		note_bad_header(worker, connection, conversation->ended, in);
	else if (!conversation->ended)
		pump_note_timeout(worker, connection, COUNT_TIMEOUT_IDLE, "idle: time-out");
	else if (in->len > 0)
		note_unfinished(worker, connection, in);
}

bool pump_meet(struct worker *worker, const struct connection *connection, struct conversation *conversation,
               struct bytes *in, uint64_t now_us)
{
	struct proxy_header header;

	conversation_meet(conversation, in, &header, now_us);
	return worker_meet(worker, connection, &header);
}

/* ---- the blocking pump ---- */

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
	struct meter meter = pump->connection->meter;
	uint64_t now_ns = clock_now_ns();

	if (pump->unsent > 0)
		meter_service(meter, pump->begun_ns, now_ns, pump->unsent);
	meter_count(meter, COUNT_BYTES_OUT, pump->out.len);
	pump->unsent = 0;
	pump->begun_ns = now_ns;
	pump->now_us = now_ns / 1000;
}

/* When it came nobody knows: that a recv returns at once may mean that it has been there for long. */
static void note_received(struct pump *pump, size_t len, uint64_t now_ns)
{
	pump->begun_ns = now_ns;
	pump->in.len += (uint32_t)len;
	meter_count(pump->connection->meter, COUNT_BYTES_IN, len);
}

/*
 * Sends all of the output.  False when the client is gone, or took no byte for the whole of timeouts.write: send times
 * out after a part of that, since the queue may shrink long before there is room for more.
 */
static bool flush(struct pump *pump)
{
	int fd = pump->connection->fd, unsent = -1, stalls = 0;
	uint32_t sent = 0;

	while (sent < pump->out.len) {
		ssize_t n = send(fd, pump->out.at + sent, pump->out.len - sent, MSG_NOSIGNAL);

		if (n >= 0) {
			sent += (uint32_t)n;
			stalls = 0;
		} else if (errno == EAGAIN) {
			int left = pump_unsent(fd);

			stalls = left == unsent || stalls == 0 ? stalls + 1 : 1;
			unsent = left;
			if (stalls == LISTENER_WRITE_PARTS) {
				pump_note_timeout(pump->worker, pump->connection, COUNT_TIMEOUT_WRITE,
				                  "takes no answer: time-out");
				return false;
			}
		} else if (errno != EINTR) {
			worker_note(pump->worker, pump->connection, "gone before its answer", NULL);
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
	int fd = pump->connection->fd;

	for (;;) {
		bool absolute = c->asking || c->since_us != pump->now_us;
		bool enough = absolute && pump->late >= PUMP_LATE_READS && conversation_deadline_us(c) <= pump->now_us;
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
			*state = conversation_expire(c, &pump->out, clock_now_us());
			if (*state != CONVERSATION_READ)
				return true;
		} else if (error != EAGAIN && error != EINTR) {
			worker_note(pump->worker, pump->connection, "connection lost", NULL);
			return false;
		}
	}
}

static void pay(struct pump *pump)
{
	int64_t delay_us = pump->worker->config->delay_us;
	uint64_t due_us = clock_now_us() + (uint64_t)delay_us;
	struct timespec due = { (time_t)(due_us / CLOCK_S), (long)(due_us % CLOCK_S) * 1000 };

	pump_compute(pump->worker->config);
	while (delay_us > 0 && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL) == EINTR)
		;         /* a stop: what was received is still answered, at its price */
	conversation_paid(&pump->conversation);
}

/* The last answer is on its way: drop what still comes until the client's own end, so that no reset overtakes it. */
static void linger(struct pump *pump)
{
	uint64_t until_us = clock_now_us() + PUMP_LINGER_US;
	size_t dropped = 0;
	ssize_t n;

	shutdown(pump->connection->fd, SHUT_WR);
	while (dropped < PUMP_LINGER_BYTES && wait_for_input(pump->connection->fd, until_us)) {
		n = recv(pump->connection->fd, pump->in.at, pump->in.size, MSG_DONTWAIT);
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
	int fd = pump->connection->fd, unsent = pump_unsent(fd), left;
	uint64_t stalled_us = clock_now_us() + (uint64_t)pump->worker->config->write_us;
	struct timespec pause = { 0, 1000000 };

	while ((left = pump_unsent(fd)) > 0 && clock_now_us() < stalled_us) {
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
	struct conversation *c = &pump->conversation;
	struct seat *seat = &pump->worker->board->seat[pump->connection->seat];
	enum conversation_state state = CONVERSATION_READ;

	while (state < CONVERSATION_LINGER) {
		uint32_t before = c->questions;
		uint16_t unknown = c->unknown;

		state = conversation_answer(c, &pump->in, &pump->out, pump->now_us);
		if (c->questions != before)
			meter_questions(pump->connection->meter, seat, c->questions - before,
			                (uint16_t)(c->unknown - unknown), pump->now_us);
		pump->unsent += c->questions - before;
		if (state == CONVERSATION_FLUSH && widen(pump))
			continue;         /* no more sends than with the wide one from the start */
		if (pump->out.len > 0 && !flush(pump))
			return;
		if (state == CONVERSATION_PAY)
			pay(pump);
		else if (state == CONVERSATION_READ && !fill(pump, &state))
			return;
		else if (state == CONVERSATION_MEET &&
		         !pump_meet(pump->worker, pump->connection, c, &pump->in, pump->now_us))
			return;
	}
	if (state == CONVERSATION_LINGER)
		pump_note_end(pump->worker, pump->connection, c, &pump->in, pump->out.len > 0);
	else
		pump_note_close(pump->worker, pump->connection, c, &pump->in);
	if (pump->out.len > 0 && !flush(pump))
		return;
	if (state == CONVERSATION_LINGER)
		linger(pump);
	else if (worker_phase(pump->worker) >= PHASE_DRAINS)
		end_drained(pump);
}

void pump_converse(struct worker *worker, struct connection *connection, uint32_t n)
{
	char *buffers = worker->buffers + (size_t)n * (worker->in_size + worker->out_size);
	struct pump pump = {
		.worker = worker,
		.connection = connection,
		.out = { .at = buffers, .size = FIRST_OUT },
		.in = { .at = buffers + FIRST_OUT, .size = worker->in_size },
		.wide_out = { .at = buffers + FIRST_OUT + worker->in_size, .size = worker->out_size - FIRST_OUT },
		.now_us = clock_coarse_us(),
	};

	connection->meter = meter_of(worker->board, worker->number, n, worker->shares_tallies);
	conversation_init(&pump.conversation, connection->service, pump.now_us);
	converse(&pump);
}
