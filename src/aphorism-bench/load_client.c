/*
 * load_client.c - a client's life: it wants to ask, connects, sends, waits, thinks, gives up.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "aphorism-bench/load_parts.h"
#include "common/clock.h"

enum {
	FIRST_RING = 4,
	RETRY_NS = 10 * 1000 * 1000,      /* after a connection that brought nothing */
	FULL_NS = 1000 * 1000,            /* a UNIX listener whose queue is full: there is nothing to poll for */
};

static bool grow(struct load_client *c, uint64_t size)
{
	struct load_question *ring = malloc(size * sizeof *ring);

	if (!ring)
		return false;
	for (uint64_t n = c->first; n < c->whole; n++)
		ring[n & (size - 1)] = *load_question(c, n);
	free(c->ring);
	c->ring = ring;
	c->mask = (uint32_t)size - 1;
	return true;
}

int load_client_init(struct load_thread *t, struct load_client *c, uint8_t crowd, uint64_t start_ns)
{
	*c = (struct load_client){ .fd = -1, .crowd = crowd, .rest_until_ns = start_ns };
	/* each begins elsewhere on the tape: an answer meant for another one is found out */
	c->first = c->sent = c->whole = load_random(&t->random) % LOAD_TAPE;
	if (!grow(c, FIRST_RING))
		return -1;
	load_timers_set(&t->timers, &c->timer, start_ns);
	return 0;
}

/* A question that is to be asked.  Returns false when `count` allows no more. */
static bool push(struct load_thread *t, struct load_client *c, uint64_t wanted_ns)
{
	if (t->measuring && t->tickets == 0)
		return false;
	if (c->whole - c->first > c->mask && !grow(c, 2 * ((uint64_t)c->mask + 1))) {
		atomic_store(&t->shared->out_of_memory, true);
		return false;
	}
	if (t->measuring)
		t->tickets--;
	*load_question(c, c->whole++) = (struct load_question){ .wanted_ns = wanted_ns, .came_ns = t->now_ns };
	if (c->waiting_ns == 0)
		c->waiting_ns = wanted_ns;
	t->open++;
	return true;
}

static void connected(struct load_thread *t, struct load_client *c)
{
	c->connecting = false;
	c->connected_ns = t->now_ns;
	t->connected++;
	atomic_fetch_add_explicit(&t->shared->connected, 1, memory_order_relaxed);
	t->refused_since_ns = 0;
}

static void hang_up(struct load_thread *t, struct load_client *c)
{
	if (c->fd >= 0 && !c->connecting) {
		t->connected--;
		atomic_fetch_sub_explicit(&t->shared->connected, 1, memory_order_relaxed);
	}
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	c->connecting = c->wants_out = c->unread = false;
	c->owed = c->part = c->odd_len = 0;
}

static void rest(struct load_client *c, uint64_t until_ns)
{
	if (until_ns > c->rest_until_ns)
		c->rest_until_ns = until_ns;
}

void load_client_drop(struct load_thread *t, struct load_client *c, uint64_t count, enum load_error error)
{
	struct load_seen *seen = &t->seen[c->crowd];

	t->open -= count;
	seen->errors[error] += t->measuring ? count : 0;
	for (; count > 0; count--) {
		uint64_t wait_ns = t->now_ns - load_question(c, c->first++)->wanted_ns;

		if (!t->measuring)
			continue;
		if (wait_ns > seen->longest_wait_ns)
			seen->longest_wait_ns = wait_ns;
		/* else a server that answers only the quick ones would look quick */
		if (error == LOAD_LATE)
			histogram_add(&seen->response, wait_ns, 1);
	}
	if (c->sent < c->first)
		c->sent = c->first;
}

void load_client_end(struct load_thread *t, struct load_client *c, enum load_error error)
{
	if (error == LOAD_TURNED_AWAY && c->sent == c->first && t->measuring)
		t->seen[c->crowd].errors[error]++;
	load_client_drop(t, c, c->sent - c->first, error);
	hang_up(t, c);
	if (c->answered_here == 0)
		rest(c, t->now_ns + RETRY_NS);
}

/* Nobody is there, rather than that we have no port, descriptor or memory for a connection. */
static bool is_nobody(int reason)
{
	static const int reasons[] = {
		ECONNREFUSED, ENOENT, ECONNRESET, ETIMEDOUT, EHOSTUNREACH, EHOSTDOWN, ENETUNREACH, ENETDOWN,
	};

	for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
		if (reasons[i] == reason)
			return true;
	return false;
}

/* Who holds a connection may still be answered on it.  It takes two refusals to know how long nobody has been there. */
static void note_refusal(struct load_thread *t, int reason)
{
	if (atomic_load_explicit(&t->shared->connected, memory_order_relaxed) > 0 || !is_nobody(reason))
		return;
	if (t->refused_since_ns == 0)
		t->refused_since_ns = t->now_ns;
	t->gone = t->now_ns - t->refused_since_ns >= LOAD_GONE_US * UINT64_C(1000);
}

