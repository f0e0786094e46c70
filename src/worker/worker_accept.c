/*
 * worker_accept.c - taking connections: from which listener, and when.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "worker/worker_parts.h"

enum {
	POLL_MS = 1000,
	LATE_MS = 1000,
	WAKE = CONFIG_LISTENERS, RECHECK,         /* beside the listeners' numbers, what an event can be about */
};

/* To wait in the backlog is what over_limit = "wait" means: nothing is accepted before there is a slot for it. */
static bool wait_for_slot(struct worker *worker, struct connection *connection)
{
	for (bool again = false; !worker_take_slot(worker, connection); again = true) {
		int phase = worker_phase(worker);

		if (phase == PHASE_RETIRES)
			return false;
		atomic_store(&worker->wanted, true);
		if (worker_take_slot(worker, connection))
			return true;      /* it was left before we said that we want one */
		if (phase == PHASE_SERVES)
			log_limited(worker_limit(worker, LIMIT_SLOTS), LOG_WARNING,
			            "max_connections (%u) reached: clients wait", worker->board->slots);
		if (!again)
			scoreboard_count(worker->board, worker->number, COUNT_ACCEPT_WAITS);
		worker_wait_for_vacancy(worker);
	}
	return true;
}

/*
 * accept(2) has many errors that only say that one connection came to nothing; EINVAL that another worker has closed
 * the queue at a stop, of which we are about to hear.  EPERM is none of them: what forbids it on Linux asks before a
 * connection is taken out of the queue, and would forbid it again at once, and for ever.
 */
static bool is_passing(int error)
{
	static const int passing[] = { EINTR, EAGAIN, ECONNABORTED, ECONNRESET, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET,
		                       EHOSTUNREACH, ENETDOWN, ENETUNREACH, EOPNOTSUPP, ETIMEDOUT, ENOTSOCK, EINVAL };

	for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
		if (passing[i] == error)
			return true;
	return false;
}

/*
 * At the end a connection is cut for reading; one that the handler did not see in the list, since it was taken at that
 * very moment, is cut here.  A client who was told of a finished reload may have connected since, and a worker that was
 * blocked in accept has taken it from those who serve on: what it says at once is still heard, if the worker may wait.
 */
static void cut_if_late(const struct worker *worker, const struct connection *connection, int number, int wait_ms)
{
	struct pollfd first = { .fd = connection->fd, .events = POLLIN };

	if (worker_phase(worker) < PHASE_DRAINS)
		return;
	if (!worker_ends_queue(worker, number))
		poll(&first, 1, wait_ms);
	shutdown(connection->fd, SHUT_RD);
}

/* ---- taking connections ---- */

