/*
 * test_due.c - whose answers are due when: the earliest first, whatever the order in which they came.
 */
#include "event/event_due.h"

#include <check.h>
#include <stdbool.h>
#include <stdlib.h>

enum { SLOTS = 500, STEPS = 200000 };

static uint64_t due_at[SLOTS];            /* the reference: by slot, 0 for who is not in there */

static uint64_t earliest(void)
{
	uint64_t us = UINT64_MAX;

	for (int slot = 0; slot < SLOTS; slot++)
		if (due_at[slot] > 0 && due_at[slot] < us)
			us = due_at[slot];
	return us;
}

static void add(struct event_due *due, uint32_t slot, uint64_t us)
{
	event_due_add(due, slot, us);
	due_at[slot] = us;
}

/* The first is one of those that are due first, and is gone then. */
static void take(struct event_due *due)
{
	uint64_t us = event_due_us(due);
	uint32_t slot = event_due_take(due);

	ck_assert_uint_lt(slot, SLOTS);
	ck_assert_uint_eq(due_at[slot], us);
	due_at[slot] = 0;
}

START_TEST(nobody_and_one)
{
	struct event_due due;

	event_due_open(&due, SLOTS);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(due.count, 0);
		ck_assert_uint_eq(event_due_us(&due), UINT64_MAX);
		add(&due, 7, 1000);
		ck_assert_uint_eq(event_due_us(&due), 1000);
		take(&due);
	}
}
END_TEST

/* In order, against it, all at once: each order that a heap may mistake. */
START_TEST(known_orders)
{
	for (int order = 0; order < 3; order++) {
		struct event_due due;

		event_due_open(&due, SLOTS);
		for (uint32_t i = 0; i < SLOTS; i++)
			add(&due, i, order == 0 ? i + 1 : order == 1 ? SLOTS - i : 5);
		for (uint32_t i = 0; i < SLOTS; i++) {
			ck_assert_uint_eq(event_due_us(&due), order < 2 ? i + 1 : 5);
			take(&due);
		}
		ck_assert_uint_eq(due.count, 0);
	}
}
END_TEST

/* Fills and empties by turns, with times of which many are the same. */
START_TEST(random_order)
{
	struct event_due due;
	uint32_t count = 0;

	event_due_open(&due, SLOTS);
	srand(1060);
	for (int step = 0; step < STEPS; step++) {
		uint32_t slot = (uint32_t)rand() % SLOTS;
		bool fills = step / 2000 % 2 == 0;

		if (due_at[slot] == 0 && (rand() % 4 > 0) == fills) {
			add(&due, slot, 1 + (uint64_t)(rand() % (step % 2 ? 50 : 1000000)));
			count++;
		} else if (count > 0 && !fills) {
			take(&due);
			count--;
		}
		ck_assert_uint_eq(due.count, count);
		ck_assert_uint_eq(event_due_us(&due), earliest());
	}
	while (due.count > 0)
		take(&due);
	ck_assert_uint_eq(earliest(), UINT64_MAX);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("due");
	TCase *tcase = tcase_create("due");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, nobody_and_one);
	tcase_add_test(tcase, known_orders);
	tcase_add_test(tcase, random_order);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
