/*
 * test_scoreboard.c - slots, and how many of them a source may hold.
 */
#include <arpa/inet.h>
#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/un.h>
#include <time.h>

#include "common/clock.h"
#include "common/siphash.h"
#include "metrics/scoreboard.h"

enum { MILLION = 1000000 };

static struct sockaddr_in6 peer(const char *text, uint32_t scope)
{
	struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6, .sin6_scope_id = scope };
	struct sockaddr_in ipv4 = { .sin_family = AF_INET };

	if (inet_pton(AF_INET6, text, &ipv6.sin6_addr) == 1)
		return ipv6;
	ck_assert_int_eq(inet_pton(AF_INET, text, &ipv4.sin_addr), 1);
	memcpy(&ipv6, &ipv4, sizeof ipv4);
	return ipv6;
}

/* A slot of that worker for a client, or -1. */
static int slot(struct scoreboard *board, uint32_t worker, const char *text, uint32_t scope, uint32_t limit)
{
	struct sockaddr_in6 client = peer(text, scope);
	int n = scoreboard_take(board, worker, 0);

	ck_assert_int_ge(n, 0);
	if (scoreboard_set_peer(board, (uint32_t)n, (struct sockaddr *)&client, limit))
		return n;
	scoreboard_leave(board, (uint32_t)n);
	return -1;
}

/* One of many sources. */
static int slot_of_number(struct scoreboard *board, uint32_t number, uint32_t limit)
{
	char text[INET6_ADDRSTRLEN];

	snprintf(text, sizeof text, "2001:db8:%x:%x::1", number >> 16, number & 0xffff);
	return slot(board, 0, text, 0, limit);
}

static struct scoreboard *board_of(uint32_t slots)
{
	struct scoreboard *board = scoreboard_new(slots, 4, 1);

	ck_assert_ptr_nonnull(board);
	return board;
}

/* Pages of memory from `at` on that somebody has looked at. */
static size_t pages(const void *at, size_t size)
{
	size_t count = (size + 4095) / 4096, resident = 0;
	unsigned char *page = calloc(count, 1);

	ck_assert_ptr_nonnull(page);
	ck_assert_int_eq(mincore((void *)(uintptr_t)at, size, page), 0);
	for (size_t i = 0; i < count; i++)
		resident += page[i] & 1;
	free(page);
	return resident;
}

static size_t entries(const struct scoreboard *board)
{
	size_t count = 0;

	for (uint32_t level = 0; level < board->sources.levels; level++)
		count += (size_t)1024 << 2 * level;
	return count;
}

/* As if who counted somebody had died before, or after he had counted him no more. */
static void uncount(struct scoreboard *board)
{
	for (size_t i = 0; i < entries(board); i++)
		if (atomic_load(&board->sources.entry[i].held) & SOURCES_COUNT)
			atomic_fetch_sub(&board->sources.entry[i].held, 1);
}

static uint64_t spent_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * CLOCK_S + (uint64_t)now.tv_nsec / 1000;
}

/* ---- sources ---- */

/* From the paper's appendix, and two of its authors' vectors. */
START_TEST(the_hash_is_siphash)
{
	uint8_t key[16], bytes[15];

	for (uint8_t i = 0; i < sizeof key; i++)
		key[i] = i;
	for (uint8_t i = 0; i < sizeof bytes; i++)
		bytes[i] = i;
	ck_assert(siphash(key, bytes, 15) == 0xa129ca6149be45e5);
	ck_assert(siphash(key, bytes, 8) == 0x93f5f5799a932462);
	ck_assert(siphash(key, bytes, 0) == 0x726fdb47dd0e0e31);
}
END_TEST

/* two clients, the interfaces they came by, and whether they are one source */
static const struct {
	const char *a, *b;
	uint32_t scope_a, scope_b;
	bool one;
} pairs[] = {
	{ "10.0.0.2", "10.0.0.2", 0, 0, true },
	{ "10.0.0.2", "10.0.0.3", 0, 0, false },
	{ "10.0.0.0", "11.0.0.0", 0, 0, false },
	{ "10.0.0.2", "::ffff:10.0.0.2", 0, 0, true },
	{ "10.0.0.2", "::ffff:10.0.0.3", 0, 0, false },
	{ "2001:db8::1", "2001:db8::ffff:2", 0, 0, true },
	{ "2001:db8::1", "2001:db8:0:1::1", 0, 0, false },
	{ "2001:db8::1", "2002:db8::1", 0, 0, false },
	{ "fe80::1", "fe80::2", 2, 2, false },
	{ "fe80::1", "fe80::1", 2, 2, true },
	{ "fe80::1", "fe80::1", 2, 3, false },
	{ "febf::1", "febf::2", 2, 2, false },
	{ "fec0::1", "fec0::2", 0, 0, true },
	{ "64:ff9b::10.0.0.2", "64:ff9b::10.0.0.3", 0, 0, false },
	{ "64:ff9b::10.0.0.2", "64:ff9b::10.0.0.2", 0, 0, true },
	{ "64:ff9b:1::1", "64:ff9b:1::2", 0, 0, true },
};

