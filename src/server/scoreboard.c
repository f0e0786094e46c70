/*
 * scoreboard.c - seats and rows in shared memory.
 */
#include "server/scoreboard.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "server/address.h"

enum { PAGE = 4096 };

static size_t rows_size(uint32_t workers)
{
	return (sizeof(struct scoreboard_shared) + 63) / 64 * 64 + workers * sizeof(struct worker_row);
}

static size_t tallies_at(uint32_t workers)
{
	return (rows_size(workers) + PAGE - 1) / PAGE * PAGE;
}

static size_t board_size(uint32_t seats, uint32_t workers, uint32_t tallies)
{
	return tallies_at(workers) + (size_t)workers * tallies * sizeof(struct tally) + seats * sizeof(struct seat);
}

struct scoreboard *scoreboard_new(uint32_t seats, uint32_t workers, uint32_t tallies)
{
	struct scoreboard *board = calloc(1, sizeof *board);
	char *shared;

	if (!board)
		return NULL;
	shared = mmap(NULL, board_size(seats, workers, tallies), PROT_READ | PROT_WRITE,
	              MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (shared == MAP_FAILED) {
		free(board);
		return NULL;
	}
	board->seats = seats;
	board->workers = workers;
	board->tallies = tallies;
	board->shared = (struct scoreboard_shared *)(void *)shared;
	board->row = (struct worker_row *)(void *)(shared + rows_size(0));
	board->tally = (struct tally *)(void *)(shared + tallies_at(workers));
	board->seat = (struct seat *)(void *)(board->tally + (size_t)workers * tallies);
	return board;
}

void scoreboard_free(struct scoreboard *board)
{
	if (!board)
		return;
	munmap(board->shared, board_size(board->seats, board->workers, board->tallies));
	free(board);
}

int scoreboard_take(struct scoreboard *board, uint32_t worker, uint32_t hint)
{
	uint32_t n = hint < board->seats ? hint : 0;

	for (uint32_t i = 0; i < board->seats; i++, n = n + 1 < board->seats ? n + 1 : 0) {
		uint32_t nobody = 0;

		if (atomic_load_explicit(&board->seat[n].owner, memory_order_relaxed) == 0 &&
		    atomic_compare_exchange_strong(&board->seat[n].owner, &nobody, worker + 1))
			return (int)n;
	}
	return -1;
}

void scoreboard_leave(struct scoreboard *board, uint32_t seat)
{
	atomic_store_explicit(&board->seat[seat].family, 0, memory_order_relaxed);
	atomic_store_explicit(&board->seat[seat].source, 0, memory_order_relaxed);
	atomic_store_explicit(&board->seat[seat].owner, 0, memory_order_release);
}

static bool is_mapped(const uint8_t address[16])
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(address, prefix, sizeof prefix) == 0;
}

uint32_t scoreboard_evict(struct scoreboard *board, uint32_t worker)
{
	uint32_t evicted = 0;

	for (uint32_t n = 0; n < board->seats; n++) {
		if (atomic_load_explicit(&board->seat[n].owner, memory_order_relaxed) != worker + 1)
			continue;
		scoreboard_leave(board, n);
		evicted++;
	}
	return evicted;
}

/*
 * Seats are counted that were taken before ours.  The source is in place before the turn is drawn, so of two that come
 * at once the later sees the earlier; one that has not drawn its turn yet counts as earlier: that errs by refusing.
 */
static bool source_has_room(struct scoreboard *board, struct seat *mine, uint64_t source, uint32_t limit)
{
	uint32_t earlier = 0, turn;

	atomic_store(&mine->turn, atomic_load(&board->shared->turns));
	atomic_store(&mine->source, source);
	turn = atomic_fetch_add(&board->shared->turns, 1) + 1;
	atomic_store(&mine->turn, turn);
	for (uint32_t n = 0; n < board->seats && earlier < limit; n++) {
		struct seat *other = &board->seat[n];

		if (other != mine && atomic_load(&other->source) == source &&
		    (int32_t)(turn - atomic_load(&other->turn)) > 0)
			earlier++;
	}
	return earlier < limit;
}

