/*
 * scoreboard.c - slots and rows in shared memory.
 */
#include "metrics/scoreboard.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "common/address.h"
#include "common/siphash.h"

enum {
	PAGE = 4096, PAGE_SLOTS = PAGE / sizeof(struct slot),
	SOURCES_WAYS = 16,                /* entries of a set */
	SOURCES_FIRST = 1024,             /* entries of the first level */
	SOURCES_GROWTH = 4,               /* of each level over the one before */
	SOURCES_TRIES = 1000,             /* of a compare-and-swap, before a worker that was taken over is behind it */
};

_Static_assert(PAGE_SLOTS == 64, "a word has a bit for each slot of a page");

static size_t rows_size(uint32_t workers)
{
	return (sizeof(struct scoreboard_shared) + 63) / 64 * 64 + workers * sizeof(struct worker_row);
}

static size_t counters_at(uint32_t workers)
{
	return (rows_size(workers) + PAGE - 1) / PAGE * PAGE;
}

/* Words that have so many bits. */
static uint32_t words(uint32_t bits)
{
	return (bits + 63) / 64;
}

static size_t maps_size(uint32_t pages)
{
	return (pages + 2 * (size_t)words(pages)) * sizeof(uint64_t);
}

static size_t sources_at(const struct scoreboard *board)
{
	size_t slots_at = counters_at(board->workers) +
	                  (size_t)board->workers * board->counter_sets * sizeof(struct counters);

	return (slots_at + (size_t)board->pages * PAGE + maps_size(board->pages) + PAGE - 1) / PAGE * PAGE;
}

/* How many levels serve so many slots; entries of them all. */
static uint32_t levels_for(uint32_t slots)
{
	uint32_t levels = 1;

	for (uint64_t size = SOURCES_FIRST; size < UINT64_C(4) * slots; size *= SOURCES_GROWTH)
		levels++;
	return levels;
}

static size_t entries_of(uint32_t levels)
{
	size_t entries = 0, size = SOURCES_FIRST;

	for (; levels > 0; levels--, size *= SOURCES_GROWTH)
		entries += size;
	return entries;
}

static size_t board_size(const struct scoreboard *board)
{
	return sources_at(board) + PAGE + entries_of(board->sources.levels) * sizeof(struct source);
}

/* The key is sixteen bytes that the kernel gives each program: others may have to be waited for, early at a boot. */
static void set_up(struct sources *sources, char *shared)
{
	const void *random = (const void *)getauxval(AT_RANDOM);

	if (random)
		memcpy(sources->key, random, sizeof sources->key);
	sources->deeper = (_Atomic uint32_t *)(void *)shared;
	sources->entry = (struct source *)(void *)(shared + PAGE);
}

struct scoreboard *scoreboard_new(uint32_t slots, uint32_t workers, uint32_t counter_sets)
{
	struct scoreboard *board = calloc(1, sizeof *board);
	char *shared;

	if (!board)
		return NULL;
	board->slots = slots;
	board->pages = words(slots);
	board->workers = workers;
	board->counter_sets = counter_sets;
	board->sources.levels = levels_for(slots);
	shared = mmap(NULL, board_size(board), PROT_READ | PROT_WRITE,
	              MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (shared == MAP_FAILED) {
		free(board);
		return NULL;
	}
	board->shared = (struct scoreboard_shared *)(void *)shared;
	board->row = (struct worker_row *)(void *)(shared + rows_size(0));
	board->counters = (struct counters *)(void *)(shared + counters_at(workers));
	board->slot = (struct slot *)(void *)(board->counters + (size_t)workers * counter_sets);
	board->taken = (_Atomic uint64_t *)(void *)(board->slot + (size_t)board->pages * PAGE_SLOTS);
	board->full = board->taken + board->pages;
	board->touched = board->full + words(board->pages);
	set_up(&board->sources, shared + sources_at(board));
	return board;
}

void scoreboard_free(struct scoreboard *board)
{
	if (!board)
		return;
	munmap(board->shared, board_size(board));
	free(board);
}

/* ---- sources ---- */

/* Is it the whole address that tells this client from others, and not the prefix? */
static bool is_whole(const uint8_t address[16])
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t translated[12] = { 0, 0x64, 0xff, 0x9b };     /* of RFC 6052 */

	return memcmp(address, mapped, sizeof mapped) == 0 || memcmp(address, translated, sizeof translated) == 0 ||
	       (address[0] == 0xfe && (address[1] & 0xc0) == 0x80);
}

/* The name in the table of the slot's peer, never 0. */
static uint64_t name_source(const struct sources *sources, const struct slot *slot)
{
	uint8_t source[sizeof slot->address + sizeof slot->scope] = { 0 };
	uint64_t name;

	memcpy(source, slot->address, is_whole(slot->address) ? 16 : 8);
	memcpy(source + 16, &slot->scope, sizeof slot->scope);
	name = siphash(sources->key, source, sizeof source);
	return name != 0 ? name : 1;
}