/* No connection: whatever waited for it fails. */
static void fail(struct load_thread *t, struct load_client *c, int reason)
{
	/* a UNIX socket's file is there or not; a listener that goes resets who was connected to its queue */
	enum load_error error = reason == ECONNREFUSED || reason == ENOENT ? LOAD_REFUSED :
	                        reason == ECONNRESET ? LOAD_RESET : LOAD_UNCONNECTED;

	if (c->whole == c->first && t->measuring)
		t->seen[c->crowd].errors[error]++;
	load_client_drop(t, c, c->whole - c->first, error);
	hang_up(t, c);
	rest(c, t->now_ns + RETRY_NS);
	note_refusal(t, reason);
}

/* How many questions may follow those in flight, in one piece. */
static uint64_t sendable(const struct load_thread *t, const struct load_client *c)
{
	const struct crowd *crowd = load_crowd(t, c);
	uint64_t count = c->whole - c->sent, room = crowd->pipeline - (c->sent - c->first);

	if (crowd->per_connection > 0 && room > crowd->per_connection - c->asked_here)
		room = crowd->per_connection - c->asked_here;
	if (room > LOAD_TAPE)
		room = LOAD_TAPE;
	return count < room ? count : room;
}

/* Sends what may be sent, as far as the kernel takes it.  Returns 0, or an errno, EAGAIN too. */
static int send_some(struct load_thread *t, struct load_client *c)
{
	const struct load_tape *tape = &t->shared->tape;
	uint64_t count;

	while (c->owed > 0 || (count = sendable(t, c)) > 0) {
		const uint32_t *question_at = tape->question_at + load_tape_index(c->sent);
		ssize_t taken;

		if (c->owed == 0) {
			for (uint64_t n = 0; n < count; n++)
				load_question(c, c->sent + n)->sent_ns = t->now_ns;
			c->owed = question_at[count] - question_at[0];
			c->asked_here += count;
			c->sent += count;
			question_at += count;
		} else {
			question_at += LOAD_TAPE;     /* the second copy: the owed bytes before it are there for sure */
		}
		taken = send(c->fd, tape->questions + *question_at - c->owed, c->owed, MSG_NOSIGNAL);
		if (taken < 0)
			return errno;
		c->owed -= (uint32_t)taken;
	}
	return 0;
}

static void watch(struct load_thread *t, struct load_client *c, int operation, bool out)
{
	struct epoll_event event = { .events = EPOLLIN | (out ? (uint32_t)EPOLLOUT : 0), .data.ptr = c };

	c->wants_out = out;
	if (epoll_ctl(t->set, operation, c->fd, &event) < 0)
		fail(t, c, errno);        /* no memory; hangs up */
}

static void ask(struct load_thread *t, struct load_client *c)
{
	int reason = c->mute ? 0 : send_some(t, c);

	if (reason != 0 && reason != EAGAIN && reason != EINTR) {
		c->mute = true;           /* what the server said before it left can still be read */
		c->reset = reason != EPIPE;
	}
	if (c->wants_out != (c->owed > 0 && !c->mute))
		watch(t, c, EPOLL_CTL_MOD, !c->wants_out);
}

/*
 * A socket that connects.  Returns 0, EINPROGRESS, or the reason why not.  Over loopback the connection is there
 * when connect returns, though it said EINPROGRESS; asking again spares the wait for EPOLLOUT, which would be a third
 * of all wake-ups with a connection per question.
 */
static int dial(const struct load *load, int fd)
{
	const struct sockaddr *address = (const struct sockaddr *)&load->address;

	if (connect(fd, address, load->address_len) == 0)
		return 0;
	if (errno == EINPROGRESS && connect(fd, address, load->address_len) == 0)
		return 0;
	return errno == EALREADY ? EINPROGRESS : errno;
}

static void open_connection(struct load_thread *t, struct load_client *c)
{
	const struct load *load = t->shared->load;
	int family = load->address.ss_family, yes = 1, reason;

	c->mute = c->reset = false;
	c->asked_here = c->answered_here = 0;
	c->connecting_ns = t->now_ns;
	c->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		fail(t, c, errno);
		return;
	}
	/* a single question needs no hurry: nothing is in flight that it could be held back for */
	if (family != AF_UNIX && load_crowd(t, c)->per_connection != 1)
		setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
	c->connecting = true;
	reason = dial(load, c->fd);
	if (reason == 0)
		connected(t, c);
	if (reason == EAGAIN && family == AF_UNIX) {
		hang_up(t, c);
		rest(c, t->now_ns + FULL_NS);
	} else if (reason != 0 && reason != EINPROGRESS) {
		fail(t, c, reason);
	} else {
		watch(t, c, EPOLL_CTL_ADD, c->connecting);
	}
}

/* EPOLLOUT while it connects: is it there, or not? */
static void settle_connection(struct load_thread *t, struct load_client *c)
{
	int reason = 0;
	socklen_t len = sizeof reason;

	getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &reason, &len);
	if (reason == 0)
		connected(t, c);
	else
		fail(t, c, reason);
}