START_TEST(one_source_or_two)
{
	struct scoreboard *board = board_of(8);

	ck_assert_int_ge(slot(board, 0, pairs[_i].a, pairs[_i].scope_a, 1), 0);
	ck_assert_msg((slot(board, 0, pairs[_i].b, pairs[_i].scope_b, 1) < 0) == pairs[_i].one, "%s and %s",
	              pairs[_i].a, pairs[_i].b);
	ck_assert_int_lt(slot(board, 0, pairs[_i].a, pairs[_i].scope_a, 1), 0);
	scoreboard_free(board);
}
END_TEST

/* Who is asked again who he is, as a proxy without a client, is who he was. */
START_TEST(a_slot_remembers_the_interface)
{
	struct scoreboard *board = board_of(8);
	int n = slot(board, 0, "fe80::1", 7, 0);
	struct sockaddr_in6 client = scoreboard_sockaddr(&board->slot[n]);

	ck_assert_uint_eq(client.sin6_scope_id, 7);
	ck_assert(scoreboard_set_peer(board, (uint32_t)n, (struct sockaddr *)&client, 1));
	ck_assert_int_lt(slot(board, 0, "fe80::1", 7, 1), 0);
	ck_assert_int_ge(slot(board, 0, "fe80::1", 8, 1), 0);
	scoreboard_free(board);
}
END_TEST

START_TEST(as_many_as_the_limit_over_all_workers)
{
	struct scoreboard *board = board_of(100);
	int slots[5];

	for (uint32_t n = 0; n < 5; n++)
		slots[n] = slot(board, n % 4, "10.0.0.2", 0, 5);
	for (int again = 0; again < 3; again++) {
		ck_assert_int_lt(slot(board, 1, "10.0.0.2", 0, 5), 0);
		ck_assert_int_ge(slot(board, 1, "10.0.0.3", 0, 5), 0);
		scoreboard_leave(board, (uint32_t)slots[again]);
		ck_assert_int_ge(slot(board, 3, "10.0.0.2", 0, 5), 0);
	}
	scoreboard_free(board);
}
END_TEST

START_TEST(unix_peers_have_no_source)
{
	struct sockaddr_un client = { .sun_family = AF_UNIX };
	struct scoreboard *board = board_of(8);

	for (int n = 0; n < 8; n++)
		ck_assert(scoreboard_set_peer(board, (uint32_t)scoreboard_take(board, 0, 0),
		                              (struct sockaddr *)&client, 1));
	scoreboard_free(board);
}
END_TEST

/* More than the first level of the table holds, and each of them to its limit. */
START_TEST(many_sources)
{
	enum { SOURCES = 20000 };
	struct scoreboard *board = board_of(2 * SOURCES + 1);
	static int slots[2][SOURCES];

	for (int round = 0; round < 2; round++)
		for (uint32_t n = 0; n < SOURCES; n++)
			ck_assert_int_ge(slots[round][n] = slot_of_number(board, n, 2), 0);
	for (uint32_t n = 0; n < SOURCES; n++)
		ck_assert_int_lt(slot_of_number(board, n, 2), 0);
	for (uint32_t n = 0; n < SOURCES; n++)
		scoreboard_leave(board, (uint32_t)slots[n % 2][n]);
	for (uint32_t n = 0; n < SOURCES; n++) {
		ck_assert_int_ge(slot_of_number(board, n, 2), 0);
		ck_assert_int_lt(slot_of_number(board, n, 2), 0);
	}
	scoreboard_free(board);
}
END_TEST

START_TEST(memory_goes_by_the_sources_that_are_there)
{
	struct scoreboard *board = board_of(MILLION);
	size_t size = entries(board) * sizeof *board->sources.entry;
	int n = slot(board, 0, "10.0.0.2", 0, 0);

	ck_assert_uint_eq(pages(board->sources.entry, size), 0);     /* without a limit nothing */
	scoreboard_leave(board, (uint32_t)n);
	for (uint32_t source = 0; source < 100000; source++)
		scoreboard_leave(board, (uint32_t)slot_of_number(board, source, MILLION));
	ck_assert_uint_lt(pages(board->sources.entry, size), 10);
	ck_assert_uint_le(pages(board->slot, MILLION * sizeof *board->slot), 1);
	scoreboard_free(board);
}
END_TEST