/* What the table has of a source. */
struct found {
	struct source *at;                /* an entry of its own, else a free one, else NULL */
	uint64_t was;                     /* what stood there */
	uint64_t held;                    /* connections, over all its entries */
	uint32_t levels;                  /* that were searched */
	bool is_own;
};

static void consider(struct found *found, struct source *entry, uint64_t source)
{
	uint64_t word = atomic_load(&entry->held), held = word & SOURCES_COUNT;
	bool is_own = held > 0 && (word ^ source) >> SOURCES_COUNT_BITS == 0;

	if (is_own)
		found->held += held;
	if ((is_own && !found->is_own) || (held == 0 && !found->at)) {
		found->at = entry;
		found->was = word;
		found->is_own = is_own;
	}
}

static struct found find_source(const struct sources *sources, uint64_t source)
{
	uint32_t deeper = atomic_load(sources->deeper);
	struct found found = { .levels = deeper < sources->levels ? deeper + 1 : sources->levels };
	struct source *level = sources->entry;
	size_t size = SOURCES_FIRST;

	for (uint32_t n = 0; n < found.levels; n++, level += size, size *= SOURCES_GROWTH) {
		struct source *set = level + (source & (size / SOURCES_WAYS - 1)) * SOURCES_WAYS;

		for (int way = 0; way < SOURCES_WAYS; way++)
			consider(&found, &set[way], source);
	}
	return found;
}

/* One connection less.  Where it was not counted, or a death has made the source count too little, there is none. */
static void leave_source(const struct sources *sources, uint64_t source)
{
	for (int tries = 0; tries < SOURCES_TRIES; tries++) {
		struct found found = find_source(sources, source);

		if (!found.is_own || atomic_compare_exchange_strong(&found.at->held, &found.was, found.was - 1))
			return;
	}
}

/*
 * One connection more, unless the source holds that many already.  Who has counted looks again: of two that have
 * entered the source in two places at once at least one sees the other.  It may be both, which errs by refusing.
 */
static bool enter_source(const struct sources *sources, uint64_t source, uint32_t limit)
{
	for (int tries = 0; tries < SOURCES_TRIES; tries++) {
		struct found found = find_source(sources, source);
		uint32_t deeper = found.levels - 1;

		if (found.held >= limit)
			return false;
		if (!found.at && found.levels == sources->levels)
			return true;
		if (!found.at) {
			atomic_compare_exchange_strong(sources->deeper, &deeper, deeper + 1);
			continue;
		}
		if (!atomic_compare_exchange_strong(&found.at->held, &found.was,
		                                    found.is_own ? found.was + 1
		                                                 : (source & ~(uint64_t)SOURCES_COUNT) | 1))
			continue;
		if (find_source(sources, source).held <= limit)
			return true;
		leave_source(sources, source);
		return false;
	}
	return true;
}

/* ---- slots ---- */

static uint64_t bit(uint32_t n)
{
	return UINT64_C(1) << n % 64;
}

/* The bits of a page's slots; the last page may have less than 64. */
static uint64_t all_of(const struct scoreboard *board, uint32_t page)
{
	uint32_t slots = board->slots - page * PAGE_SLOTS;

	return slots < PAGE_SLOTS ? bit(slots) - 1 : UINT64_MAX;
}

/* The first from that one on, of so many bits, that is set, or with `flip` clear; their number where there is none. */
static uint32_t next_bit(const _Atomic uint64_t *map, uint64_t flip, uint32_t from, uint32_t count)
{
	uint64_t begin = UINT64_MAX << from % 64;

	for (uint32_t word = from / 64; word < words(count); word++, begin = UINT64_MAX) {
		uint64_t found = (atomic_load(&map[word]) ^ flip) & begin;

		if (found != 0 && word * 64 + (uint32_t)__builtin_ctzll(found) < count)
			return word * 64 + (uint32_t)__builtin_ctzll(found);
	}
	return count;
}

static void set_bit(_Atomic uint64_t *map, uint32_t n)
{
	if (!(atomic_load(&map[n / 64]) & bit(n)))
		atomic_fetch_or(&map[n / 64], bit(n));
}

static void clear_bit(_Atomic uint64_t *map, uint32_t n)
{
	if (atomic_load(&map[n / 64]) & bit(n))
		atomic_fetch_and(&map[n / 64], ~bit(n));
}

static bool is_full(const struct scoreboard *board, uint32_t page)
{
	return (atomic_load(&board->taken[page]) & all_of(board, page)) == all_of(board, page);
}

/*
 * The owner is what counts, the maps only say where to look.  A slot's bit is set after it is taken and cleared before
 * it is left, so a free slot never stays marked, except by a process that dies in between, which scoreboard_evict()
 * puts right.  A page that was marked full is looked at again, for a slot left just before; one left later unmarks it.
 */