/* Another byte of a question that never ends. */
static void drip(struct load_thread *t, struct load_client *c)
{
	if (t->now_ns < c->rest_until_ns)
		return;
	if (c->fd < 0)
		open_connection(t, c);
	if (c->fd >= 0 && !c->connecting) {
		(void)!send(c->fd, "a", 1, MSG_NOSIGNAL);     /* that it failed is seen when reading */
		rest(c, t->now_ns + load_crowd(t, c)->think_us * 1000);
	}
}

/* When what waits since then is late.  What was asked in a turn that was held up may have been sent only at its end. */
static uint64_t late_ns(const struct load_thread *t, uint64_t since_ns)
{
	if (since_ns >= t->held_ns && since_ns < t->free_ns)
		since_ns = t->free_ns;
	return since_ns + t->shared->load->timeout_us * 1000;
}

/* What lies in our socket has come in time, however late we come to read it. */
static bool overdue(const struct load_thread *t, uint64_t since_ns)
{
	return t->heard_ns >= late_ns(t, since_ns);
}

/* Since when the oldest question waits for the server: what was sent has the whole time-out from the connection on. */
static uint64_t waits_since_ns(const struct load_client *c)
{
	uint64_t came_ns = load_question(c, c->first)->came_ns;

	return c->first < c->sent && c->connected_ns > came_ns ? c->connected_ns : came_ns;
}

static void give_up_what_is_late(struct load_thread *t, struct load_client *c)
{
	if (c->unread)
		return;
	if (c->connecting && overdue(t, c->connecting_ns))
		fail(t, c, ETIMEDOUT);
	if (c->first < c->sent && overdue(t, waits_since_ns(c)))
		load_client_end(t, c, LOAD_LATE);
	while (c->first < c->whole && overdue(t, waits_since_ns(c)))
		load_client_drop(t, c, 1, LOAD_LATE);
}

static void set_timer(struct load_thread *t, struct load_client *c)
{
	uint64_t due_ns = UINT64_MAX;

	if (c->rest_until_ns > t->now_ns)
		due_ns = c->rest_until_ns;
	if (c->first < c->whole && late_ns(t, waits_since_ns(c)) < due_ns)
		due_ns = late_ns(t, waits_since_ns(c));
	if (c->connecting && late_ns(t, c->connecting_ns) < due_ns)
		due_ns = late_ns(t, c->connecting_ns);
	/* overdue by the clock, but it has not been heard yet: in the next turn, not in this one again */
	if (due_ns <= t->now_ns)
		due_ns = t->now_ns + 1;
	/* one that is set too early only wakes for nothing: a busy client moves its timer once per time-out */
	if (due_ns != UINT64_MAX && (c->timer.position == 0 || due_ns < c->timer.due_ns))
		load_timers_set(&t->timers, &c->timer, due_ns);
}

/* Whatever has happened: does what is to be done now. */
static void go_on(struct load_thread *t, struct load_client *c)
{
	const struct crowd *crowd = load_crowd(t, c);

	give_up_what_is_late(t, c);
	if (crowd->drips) {
		drip(t, c);
	} else {
		if (crowd->rate <= 0 && t->now_ns >= c->rest_until_ns)
			while (c->whole - c->first < crowd->pipeline && push(t, c, t->now_ns))
				;
		if (c->fd < 0 && c->first < c->whole && t->now_ns >= c->rest_until_ns)
			open_connection(t, c);
		if (c->fd >= 0 && !c->connecting)
			ask(t, c);
	}
	set_timer(t, c);
}

void load_client_arrival(struct load_thread *t, struct load_client *c, uint64_t wanted_ns)
{
	if (push(t, c, wanted_ns))
		go_on(t, c);
}

void load_client_wake(struct load_thread *t, struct load_client *c)
{
	const struct crowd *crowd = load_crowd(t, c);

	if (!c->begun && t->now_ns >= c->rest_until_ns) {
		c->begun = true;
		if (crowd->per_connection == 0 && !crowd->drips && c->fd < 0)
			open_connection(t, c);
		/* those who think do not all begin at once */
		if (crowd->think_us > 0 && !crowd->drips)
			rest(c, t->now_ns + (uint64_t)(load_random_fraction(&t->random) * 1e3 *
			                               (double)crowd->think_us));
	}
	go_on(t, c);
}

void load_client_event(struct load_thread *t, struct load_client *c, uint32_t events)
{
	const struct crowd *crowd = load_crowd(t, c);
	uint64_t served = c->served;

	if (c->connecting) {
		t->now_ns = clock_now_ns();
		settle_connection(t, c);
	} else if ((events & ~(uint32_t)EPOLLOUT) && load_receive(t, c) && c->first == c->sent &&
	           crowd->per_connection > 0 && c->answered_here >= crowd->per_connection) {
		hang_up(t, c);
	}
	if (c->served > served && c->first == c->whole && crowd->think_us > 0)
		rest(c, t->now_ns + crowd->think_us * 1000);
	go_on(t, c);
}