/* Nothing but a worker that was taken over fills a set, and all it wins is that a limit fails. */
START_TEST(a_full_table_refuses_nobody)
{
	struct scoreboard *board = board_of(8);
	const uint64_t held = UINT64_MAX << SOURCES_COUNT_BITS | 1;
	int n;

	for (size_t i = 0; i < entries(board); i++)
		atomic_store(&board->sources.entry[i].held, held);
	ck_assert_int_ge(n = slot(board, 0, "10.0.0.2", 0, 1), 0);
	ck_assert_int_ge(slot(board, 0, "10.0.0.2", 0, 1), 0);
	scoreboard_leave(board, (uint32_t)n);
	for (size_t i = 0; i < entries(board); i++)
		ck_assert(atomic_load(&board->sources.entry[i].held) == held);
	scoreboard_free(board);
}
END_TEST

START_TEST(whatever_stands_in_the_table_leads_nowhere_else)
{
	struct scoreboard *board = board_of(8);
	int n = slot(board, 0, "10.0.0.2", 0, 1);

	atomic_store(board->sources.deeper, UINT32_MAX);
	ck_assert_int_lt(slot(board, 1, "10.0.0.2", 0, 1), 0);
	atomic_store(&board->slot[n].source, UINT64_MAX);
	memset(board->taken, 0, board->pages * sizeof *board->taken);
	memset(board->touched, 0xff, sizeof *board->touched);
	memset(board->full, 0xff, sizeof *board->full);
	ck_assert_uint_eq(scoreboard_evict(board, 0), 1);
	for (uint32_t i = 0; i < 8; i++) {
		n = scoreboard_take(board, 1, UINT32_MAX - i);
		ck_assert(n >= 0 && n < 8);
	}
	ck_assert_int_eq(scoreboard_take(board, 1, 0), -1);
	scoreboard_free(board);
}
END_TEST

/* ---- deaths ---- */

START_TEST(who_died_holds_nothing)
{
	struct scoreboard *board = board_of(100);

	for (int n = 0; n < 5; n++)
		ck_assert_int_ge(slot(board, 1, "10.0.0.2", 0, 6), 0);
	ck_assert_int_ge(slot(board, 2, "10.0.0.2", 0, 6), 0);
	ck_assert_uint_eq(scoreboard_evict(board, 1), 5);
	for (int n = 0; n < 5; n++)
		ck_assert_int_ge(slot(board, 3, "10.0.0.2", 0, 6), 0);
	ck_assert_int_lt(slot(board, 3, "10.0.0.2", 0, 6), 0);
	scoreboard_free(board);
}
END_TEST

/* Wherever a worker dies: no source is refused when its connections have gone, and no slot is lost. */
START_TEST(a_death_between_two_stores_refuses_nobody)
{
	struct scoreboard *board = board_of(2);
	struct sockaddr_in6 client = peer("10.0.0.2", 0);
	int n;

	/* it has noted its source, and not counted */
	ck_assert_int_ge(n = slot(board, 1, "10.0.0.2", 0, 1), 0);
	uncount(board);
	scoreboard_evict(board, 1);
	/* it counts no more, and has not left */
	ck_assert_int_ge(n = slot(board, 1, "10.0.0.2", 0, 1), 0);
	uncount(board);
	atomic_store(&board->slot[n].family, 0);
	scoreboard_evict(board, 1);
	/* it has a slot, and the map does not know */
	ck_assert_int_ge(n = scoreboard_take(board, 1, 0), 0);
	atomic_store(board->taken, 0);
	scoreboard_evict(board, 1);
	/* the map has a slot that is free, and a page that is not full: what evicting another finds */
	atomic_store(board->taken, 3);
	atomic_store(board->full, 1);
	ck_assert_int_eq(scoreboard_take(board, 0, 0), -1);
	scoreboard_evict(board, 1);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_ge(n = scoreboard_take(board, 0, 0), 0);
		ck_assert(scoreboard_set_peer(board, (uint32_t)n, (struct sockaddr *)&client, 1) == (i == 0));
	}
	scoreboard_free(board);
}
END_TEST

/* ---- at once ---- */

enum { THREADS = 4, ROUNDS = 20000, AT_ONCE = 3 };

struct crowd {
	struct scoreboard *board;
	uint32_t number;
	_Atomic int *in;
	int most, entered;
};