bool scoreboard_seat_peer(struct scoreboard *board, uint32_t n, const struct sockaddr *peer, uint32_t limit)
{
	struct seat *seat = &board->seat[n];
	uint64_t source = 0;

	memset(seat->address, 0, sizeof seat->address);
	seat->port = 0;
	if (peer->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)peer;

		memset(seat->address + 10, 0xff, 2);
		memcpy(seat->address + 12, &in->sin_addr, 4);
		seat->port = in->sin_port;
	} else if (peer->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)peer;

		memcpy(seat->address, &in6->sin6_addr, 16);
		seat->port = in6->sin6_port;
	}
	atomic_store_explicit(&seat->family, peer->sa_family, memory_order_relaxed);
	if (limit == 0 || peer->sa_family == AF_UNIX)
		return true;
	if (is_mapped(seat->address)) {
		memcpy((char *)&source + 4, seat->address + 12, 4);
		source |= 1;
	} else {
		memcpy(&source, seat->address, 8);
		source = ~source;     /* never 0: no source has a prefix of ones */
	}
	return source_has_room(board, seat, source, limit);
}

struct sockaddr_in6 scoreboard_sockaddr(const struct seat *seat)
{
	struct sockaddr_in6 peer = {
		.sin6_family = seat->family == AF_UNIX ? AF_UNIX : AF_INET6, .sin6_port = seat->port,
	};

	memcpy(&peer.sin6_addr, seat->address, 16);
	return peer;
}

const char *scoreboard_peer(const struct seat *seat, char *to, size_t size)
{
	struct sockaddr_in6 peer = scoreboard_sockaddr(seat);
	struct sockaddr unix_peer = { .sa_family = AF_UNIX };

	/* by what was read once: it may be another family by now, and one address is longer than the other */
	address_format(to, size, peer.sin6_family == AF_UNIX ? &unix_peer : (const struct sockaddr *)(const void *)&peer);
	return to;
}

static void add_latency(struct latency *to, const struct latency_shared *from)
{
	uint64_t largest_ns = atomic_load_explicit(&from->largest_ns, memory_order_relaxed);

	to->sum_ns += atomic_load_explicit(&from->sum_ns, memory_order_relaxed);
	if (largest_ns > to->largest_ns)
		to->largest_ns = largest_ns;
	for (size_t i = 0; i < LATENCY_BUCKETS; i++)
		to->buckets[i] += atomic_load_explicit(&from->buckets[i], memory_order_relaxed);
}

uint64_t scoreboard_counted(const struct scoreboard *board, uint32_t worker, enum scoreboard_count what)
{
	const struct tally *tally = &board->tally[(size_t)worker * board->tallies];
	uint64_t sum = 0;

	if (what >= COUNT_TALLY)
		return atomic_load_explicit(&board->row[worker].count[what - COUNT_TALLY], memory_order_relaxed);
	for (uint32_t n = 0; n < board->tallies; n++)
		sum += atomic_load_explicit(&tally[n].count[what], memory_order_relaxed);
	return sum;
}

static void sum_worker(const struct scoreboard *board, uint32_t worker, struct scoreboard_totals *totals)
{
	for (int what = 0; what < COUNT_ALL; what++)
		totals->count[what] += scoreboard_counted(board, worker, what);
	for (uint32_t n = 0; n < board->tallies; n++) {
		const struct tally *tally = &board->tally[(size_t)worker * board->tallies + n];

		add_latency(&totals->wait, &tally->wait);
		add_latency(&totals->service, &tally->service);
	}
}

void scoreboard_sum(const struct scoreboard *board, struct scoreboard_totals *totals)
{
	for (uint32_t n = 0; n < board->seats; n++)
		totals->seated += atomic_load_explicit(&board->seat[n].family, memory_order_relaxed) != 0;
	for (uint32_t n = 0; n < board->used; n++)
		sum_worker(board, n, totals);
}

uint64_t scoreboard_timeouts(const struct scoreboard_totals *totals)
{
	return totals->count[COUNT_TIMEOUT_QUESTION] + totals->count[COUNT_TIMEOUT_IDLE] +
	       totals->count[COUNT_TIMEOUT_WRITE] + totals->count[COUNT_TIMEOUT_HEADER];
}

uint64_t scoreboard_refused(const struct scoreboard_totals *totals)
{
	return totals->count[COUNT_REFUSED_LIMIT] + totals->count[COUNT_REFUSED_SOURCE];
}