static int watch(int set, int fd, uint32_t events, uint32_t number)
{
	struct epoll_event event = { .events = events, .data.u32 = number };

	return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

/*
 * One set per worker, and only where there is more than one listener: EPOLLEXCLUSIVE wakes one worker per connection.
 */
int worker_watch_listeners(struct worker *worker)
{
	if ((worker->ready_set = epoll_create1(EPOLL_CLOEXEC)) < 0)
		return -1;
	for (int i = 0; i < worker->listener_count; i++)
		if (watch(worker->ready_set, worker->listeners[i].watched, EPOLLIN | EPOLLEXCLUSIVE, (uint32_t)i) < 0)
			return -1;
	if (watch(worker->ready_set, worker->wake, EPOLLIN, WAKE) < 0)
		return -1;
	return watch(worker->ready_set, worker->recheck, EPOLLIN, RECHECK);
}

static int take(struct worker_listener *listener, struct sockaddr_storage *peer, int flags)
{
	socklen_t len = sizeof *peer;     /* anew each time: accept changes it */

	/* the peer's name from here, since getpeername() has none any more after a reset */
	return accept4(listener->fd, (struct sockaddr *)peer, &len, SOCK_CLOEXEC | flags);
}

/* No connection is queued, or the listener is no longer ours to take from. */
static bool is_empty(int error)
{
	return error == EAGAIN || error == ENOTSOCK || error == EINVAL;
}

/*
 * At the end: a queue without a successor that was found empty is closed to newcomers, who are refused from then on,
 * rather than connected by the kernel and reset when the last worker has left.  A connection in the gap before it still
 * is.
 */
static void close_queue(struct worker_listener *listener)
{
	shutdown(listener->fd, SHUT_RD);
}

/* Nobody is there any more to whom something could be said. */
static bool has_gone(int fd)
{
	struct pollfd client = { .fd = fd };

	return poll(&client, 1, 0) > 0 && client.revents & (POLLERR | POLLHUP);
}

/*
 * At the end, from a queue without a successor, which is closed when it is empty.  If they come faster than they are
 * taken it never is: so it is also closed when time is up and as many have been taken, by whomever, as it can hold.
 * All who were queued at the stop are among those, however long their answers took.  Those of them who have gone need
 * no thread and no process.  (A UNIX queue that has been closed can still be taken to its end.)
 */
static int take_at_end(struct worker *worker, int number, struct sockaddr_storage *peer, int flags)
{
	struct worker_listener *listener = &worker->listeners[number];
	_Atomic uint32_t *taken = &worker->board->shared->taken_at_end[number];
	uint64_t until_us = atomic_load(&worker->queue_until_us);
	bool late = until_us > 0 && clock_now_us() > until_us;
	int fd, error;

	if (late && atomic_load(taken) > worker->config->backlog)
		close_queue(listener);
	fd = take(listener, peer, flags);
	error = errno;
	if (fd >= 0 && late && has_gone(fd)) {
		close(fd);
		fd = -1;
		error = ECONNABORTED;
	}
	if (fd < 0 && (is_empty(error) || (late && error == EPERM))) {
		close_queue(listener);
		error = EAGAIN;
	} else if (fd >= 0 || is_passing(error)) {
		atomic_fetch_add(taken, 1);
	}
	errno = error;
	return fd;
}

/* At the end, from whatever listener still has a queue that is ours; -1 when all are empty. */
static int take_queued(struct worker *worker, struct sockaddr_storage *peer, int *number)
{
	for (int i = 0; i < worker->listener_count; i++) {
		int fd;

		if (!worker_ends_queue(worker, i))
			continue;
		while ((fd = take_at_end(worker, i, peer, 0)) < 0 && !is_empty(errno))
			if (!is_passing(errno)) {
				worker_note_shortage(worker, errno);
				worker_wait_for_vacancy(worker);
			}
		*number = i;
		if (fd >= 0)
			return fd;
	}
	return -1;
}

static bool watch_anew(struct worker *worker, int number)
{
	int fd = worker->listeners[number].watched;

	epoll_ctl(worker->ready_set, EPOLL_CTL_DEL, fd, NULL);
	/* another thread may be at it, too */
	return watch(worker->ready_set, fd, EPOLLIN | EPOLLEXCLUSIVE, (uint32_t)number) == 0 || errno == EEXIST;
}

/* To watch a listener anew is to learn whether connections are queued, whoever was told of them. */
static void recheck_listeners(struct worker *worker)
{
	worker_clear_recheck(worker);
	for (int i = 0; i < worker->listener_count; i++) {
		while (!watch_anew(worker, i) && worker_phase(worker) == PHASE_SERVES) {
			worker_note_shortage(worker, errno);
			worker_wait_for_vacancy(worker);
		}
	}
}

/*
 * Blocks in accept itself, which wakes one worker for one connection, where there is one listener.  EAGAIN may mean
 * the idle time-out, which accept has inherited too, or that an event generation has the listener non-blocking.
 */
static int take_next(struct worker *worker, struct sockaddr_storage *peer, int *number)
{
	struct epoll_event ready = { .data.u32 = 0 };
	int fd;

	if (worker->ready_set >= 0 && epoll_wait(worker->ready_set, &ready, 1, -1) < 1)
		return -1;
	if (ready.data.u32 == RECHECK)
		recheck_listeners(worker);
	if (ready.data.u32 >= (uint32_t)worker->listener_count)
		return -1;
	*number = (int)ready.data.u32;
	fd = take(&worker->listeners[*number], peer, 0);
	if (fd >= 0)
		return fd;
	if (errno == EAGAIN && worker->ready_set < 0) {
		struct pollfd listener = { .fd = worker->listeners[0].fd, .events = POLLIN };
		int flags = fcntl(listener.fd, F_GETFL);

		if (flags >= 0 && flags & O_NONBLOCK)
			poll(&listener, 1, POLL_MS);
	} else if (errno == EINVAL) {
		worker_wait_for_vacancy(worker);          /* for the end, or a successor if it was closed in spite */
	} else if (!is_passing(errno)) {
		worker_note_shortage(worker, errno);
		atomic_store(&worker->wanted, true);
		worker_wait_for_vacancy(worker);
	}
	return -1;
}

bool worker_accept(struct worker *worker, struct connection *connection)
{
	bool refuses = worker->config->over_limit == OVER_LIMIT_REFUSE;
	struct sockaddr_storage peer;
	int number;

	connection->worker = worker;
	connection->slot = WORKER_NO_SLOT;
	for (;;) {
		int phase = worker_phase(worker);

		if (phase == PHASE_RETIRES ||
		    (connection->slot == WORKER_NO_SLOT && !refuses && !wait_for_slot(worker, connection)))
			break;
		connection->fd = phase >= PHASE_DRAINS ? take_queued(worker, &peer, &number)
		                                       : take_next(worker, &peer, &number);
		if (connection->fd >= 0 && worker_let_in(worker, &worker->listeners[number], connection, &peer)) {
			cut_if_late(worker, connection, number, LATE_MS);
			return true;
		}
		if (connection->fd < 0 && phase >= PHASE_DRAINS)
			break;
	}
	worker_give_back(worker, connection);
	worker_listens_no_more(worker);
	return false;
}

enum worker_taken worker_accept_now(struct worker *worker, int number, struct connection *connection)
{
	bool refuses = worker->config->over_limit == OVER_LIMIT_REFUSE, ends = worker_phase(worker) >= PHASE_DRAINS;
	struct sockaddr_storage peer;
	int error;

	if (ends && !worker_ends_queue(worker, number))
		return WORKER_TAKES_NONE;
	connection->worker = worker;
	connection->slot = WORKER_NO_SLOT;
	if (!refuses && !worker_take_slot(worker, connection)) {
		log_limited(worker_limit(worker, LIMIT_SLOTS), LOG_WARNING,
		            "max_connections (%u) reached: clients wait", worker->board->slots);
		scoreboard_count(worker->board, worker->number, COUNT_ACCEPT_WAITS);
		return WORKER_CANT_TAKE;
	}
	connection->fd = ends ? take_at_end(worker, number, &peer, SOCK_NONBLOCK)
	                      : take(&worker->listeners[number], &peer, SOCK_NONBLOCK);
	error = connection->fd < 0 ? errno : 0;
	if (error == 0 && worker_let_in(worker, &worker->listeners[number], connection, &peer)) {
		cut_if_late(worker, connection, number, 0);
		return WORKER_TAKES;
	}
	worker_give_back(worker, connection);
	if (error == EINVAL && worker_phase(worker) == PHASE_SERVES)
		return WORKER_CANT_TAKE;  /* closed: to be told again and again would keep us busy until the end */
	if (is_empty(error))
		return WORKER_TAKES_NONE;
	if (error == 0 || is_passing(error))
		return WORKER_TURNS_AWAY;
	worker_note_shortage(worker, error);
	return WORKER_CANT_TAKE;
}