/* Comes and goes, and sees how many of its source are in at the same time. */
static void *come_and_go(void *arg)
{
	struct crowd *crowd = arg;

	for (int n = 0; n < ROUNDS; n++) {
		char text[INET_ADDRSTRLEN];
		int mine, now;

		snprintf(text, sizeof text, "10.0.%d.2", n % 7);
		mine = slot(crowd->board, crowd->number, text, 0, AT_ONCE);
		if (mine < 0)
			continue;
		now = atomic_fetch_add(&crowd->in[n % 7], 1) + 1;
		if (now > crowd->most)
			crowd->most = now;
		crowd->entered++;
		atomic_fetch_sub(&crowd->in[n % 7], 1);
		scoreboard_leave(crowd->board, (uint32_t)mine);
	}
	return NULL;
}

START_TEST(the_limit_holds_among_those_who_come_at_once)
{
	struct scoreboard *board = board_of(THREADS);
	struct crowd crowds[THREADS];
	pthread_t threads[THREADS];
	_Atomic int in[7] = { 0 };
	struct scoreboard_totals totals = { .connections_open = 0 };

	for (uint32_t n = 0; n < THREADS; n++) {
		crowds[n] = (struct crowd){ .board = board, .number = n, .in = in };
		ck_assert_int_eq(pthread_create(&threads[n], NULL, come_and_go, &crowds[n]), 0);
	}
	for (int n = 0; n < THREADS; n++) {
		pthread_join(threads[n], NULL);
		ck_assert_int_le(crowds[n].most, AT_ONCE);
		ck_assert_int_gt(crowds[n].entered, 0);
	}
	scoreboard_sum(board, &totals);
	ck_assert_uint_eq(totals.connections_open, 0);
	for (size_t i = 0; i < entries(board); i++)
		ck_assert((atomic_load(&board->sources.entry[i].held) & SOURCES_COUNT) == 0);
	for (int n = 0; n < THREADS; n++)
		ck_assert_int_ge(scoreboard_take(board, 0, 0), 0);
	ck_assert_int_eq(scoreboard_take(board, 0, 0), -1);
	scoreboard_free(board);
}
END_TEST

static pthread_barrier_t barrier;

/* All at once, one round after another; stays until all have been looked at. */
static void *stand_in_line(void *arg)
{
	struct crowd *crowd = arg;

	for (uint32_t n = 0; n < ROUNDS / 10; n++) {
		char text[INET6_ADDRSTRLEN];
		int mine;

		snprintf(text, sizeof text, "2001:db8:0:%x::1", n);
		pthread_barrier_wait(&barrier);
		mine = slot(crowd->board, crowd->number, text, 0, AT_ONCE);
		atomic_fetch_add(crowd->in, mine >= 0);
		pthread_barrier_wait(&barrier);
		crowd->most = atomic_load(crowd->in);
		if (crowd->most != AT_ONCE)
			crowd->entered = crowd->most;
		pthread_barrier_wait(&barrier);
		if (mine < 0)
			continue;
		atomic_fetch_sub(crowd->in, 1);
		scoreboard_leave(crowd->board, (uint32_t)mine);
	}
	return NULL;
}

START_TEST(exactly_so_many_of_those_who_come_at_once)
{
	struct scoreboard *board = board_of(THREADS);
	struct crowd crowds[THREADS];
	pthread_t threads[THREADS];
	_Atomic int in = 0;

	ck_assert_int_eq(pthread_barrier_init(&barrier, NULL, THREADS), 0);
	for (uint32_t n = 0; n < THREADS; n++) {
		crowds[n] = (struct crowd){ .board = board, .number = n, .in = &in, .entered = AT_ONCE };
		ck_assert_int_eq(pthread_create(&threads[n], NULL, stand_in_line, &crowds[n]), 0);
	}
	for (int n = 0; n < THREADS; n++)
		pthread_join(threads[n], NULL);
	for (int n = 0; n < THREADS; n++)
		ck_assert_int_eq(crowds[n].entered, AT_ONCE);
	pthread_barrier_destroy(&barrier);
	scoreboard_free(board);
}
END_TEST

/* ---- slots ---- */

static const uint32_t sizes[] = { 1, 63, 64, 65, 128, 4096, 5000 };