static int take_in(struct scoreboard *board, uint32_t worker, uint32_t page, uint64_t slots)
{
	uint64_t open = slots & all_of(board, page) & ~atomic_load(&board->taken[page]);

	if (open != 0)
		set_bit(board->touched, page);
	for (; open != 0; open &= open - 1) {
		uint32_t n = page * PAGE_SLOTS + (uint32_t)__builtin_ctzll(open), nobody = 0;

		if (atomic_load_explicit(&board->slot[n].owner, memory_order_relaxed) != 0 ||
		    !atomic_compare_exchange_strong(&board->slot[n].owner, &nobody, worker + 1))
			continue;
		atomic_fetch_or(&board->taken[page], bit(n));
		if (is_full(board, page)) {
			set_bit(board->full, page);
			if (!is_full(board, page))
				clear_bit(board->full, page);
		}
		return (int)n;
	}
	return -1;
}

int scoreboard_take(struct scoreboard *board, uint32_t worker, uint32_t from)
{
	uint32_t slot = from < board->slots ? from : 0, first = slot / PAGE_SLOTS, page = first;
	int n = take_in(board, worker, first, UINT64_MAX << slot % PAGE_SLOTS);

	while (n < 0 && (page = next_bit(board->full, UINT64_MAX, page + 1, board->pages)) < board->pages)
		n = take_in(board, worker, page, UINT64_MAX);
	page = next_bit(board->full, UINT64_MAX, 0, board->pages);
	for (; n < 0 && page <= first; page = next_bit(board->full, UINT64_MAX, page + 1, board->pages))
		n = take_in(board, worker, page, UINT64_MAX);
	return n;
}

void scoreboard_leave(struct scoreboard *board, uint32_t n)
{
	struct slot *slot = &board->slot[n];
	uint64_t source = atomic_load_explicit(&slot->source, memory_order_relaxed);

	atomic_store_explicit(&slot->family, 0, memory_order_relaxed);
	if (source != 0)
		leave_source(&board->sources, source);
	atomic_store_explicit(&slot->source, 0, memory_order_release);      /* after it: see struct sources */
	clear_bit(board->taken, n);
	clear_bit(board->full, n / PAGE_SLOTS);
	atomic_store_explicit(&slot->owner, 0, memory_order_release);
}

uint32_t scoreboard_next(const struct scoreboard *board, uint32_t slot)
{
	uint32_t page = next_bit(board->touched, 0, slot / PAGE_SLOTS, board->pages);

	return page == slot / PAGE_SLOTS ? slot : page < board->pages ? page * PAGE_SLOTS : board->slots;
}

/*
 * What the maps still say of slots that nobody has is put right, too.  One that is taken at this very moment may lose
 * its bit: it is looked at in vain until it is left, no more.
 */
uint32_t scoreboard_evict(struct scoreboard *board, uint32_t worker)
{
	uint32_t evicted = 0;

	for (uint32_t n = scoreboard_next(board, 0); n < board->slots; n = scoreboard_next(board, n + 1)) {
		uint32_t owner = atomic_load(&board->slot[n].owner);

		if (owner == worker + 1) {
			scoreboard_leave(board, n);
			evicted++;
		} else if (owner == 0) {
			clear_bit(board->taken, n);
			clear_bit(board->full, n / PAGE_SLOTS);
		}
	}
	return evicted;
}

bool scoreboard_set_peer(struct scoreboard *board, uint32_t n, const struct sockaddr *peer, uint32_t limit)
{
	struct slot *slot = &board->slot[n];
	uint64_t source;

	memset(slot->address, 0, sizeof slot->address);
	slot->port = 0;
	slot->scope = 0;
	if (peer->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)peer;

		memset(slot->address + 10, 0xff, 2);
		memcpy(slot->address + 12, &in->sin_addr, 4);
		slot->port = in->sin_port;
	} else if (peer->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)peer;

		memcpy(slot->address, &in6->sin6_addr, 16);
		slot->port = in6->sin6_port;
		slot->scope = in6->sin6_scope_id;
	}
	atomic_store_explicit(&slot->family, peer->sa_family, memory_order_relaxed);
	if (limit == 0 || peer->sa_family == AF_UNIX)
		return true;
	source = name_source(&board->sources, slot);
	atomic_store(&slot->source, source);      /* before it is counted: see struct sources */
	if (enter_source(&board->sources, source, limit))
		return true;
	atomic_store(&slot->source, 0);
	return false;
}

struct sockaddr_in6 scoreboard_sockaddr(const struct slot *slot)
{
	struct sockaddr_in6 peer = {
		.sin6_family = slot->family == AF_UNIX ? AF_UNIX : AF_INET6, .sin6_port = slot->port,
		.sin6_scope_id = slot->scope,
	};

	memcpy(&peer.sin6_addr, slot->address, 16);
	return peer;
}

const char *scoreboard_peer(const struct slot *slot, char *to, size_t size)
{
	struct sockaddr_in6 peer = scoreboard_sockaddr(slot);
	struct sockaddr unix_peer = { .sa_family = AF_UNIX };

	/* by what was read once: it may be another family by now, and one address is longer than the other */
	address_format(to, size, peer.sin6_family == AF_UNIX ? &unix_peer
	                                                     : (const struct sockaddr *)(const void *)&peer);
	return to;
}
