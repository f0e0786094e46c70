/*
 * worker.c - taking connections, and stopping without a race.
 */
#include "server/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/proctitle.h"
#include "server/access.h"
#include "server/listener.h"

enum {
	SIGNAL_INTERRUPT = SIGURG,        /* does nothing but end a blocked accept */
	ORPHAN_DRAIN_US = 800 * CLOCK_MS,
	SHORTAGE_PAUSE_US = 100 * CLOCK_MS,
	POLL_MS = 1000,
	STACK_SIZE = 65536,
	WAKE = CONFIG_LISTENERS, LOOK,    /* beside the listeners' numbers, what an event can be about */
};

static struct worker *self;               /* for the handlers; set once before they are */
static _Atomic bool orphaned;
static struct log_limit seats_limit, shortage_limit, source_limit;

/* ---- the stop handlers: async-signal-safe throughout ---- */

/* setitimer() is a plain system call on Linux; unlike a POSIX timer it needs no preparation in each child. */
static void limit_drain(int64_t drain_us)
{
	struct itimerval end = { .it_value = { drain_us / CLOCK_S, drain_us % CLOCK_S } };

	setitimer(ITIMER_REAL, &end, NULL);
}

/* A listener without an heir is taken to the end of its queue; from any other nothing more is taken. */
static void release_listeners(enum worker_phase phase)
{
	for (int i = 0; i < self->listener_count; i++) {
		bool heirless = phase == PHASE_STOPS ||
		                (phase == PHASE_DRAINS && atomic_load(&self->board->removed) >> i & 1);

		if (heirless)
			listener_nonblocking(self->listeners[i].fd, true);
		else
			dup2(self->devnull, self->listeners[i].fd);
	}
}

static void rise_to(enum worker_phase phase)
{
	uint64_t one = 1;
	int pid = getpid(), me = gettid();

	if (worker_phase(self) >= (int)phase)
		return;
	atomic_store(&self->phase, phase);
	release_listeners(phase);
	if (phase >= PHASE_DRAINS) {
		if (!orphaned)
			limit_drain(self->config->drain_us);
		for (uint32_t n = 0; n < self->board->seats; n++) {
			int fd = atomic_load(&self->fds[n]);

			if (fd > 0)
				shutdown(fd, SHUT_RD);
		}
	}
	if (write(self->wake, &one, sizeof one) < 0)
		return;           /* it is full: readable, which is all that matters */
	sem_post(&self->vacancy);
	for (int i = 0; i < atomic_load(&self->acceptor_count); i++)
		if (self->acceptors[i] != me)
			tgkill(pid, self->acceptors[i], SIGNAL_INTERRUPT);
}

static void on_phase(int signal)
{
	int error = errno;

	rise_to(signal == SIGNAL_STOP ? PHASE_STOPS : signal == SIGNAL_DRAIN ? PHASE_DRAINS : PHASE_RETIRES);
	errno = error;
}

/*
 * The kernel sends this when the parent has gone.  A child of a fork worker that died is adopted by the supervisor and
 * goes on; when it is the supervisor that died, the leader of the group passes the word on to its children.
 */
static void on_orphan(int signal)
{
	int error = errno;

	if (getppid() != self->supervisor && !orphaned) {
		orphaned = true;
		limit_drain(self->config->drain_us < ORPHAN_DRAIN_US ? self->config->drain_us : ORPHAN_DRAIN_US);
		rise_to(PHASE_STOPS);
		if (getpgrp() == getpid())
			kill(0, signal);
	}
	errno = error;
}

static void on_drain_end(int signal)
{
	(void)signal;
	_exit(WORKER_CUT);
}

static void on_look(int signal)
{
	uint64_t one = 1;
	int error = errno;

	(void)signal;
	if (write(self->look, &one, sizeof one) < 0)
		errno = error;    /* full is readable too */
}

static void on_interrupt(int signal)
{
	(void)signal;
}

static void handle(int signal, void (*handler)(int))
{
	struct sigaction action = { .sa_handler = handler };      /* without SA_RESTART: accept is to return */

	sigfillset(&action.sa_mask);
	sigaction(signal, &action, NULL);
}

/* ---- opening ---- */