START_TEST(every_slot_is_taken_once)
{
	uint32_t slots = sizes[_i];
	struct scoreboard *board = board_of(slots);
	bool *is_taken = calloc(slots, sizeof *is_taken);

	ck_assert_ptr_nonnull(is_taken);
	for (uint32_t i = 0; i < slots; i++) {
		int n = scoreboard_take(board, 0, i * 37 % slots);

		ck_assert(n >= 0 && (uint32_t)n < slots && !is_taken[n]);
		is_taken[n] = true;
	}
	for (uint32_t i = 0; i < slots; i += 17) {
		ck_assert_int_eq(scoreboard_take(board, 1, i), -1);
		scoreboard_leave(board, i);
		ck_assert_int_eq(scoreboard_take(board, 1, slots - 1 - i), (int)i);
	}
	ck_assert_uint_eq(scoreboard_evict(board, 1), (slots + 16) / 17);
	ck_assert_uint_eq(scoreboard_evict(board, 0), slots - (slots + 16) / 17);
	free(is_taken);
	scoreboard_free(board);
}
END_TEST

/* Who finds no slot has not looked at each; before, that took a second of a processor for a thousand. */
START_TEST(a_full_house_costs_little)
{
	struct scoreboard *board = board_of(MILLION);
	uint64_t begin_us;

	for (uint32_t n = 0; n < MILLION; n++)
		ck_assert_int_eq(scoreboard_take(board, 0, n), (int)n);
	begin_us = spent_us();
	for (uint32_t n = 0; n < 10000; n++)
		ck_assert_int_eq(scoreboard_take(board, 0, n * 100), -1);
	for (uint32_t n = 0; n < 10000; n++) {
		scoreboard_leave(board, n * 100);
		ck_assert_int_eq(scoreboard_take(board, 0, MILLION / 2), (int)n * 100);
	}
	ck_assert_uint_lt(spent_us() - begin_us, 2 * CLOCK_S);
	scoreboard_free(board);
}
END_TEST

/* Whoever comes and goes: slots that are held lie together, so that what a worker keeps by slot stays small. */
START_TEST(slots_that_are_held_lie_together)
{
	enum { MOST = 300, FROM = 500000 };
	struct scoreboard *board = board_of(MILLION);
	static int held[MOST];
	int count = 0, highest = 0;

	srand(1);
	for (int i = 0; i < 200000; i++) {
		if (count < MOST && (count == 0 || rand() % 2 == 0)) {
			held[count] = scoreboard_take(board, 0, FROM);
			ck_assert_int_ge(held[count], FROM);
			if (held[count] > highest)
				highest = held[count];
			count++;
		} else {
			int n = rand() % count;

			scoreboard_leave(board, (uint32_t)held[n]);
			held[n] = held[--count];
		}
	}
	ck_assert_int_lt(highest, FROM + MOST);
	scoreboard_free(board);
}
END_TEST

START_TEST(to_add_up_touches_no_slot_that_nobody_had)
{
	struct scoreboard *board = board_of(MILLION);
	struct scoreboard_totals totals = { .connections_open = 0 };
	struct sockaddr_in6 client = peer("10.0.0.2", 0);

	for (uint32_t n = 0; n < 3; n++)
		scoreboard_set_peer(board, (uint32_t)scoreboard_take(board, n, n * 300000),
		                    (struct sockaddr *)&client, 0);
	scoreboard_sum(board, &totals);
	ck_assert_uint_eq(totals.connections_open, 3);
	ck_assert_uint_eq(scoreboard_evict(board, 2), 1);
	ck_assert_uint_eq(pages(board->slot, MILLION * sizeof *board->slot), 3);
	scoreboard_free(board);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("scoreboard");
	TCase *tcase = tcase_create("scoreboard");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, the_hash_is_siphash);
	tcase_add_loop_test(tcase, one_source_or_two, 0, (int)(sizeof pairs / sizeof *pairs));
	tcase_add_test(tcase, a_slot_remembers_the_interface);
	tcase_add_test(tcase, as_many_as_the_limit_over_all_workers);
	tcase_add_test(tcase, unix_peers_have_no_source);
	tcase_add_test(tcase, many_sources);
	tcase_add_test(tcase, memory_goes_by_the_sources_that_are_there);
	tcase_add_test(tcase, a_full_table_refuses_nobody);
	tcase_add_test(tcase, whatever_stands_in_the_table_leads_nowhere_else);
	tcase_add_test(tcase, who_died_holds_nothing);
	tcase_add_test(tcase, a_death_between_two_stores_refuses_nobody);
	tcase_add_test(tcase, the_limit_holds_among_those_who_come_at_once);
	tcase_add_test(tcase, exactly_so_many_of_those_who_come_at_once);
	tcase_add_loop_test(tcase, every_slot_is_taken_once, 0, (int)(sizeof sizes / sizeof *sizes));
	tcase_add_test(tcase, a_full_house_costs_little);
	tcase_add_test(tcase, slots_that_are_held_lie_together);
	tcase_add_test(tcase, to_add_up_touches_no_slot_that_nobody_had);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
