/*
 * worker_slot.c - a worker shown as idle or busy, the slots of its connections, and their ends.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/compat.h"
#include "common/log.h"
#include "common/proctitle.h"
#include "worker/worker_parts.h"

enum { SHORTAGE_PAUSE_US = 100 * CLOCK_MS };

/* ---- idle and busy ---- */

/*
 * Again if it fails: this may be the last that happens, with clients who wait for another worker.  A full pipe tells as
 * much; it is asked first, since another worker may have filled it and cleared O_NONBLOCK, which all of them share.
 */
static void tell_supervisor(struct worker *worker)
{
	struct pollfd pipe = { .fd = worker->notices, .events = POLLOUT };

	if (atomic_exchange(&worker->board->shared->notified, 1))
		return;
	for (int tries = 0; tries < 3; tries++)
		if (poll(&pipe, 1, 0) == 0 || write(pipe.fd, "\n", 1) == 1 || errno == EAGAIN)
			return;
	atomic_store(&worker->board->shared->notified, 0);
}

/* By hand: it runs in a signal handler, and once or twice per connection. */
static void show_state(struct worker *worker, bool busy)
{
	static atomic_flag showing = ATOMIC_FLAG_INIT;
	static const char words[] = " answered";
	char text[48], *at = text + sizeof text - sizeof words;
	uint64_t n = scoreboard_counted(worker->board, worker->number, COUNT_ANSWERED) - worker->answered_before;

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

void worker_count_busy(struct worker *worker)
{
	if (atomic_fetch_add(&worker->busy, 1) > 0)
		return;
	become(worker, WORKER_BUSY);
	if (atomic_fetch_sub(&worker->board->shared->idle, 1) - 1 < worker->board->least_idle)
		tell_supervisor(worker);
}

/* The same of one that has ended. */
static void count_idle(struct worker *worker)
{
	if (atomic_fetch_sub(&worker->busy, 1) > 1)
		return;
	become(worker, WORKER_IDLE);
	if (atomic_fetch_add(&worker->board->shared->idle, 1) + 1 > worker->board->most_idle)
		tell_supervisor(worker);
}

void worker_ready(struct worker *worker)
{
	become(worker, WORKER_IDLE);
	atomic_store(worker->says_ready, true);
	/* children are not to have it */
	munmap((void *)(uintptr_t)worker->says_ready, sizeof *worker->says_ready);
	tell_supervisor(worker);
}

void worker_listens_no_more(struct worker *worker)
{
	if (worker_phase(worker) < PHASE_STOPS)
		tell_supervisor(worker);
}

void worker_clear_recheck(struct worker *worker)
{
	uint64_t count;

	if (read(worker->recheck, &count, sizeof count) < 0)
		return;           /* another thread was quicker */
}

void worker_show_held(struct worker *worker, uint32_t held)
{
	atomic_store_explicit(&worker->board->row[worker->number].held, held, memory_order_relaxed);
}

uint32_t worker_lead(const struct worker *worker)
{
	const struct worker_row *row = worker->board->row;
	uint64_t held = row[worker->number].held, all = 0, serving = 1;

	for (uint32_t n = 0; n < worker->board->workers; n++) {
		if (n == worker->number || row[n].state <= WORKER_STARTING)
			continue;
		all += row[n].held;
		serving++;
	}
	all += held;
	return held > all / serving ? (uint32_t)(held - all / serving) : 0;
}

/* ---- slots ---- */

void worker_wait_for_vacancy(struct worker *worker)
{
	compat_sem_wait(&worker->vacancy, clock_now_us() + SHORTAGE_PAUSE_US);
}

void worker_free_slot(struct worker *worker, uint32_t slot)
{
	atomic_store(&worker->fds[slot], 0);      /* first: whoever takes it next looks there */
	scoreboard_leave(worker->board, slot);
	if (atomic_exchange(&worker->wanted, false))
		sem_post(&worker->vacancy);
}

/* ---- ending connections ---- */

void worker_leave(struct worker *worker, uint32_t slot)
{
	count_idle(worker);        /* first: who waits for all to end is woken by the second */
	worker_free_slot(worker, slot);
}

void worker_hand_over(struct worker *worker, struct connection *connection)
{
	/* no number first: the handler must not shut down whatever gets this one next */
	atomic_store(&worker->fds[connection->slot], WORKER_HANDED_OVER);
	close(connection->fd);
}

void worker_close(struct worker *worker, struct connection *connection)
{
	worker_hand_over(worker, connection);
	worker_leave(worker, connection->slot);
}

bool worker_wait_out(struct worker *worker, const char *what, int error, int tries)
{
	if (tries > 0 && atomic_load(&worker->busy) == 1)
		return false;
	log_limited(&worker->board->shared->limits[LIMIT_SHORTAGE], LOG_WARNING, "%s: %s; trying on", what,
	            strerror(error));
	scoreboard_count(worker->board, worker->number, COUNT_ACCEPT_WAITS);
	atomic_store(&worker->wanted, true);
	worker_wait_for_vacancy(worker);
	return true;
}

void worker_note(const struct worker *worker, uint32_t slot, const char *what, const struct bytes *unfinished)
{
	char peer[CONFIG_ADDRESS], said[LOG_ESCAPED];

	if (!log_wants(LOG_INFO))
		return;
	scoreboard_peer(&worker->board->slot[slot], peer, sizeof peer);
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
			worker_wait_for_vacancy(worker);
	}
}