static void handle_signals(void)
{
	sigset_t none;

	handle(SIGNAL_RETIRE, on_phase);
	handle(SIGNAL_DRAIN, on_phase);
	handle(SIGNAL_STOP, on_phase);
	handle(SIGNAL_ORPHAN, on_orphan);
	handle(SIGNAL_LOOK, on_look);
	handle(SIGALRM, on_drain_end);
	handle(SIGNAL_INTERRUPT, on_interrupt);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* The kernel's word that the parent has died; asked for after each change of credentials and each fork, which clear it. */
static void follow_supervisor(void)
{
	prctl(PR_SET_PDEATHSIG, SIGNAL_ORPHAN);
}

static int watch(int set, int fd, uint32_t events, uint32_t number)
{
	struct epoll_event event = { .events = events, .data.u32 = number };

	return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

/* One set per worker, and only where there is more than one listener: EPOLLEXCLUSIVE wakes one worker per connection. */
static int watch_listeners(struct worker *worker)
{
	if ((worker->ready_set = epoll_create1(EPOLL_CLOEXEC)) < 0)
		return -1;
	for (int i = 0; i < worker->listener_count; i++)
		if (watch(worker->ready_set, worker->listeners[i].watched, EPOLLIN | EPOLLEXCLUSIVE, (uint32_t)i) < 0)
			return -1;
	if (watch(worker->ready_set, worker->wake, EPOLLIN, WAKE) < 0)
		return -1;
	return watch(worker->ready_set, worker->look, EPOLLIN, LOOK);
}

static int open_descriptors(struct worker *worker)
{
	worker->ready_set = -1;
	worker->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	worker->look = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (worker->wake < 0 || worker->look < 0)
		return -1;
	for (int i = 0; i < worker->listener_count; i++)
		if ((worker->listeners[i].watched = fcntl(worker->listeners[i].fd, F_DUPFD_CLOEXEC, 0)) < 0)
			return -1;
	return 0;
}

static uint32_t whole_pages(size_t size)
{
	return (uint32_t)((size + 4095) / 4096 * 4096);
}

void *worker_reserve(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED) {
		log_error("can't reserve %zu bytes: %s", size, strerror(errno));
		_exit(EX_OSERR);
	}
	return at;
}

int worker_open(struct worker *worker, uint32_t conversations, int acceptors, size_t longest_answer)
{
	uint32_t seats = worker->board->seats;

	self = worker;
	worker->in_size = whole_pages(CONVERSATION_IN + (size_t)worker->config->max_question_length);
	worker->out_size = whole_pages(CONVERSATION_OUT + longest_answer);
	worker->buffers = worker_reserve((size_t)conversations * (worker->in_size + worker->out_size));
	worker->fds = worker_reserve(seats * sizeof *worker->fds);
	worker->acceptors = worker_reserve((size_t)acceptors * sizeof *worker->acceptors);
	worker->hint = worker->number * (seats / worker->board->workers);
	if (open_descriptors(worker) < 0 || (worker->listener_count > 1 && watch_listeners(worker) < 0) ||
	    sem_init(&worker->vacancy, 0, 0) < 0) {
		log_error("can't prepare to serve: %s", strerror(errno));
		return EX_OSERR;
	}
	proctitle_set("aphorismd: %s %u: ", worker->model, worker->number);
	proctitle_mark();
	worker_join(worker);
	handle_signals();
	follow_supervisor();
	if (getppid() != worker->supervisor)
		raise(SIGNAL_ORPHAN);     /* it died before we asked to be told */
	return 0;
}

int worker_start_thread(pthread_t *thread, bool detached, void *(*run)(void *), void *given)
{
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_attr_setdetachstate(&attributes, detached ? PTHREAD_CREATE_DETACHED : PTHREAD_CREATE_JOINABLE);
	return pthread_create(thread, &attributes, run, given);
}

void worker_join(struct worker *worker)
{
	int slot = atomic_fetch_add(&worker->acceptor_count, 1);

	atomic_store(&worker->acceptors[slot], gettid());
}

void worker_become_child(struct worker *worker)
{
	follow_supervisor();
	if (worker_phase(worker) >= PHASE_DRAINS)
		limit_drain(orphaned ? ORPHAN_DRAIN_US : worker->config->drain_us);   /* fork leaves the timer behind */
}

/* ---- idle and busy ---- */

static void tell_supervisor(struct worker *worker)
{
	uint64_t one = 1;

	if (!atomic_exchange(&worker->board->told, 1) && write(worker->supervisor_told, &one, sizeof one) < 0)
		atomic_store(&worker->board->told, 0);
}

/* By hand: it runs in a signal handler, and once or twice per connection. */
static void show_state(struct worker *worker, bool busy)
{
	static atomic_flag showing = ATOMIC_FLAG_INIT;
	static const char words[] = " answered";
	char text[48], *at = text + sizeof text - sizeof words;
	uint64_t n = atomic_load_explicit(&worker->answered, memory_order_relaxed);

	if (atomic_flag_test_and_set(&showing))
		return;           /* another thread is at it, with figures as good as ours */
	memcpy(at, words, sizeof words);
	do
		*--at = (char)('0' + n % 10);
	while (n /= 10);
	at -= 6;
	memcpy(at, busy ? "busy, " : "idle, ", 6);
	proctitle_tail(at);
	atomic_flag_clear(&showing);
}

static void become(struct worker *worker, enum worker_state state)
{
	atomic_store_explicit(&worker->board->row[worker->number].state, state, memory_order_relaxed);
	show_state(worker, state == WORKER_BUSY);
}

static void count_busy(struct worker *worker)
{
	if (atomic_fetch_add(&worker->busy, 1) > 0)
		return;
	become(worker, WORKER_BUSY);
	if (atomic_fetch_sub(&worker->board->idle, 1) - 1 < worker->board->least_idle)
		tell_supervisor(worker);
}

static void count_idle(struct worker *worker)
{
	if (atomic_fetch_sub(&worker->busy, 1) > 1)
		return;
	become(worker, WORKER_IDLE);
	if (atomic_fetch_add(&worker->board->idle, 1) + 1 > worker->board->most_idle)
		tell_supervisor(worker);
}

void worker_ready(struct worker *worker)
{
	become(worker, WORKER_IDLE);
	tell_supervisor(worker);
}

void worker_listens_no_more(struct worker *worker)
{
	if (worker_phase(worker) < PHASE_STOPS)
		tell_supervisor(worker);
}

void worker_looks(struct worker *worker)
{
	uint64_t count;

	if (read(worker->look, &count, sizeof count) < 0)
		return;           /* another thread was quicker */
}

/* ---- seats and shortages ---- */

static void announce_vacancy(struct worker *worker)
{
	if (atomic_exchange(&worker->wanted, false))
		sem_post(&worker->vacancy);
}

/* Until a connection ends, or a moment: a seat or a descriptor may have been freed by another process. */
static void wait_for_vacancy(struct worker *worker)
{
	uint64_t until_us = clock_now_us() + SHORTAGE_PAUSE_US;
	struct timespec until = { (time_t)(until_us / CLOCK_S), (long)(until_us % CLOCK_S) * 1000 };

	sem_clockwait(&worker->vacancy, CLOCK_MONOTONIC, &until);
}

static bool take_seat(struct worker *worker, struct connection *connection)
{
	int n = scoreboard_take(worker->board, worker->number, atomic_load_explicit(&worker->hint, memory_order_relaxed));

	if (n < 0)
		return false;
	connection->seat = (uint32_t)n;
	atomic_store_explicit(&worker->hint, (uint32_t)n + 1, memory_order_relaxed);
	return true;
}

static void leave_seat(struct worker *worker, uint32_t seat)
{
	scoreboard_leave(worker->board, seat);
	atomic_store_explicit(&worker->hint, seat, memory_order_relaxed);
}

static void give_back(struct worker *worker, struct connection *connection)
{
	if (connection->seat == WORKER_NO_SEAT)
		return;
	leave_seat(worker, connection->seat);
	announce_vacancy(worker);
	connection->seat = WORKER_NO_SEAT;
}

/* To wait in the backlog is what over_limit = "wait" means: nothing is accepted before there is a seat for it. */
static bool wait_for_seat(struct worker *worker, struct connection *connection)
{
	while (!take_seat(worker, connection)) {
		int phase = worker_phase(worker);

		if (phase == PHASE_RETIRES)
			return false;
		atomic_store(&worker->wanted, true);
		if (take_seat(worker, connection))
			return true;      /* it was left before we said that we want one */
		if (phase == PHASE_SERVES)
			log_limited(&seats_limit, LOG_WARNING, "max_connections (%u) reached: clients wait",
			            worker->board->seats);
		wait_for_vacancy(worker);
	}
	return true;
}

/* accept(2) has many errors that only say that one connection came to nothing. */
static bool is_passing(int error)
{
	static const int passing[] = { EINTR, EAGAIN, ECONNABORTED, ECONNRESET, EPROTO, ENOPROTOOPT, EHOSTDOWN, ENONET,
		                       EHOSTUNREACH, ENETDOWN, ENETUNREACH, EOPNOTSUPP, ETIMEDOUT, EPERM, ENOTSOCK };

	for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
		if (passing[i] == error)
			return true;
	return false;
}

static void note_shortage(int error)
{
	log_limited(&shortage_limit, LOG_WARNING, "can't accept connections: %s; trying on", strerror(error));
}

/* ---- admission ---- */

static void refuse(struct worker *worker, int fd, const struct service *service)
{
	struct span word = service->protocol->too_busy;
	char unread[4096];

	atomic_fetch_add_explicit(&worker->board->row[worker->number].refused, 1, memory_order_relaxed);
	if (word.len > 0 && send(fd, word.at, word.len, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
		shutdown(fd, SHUT_WR);
		/* what the client has sent already would turn the close into a reset, which destroys the word */
		while (recv(fd, unread, sizeof unread, MSG_DONTWAIT) == sizeof unread)
			;
	}
	close(fd);
}

static bool is_allowed(struct worker *worker, const struct sockaddr *peer)
{
	if (access_allows(&worker->config->allow, &worker->config->deny, peer))
		return true;
	atomic_fetch_add_explicit(&worker->board->row[worker->number].denied, 1, memory_order_relaxed);
	return false;
}

static void begin(struct worker *worker, struct connection *connection)
{
	struct seat *seat = &worker->board->seat[connection->seat];

	connection->questions_before = atomic_load_explicit(&seat->questions, memory_order_relaxed);
	scoreboard_add(&seat->connections, 1);
	count_busy(worker);
	atomic_store(&worker->fds[connection->seat], connection->fd);
	/* stored first, tested then: a stop that did not see the descriptor is seen here */
	if (worker_phase(worker) >= PHASE_DRAINS)
		shutdown(connection->fd, SHUT_RD);
}

/* Decides on a connection before a byte of it is read.  Returns false when it was turned away. */
static bool admit(struct worker *worker, struct worker_listener *listener, struct connection *connection,
                  const struct sockaddr *peer)
{
	connection->service = &listener->service;
	connection->family = listener->family;
	if (!is_allowed(worker, peer)) {
		close(connection->fd);
		return false;
	}
	if (connection->seat == WORKER_NO_SEAT && !take_seat(worker, connection)) {
		log_limited(&seats_limit, LOG_WARNING, "max_connections (%u) reached: clients are refused",
		            worker->board->seats);
		refuse(worker, connection->fd, connection->service);
		return false;
	}
	if (!scoreboard_seat_peer(worker->board, connection->seat, peer,
	                          (uint32_t)worker->config->max_connections_per_source)) {
		char name[CONFIG_ADDRESS];

		log_limited(&source_limit, LOG_WARNING, "%s refused: max_connections_per_source (%d) reached",
		            scoreboard_peer(&worker->board->seat[connection->seat], name, sizeof name),
		            (int)worker->config->max_connections_per_source);
		refuse(worker, connection->fd, connection->service);
		give_back(worker, connection);
		return false;
	}
	if (connection->family == AF_UNIX)
		listener_set_timeouts(connection->fd, worker->config);
	begin(worker, connection);
	return true;
}

/* ---- taking connections ---- */

static int take(struct worker_listener *listener, struct sockaddr_storage *peer, int flags)
{
	socklen_t len = sizeof *peer;     /* anew each time: accept changes it */

	/* the peer's name from here, since getpeername() has none any more after a reset */
	return accept4(listener->fd, (struct sockaddr *)peer, &len, SOCK_CLOEXEC | flags);
}

/* At the end, from whatever listener still has a queue that is ours; -1 when all are empty. */
static int take_queued(struct worker *worker, struct sockaddr_storage *peer, int *number)
{
	for (int i = 0; i < worker->listener_count; i++) {
		int fd;

		while ((fd = take(&worker->listeners[i], peer, 0)) < 0 && errno != EAGAIN && errno != ENOTSOCK)
			if (!is_passing(errno))
				wait_for_vacancy(worker);
		*number = i;
		if (fd >= 0)
			return fd;
	}
	return -1;
}

/* To watch a listener anew is to learn whether connections are queued, whoever was told of them. */
static void look_again(struct worker *worker)
{
	worker_looks(worker);
	for (int i = 0; i < worker->listener_count; i++) {
		epoll_ctl(worker->ready_set, EPOLL_CTL_DEL, worker->listeners[i].watched, NULL);
		watch(worker->ready_set, worker->listeners[i].watched, EPOLLIN | EPOLLEXCLUSIVE, (uint32_t)i);
	}
}

/*
 * Blocks in accept itself, which wakes one worker for one connection, where there is one listener.  EAGAIN may mean the
 * idle time-out, which accept has inherited too, or that an event generation has the listener non-blocking.
 */
static int take_next(struct worker *worker, struct sockaddr_storage *peer, int *number)
{
	struct epoll_event ready = { .data.u32 = 0 };
	int fd;

	if (worker->ready_set >= 0 && epoll_wait(worker->ready_set, &ready, 1, -1) < 1)
		return -1;
	if (ready.data.u32 == LOOK)
		look_again(worker);
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
	} else if (!is_passing(errno)) {
		note_shortage(errno);
		atomic_store(&worker->wanted, true);
		wait_for_vacancy(worker);
	}
	return -1;
}

bool worker_accept(struct worker *worker, struct connection *connection)
{
	bool refuses = worker->config->over_limit == OVER_LIMIT_REFUSE;
	struct sockaddr_storage peer;
	int number;

	connection->worker = worker;
	connection->seat = WORKER_NO_SEAT;
	for (;;) {
		int phase = worker_phase(worker);

		if (phase == PHASE_RETIRES ||
		    (connection->seat == WORKER_NO_SEAT && !refuses && !wait_for_seat(worker, connection)))
			break;
		connection->fd = phase >= PHASE_DRAINS ? take_queued(worker, &peer, &number)
		                                       : take_next(worker, &peer, &number);
		if (connection->fd >= 0 && admit(worker, &worker->listeners[number], connection, (struct sockaddr *)&peer))
			return true;
		if (connection->fd < 0 && phase >= PHASE_DRAINS)
			break;
	}
	give_back(worker, connection);
	worker_listens_no_more(worker);
	return false;
}

int worker_accept_now(struct worker *worker, int number, struct connection *connection)
{
	bool refuses = worker->config->over_limit == OVER_LIMIT_REFUSE;
	struct sockaddr_storage peer;
	int error;

	connection->worker = worker;
	connection->seat = WORKER_NO_SEAT;
	for (;;) {
		if (connection->seat == WORKER_NO_SEAT && !refuses && !take_seat(worker, connection)) {
			log_limited(&seats_limit, LOG_WARNING, "max_connections (%u) reached: clients wait",
			            worker->board->seats);
			return -1;
		}
		connection->fd = take(&worker->listeners[number], &peer, SOCK_NONBLOCK);
		if (connection->fd >= 0 && admit(worker, &worker->listeners[number], connection, (struct sockaddr *)&peer))
			return 1;
		if (connection->fd < 0 && (errno == EAGAIN || errno == ENOTSOCK || !is_passing(errno)))
			break;
	}
	error = errno;
	give_back(worker, connection);
	if (error == EAGAIN || error == ENOTSOCK)
		return 0;
	note_shortage(error);
	return -1;
}

/* ---- ending connections ---- */

void worker_leave(struct worker *worker, const struct connection *connection)
{
	uint64_t questions = atomic_load_explicit(&worker->board->seat[connection->seat].questions, memory_order_relaxed);

	atomic_fetch_add_explicit(&worker->answered, questions - connection->questions_before, memory_order_relaxed);
	leave_seat(worker, connection->seat);
	count_idle(worker);
	announce_vacancy(worker);
}

void worker_hand_over(struct worker *worker, struct connection *connection)
{
	/* cleared first: the handler must not shut down whatever gets this number next */
	atomic_store(&worker->fds[connection->seat], 0);
	close(connection->fd);
}

void worker_close(struct worker *worker, struct connection *connection)
{
	worker_hand_over(worker, connection);
	worker_leave(worker, connection);
}

void worker_give_up(struct worker *worker, struct connection *connection, const char *what, int error)
{
	log_limited(&shortage_limit, LOG_WARNING, "%s: %s; a connection is closed", what, strerror(error));
	worker_close(worker, connection);
}

void worker_note(const struct worker *worker, const struct connection *connection, const char *what,
                 const struct bytes *unfinished)
{
	char peer[CONFIG_ADDRESS], said[LOG_ESCAPED];

	if (!log_wants(LOG_INFO))
		return;
	scoreboard_peer(&worker->board->seat[connection->seat], peer, sizeof peer);
	if (unfinished && unfinished->len > 0)
		log_info("%s: %s: %s", peer, what, log_escape(said, sizeof said, unfinished->at, unfinished->len));
	else
		log_info("%s: %s", peer, what);
}

void worker_wait_for_all(struct worker *worker)
{
	while (atomic_load(&worker->busy) > 0) {
		atomic_store(&worker->wanted, true);
		if (atomic_load(&worker->busy) > 0)
			wait_for_vacancy(worker);
	}
}
