/*
 * test_parked.c - what an event leaves undone: kept whole, in a block that goes by it.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "event/event_parked.h"

enum { MANY = 100000 };

static char text[MANY];
static struct event_parked *parked;

static void put_skipping(uint32_t len, uint32_t searched, uint32_t skip)
{
	const struct bytes in = { .at = text, .len = len, .size = MANY, .searched = searched, .skip = skip };

	ck_assert(event_parked_put_input(&parked, &in, 7));
}

static void put(uint32_t len, uint32_t searched)
{
	put_skipping(len, searched, 0);
}

static void add(uint32_t from, uint32_t len)
{
	ck_assert(event_parked_add_input(&parked, (struct span){ text + from, len }, MANY, 8));
}

/* So many bytes of the text lie there, from that one on, in room that is the buffer's. */
static void expect_input(uint32_t from, uint32_t len)
{
	ck_assert_uint_eq(parked->in.len, len);
	ck_assert_int_eq(memcmp(parked->in.at, text + from, len), 0);
	ck_assert_ptr_eq(parked->in.at, parked->block + parked->in.before);
	ck_assert_uint_eq(parked->in.before + parked->in.size, parked->size);
}

/* As a conversation that has answered so many bytes, and not yet those behind them. */
static void skip(uint32_t len)
{
	parked->in.at += len;
	parked->in.len -= len;
	parked->in.size -= len;
	parked->in.before += len;
}

START_TEST(more_comes_behind_it)
{
	uint32_t len = 2000, moves = 0;

	put(len, 1999);
	ck_assert_uint_eq(parked->in.searched, 1999);
	ck_assert_uint_eq(parked->came_ns, 7);
	for (; len < MANY; len++) {
		uint32_t size = parked->size;

		add(len, 1);
		moves += parked->size != size;
	}
	expect_input(0, MANY);
	ck_assert_uint_eq(parked->size, MANY);
	ck_assert_uint_lt(moves, 10);
	ck_assert_uint_eq(parked->in.searched, 1999);
	ck_assert_uint_eq(parked->came_ns, 8);
	event_parked_drop(&parked);
	ck_assert_ptr_null(parked);
}
END_TEST

START_TEST(output_lies_behind_the_input)
{
	const struct span out = { text + 50000, 3000 };

	put(5000, 0);
	skip(1000);
	ck_assert(event_parked_put_output(&parked, out));
	expect_input(1000, 4000);
	event_parked_sent(parked, 1000);
	ck_assert_uint_eq(event_parked_output(parked).len, 2000);
	ck_assert_int_eq(memcmp(event_parked_output(parked).at, out.at + 1000, 2000), 0);
	event_parked_trim(&parked);
	ck_assert_uint_eq(event_parked_output(parked).len, 2000);
	event_parked_sent(parked, 2000);
	event_parked_trim(&parked);
	expect_input(1000, 4000);
	event_parked_drop(&parked);
	ck_assert(event_parked_put_output(&parked, out));
	ck_assert_int_eq(memcmp(event_parked_output(parked).at, out.at, out.len), 0);
	event_parked_sent(parked, 3000);
	event_parked_trim(&parked);
	ck_assert_ptr_null(parked);
}
END_TEST

START_TEST(few_bytes_go_back)
{
	char buffer[MANY];
	struct bytes in = { .at = buffer, .size = sizeof buffer };

	put(1025, 1000);
	event_parked_return_few(&parked, &in);
	expect_input(0, 1025);
	skip(1);
	event_parked_put_output(&parked, (struct span){ text, 1 });
	event_parked_return_few(&parked, &in);
	expect_input(1, 1024);
	event_parked_sent(parked, 1);
	event_parked_return_few(&parked, &in);
	ck_assert_ptr_null(parked);
	ck_assert_uint_eq(in.len, 1024);
	ck_assert_uint_eq(in.searched, 1000);
	ck_assert_int_eq(memcmp(in.at, text + 1, in.len), 0);
}
END_TEST

/* What is known of the end of a request, and how much of it is still to be skipped, goes with its bytes. */
START_TEST(what_is_known_of_it_is_kept)
{
	char buffer[MANY];

	for (uint32_t len = 10; len < 3000; len += 1500) {
		struct bytes in = { .at = buffer, .size = sizeof buffer };

		put_skipping(len, len - 3, 1 << 20);
		ck_assert_uint_eq(parked->in.searched, len - 3);
		ck_assert_uint_eq(parked->in.skip, 1 << 20);
		if (len > 1024) {
			add(len, 20000);
			parked->in.len = len;
			event_parked_trim(&parked);
			ck_assert_uint_eq(parked->in.searched, len - 3);
			ck_assert_uint_eq(parked->in.skip, 1 << 20);
			event_parked_drop(&parked);
			continue;
		}
		event_parked_return_few(&parked, &in);
		ck_assert_ptr_null(parked);
		ck_assert_uint_eq(in.searched, len - 3);
		ck_assert_uint_eq(in.skip, 1 << 20);
		ck_assert(in.len == len && in.before == 0);
	}
}
END_TEST

START_TEST(what_is_not_used_is_given_back)
{
	put(50000, 0);
	skip(30000);
	event_parked_trim(&parked);
	ck_assert_uint_eq(parked->size, 50000);   /* in front of the input it is not to be had */
	memmove(parked->block, parked->in.at, 12500);
	parked->in = (struct bytes){ .at = parked->block, .len = 12500, .size = 50000 };
	event_parked_trim(&parked);
	ck_assert_uint_eq(parked->size, 50000);   /* nor moved for little */
	parked->in.len = 12499;
	event_parked_trim(&parked);
	ck_assert_uint_eq(parked->size, 12499);
	expect_input(30000, 12499);
	parked->in.len = 0;
	event_parked_trim(&parked);
	ck_assert_ptr_null(parked);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("parked");
	TCase *tcase = tcase_create("parked");
	SRunner *runner = srunner_create(suite);
	int failed;

	for (int i = 0; i < MANY; i++)
		text[i] = (char)(i * 7 + i / 251);
	tcase_add_test(tcase, more_comes_behind_it);
	tcase_add_test(tcase, output_lies_behind_the_input);
	tcase_add_test(tcase, few_bytes_go_back);
	tcase_add_test(tcase, what_is_known_of_it_is_kept);
	tcase_add_test(tcase, what_is_not_used_is_given_back);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
