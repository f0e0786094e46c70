/*
 * helgrind.h - tells helgrind what C11 atomics mean; put in front of every source file of a build of its own.
 *
 * Helgrind knows the locks of the C library and takes an atomic access for an ordinary one.  So each atomic object is
 * taken out of its view, and each release and acquire is announced; relaxed accesses order nothing here either.
 */
#ifndef TESTS_HELGRIND_H
#define TESTS_HELGRIND_H

#include <stdatomic.h>
#include <valgrind/helgrind.h>

#define HELGRIND_KNOWS(at) VALGRIND_HG_DISABLE_CHECKING((void *)(uintptr_t)(at), sizeof *(at))
#define HELGRIND_BEFORE(at, order)                                                                                   \
	do {                                                                                                         \
		HELGRIND_KNOWS(at);                                                                                  \
		if ((order) != memory_order_relaxed)                                                                 \
			ANNOTATE_HAPPENS_BEFORE((void *)(uintptr_t)(at));                                            \
	} while (0)
#define HELGRIND_AFTER(at, order)                                                                                    \
	do {                                                                                                         \
		if ((order) != memory_order_relaxed)                                                                 \
			ANNOTATE_HAPPENS_AFTER((void *)(uintptr_t)(at));                                             \
	} while (0)

#undef atomic_load_explicit
#undef atomic_load
#undef atomic_store_explicit
#undef atomic_store
#undef atomic_exchange
#undef atomic_fetch_add_explicit
#undef atomic_fetch_add
#undef atomic_fetch_sub
#undef atomic_compare_exchange_strong
#undef atomic_flag_test_and_set
#undef atomic_flag_clear

#define atomic_load_explicit(at, order)                                                                              \
	__extension__({                                                                                              \
		HELGRIND_KNOWS(at);                                                                                  \
		__auto_type loaded_ = __atomic_load_n(at, order);                                                    \
		HELGRIND_AFTER(at, order);                                                                           \
		loaded_;                                                                                             \
	})
#define atomic_store_explicit(at, value, order)                                                                      \
	__extension__({                                                                                              \
		HELGRIND_BEFORE(at, order);                                                                          \
		__atomic_store_n(at, value, order);                                                                  \
	})
#define HELGRIND_CHANGE(at, order, change)                                                                           \
	__extension__({                                                                                              \
		HELGRIND_BEFORE(at, order);                                                                          \
		__auto_type before_ = change;                                                                        \
		HELGRIND_AFTER(at, order);                                                                           \
		before_;                                                                                             \
	})

#define atomic_load(at) atomic_load_explicit(at, memory_order_seq_cst)
#define atomic_store(at, value) atomic_store_explicit(at, value, memory_order_seq_cst)
#define atomic_fetch_add_explicit(at, value, order)                                                                  \
	HELGRIND_CHANGE(at, order, __atomic_fetch_add(at, value, order))
#define atomic_fetch_add(at, value) atomic_fetch_add_explicit(at, value, memory_order_seq_cst)
#define atomic_fetch_sub(at, value)                                                                                  \
	HELGRIND_CHANGE(at, memory_order_seq_cst, __atomic_fetch_sub(at, value, memory_order_seq_cst))
#define atomic_exchange(at, value)                                                                                   \
	HELGRIND_CHANGE(at, memory_order_seq_cst, __atomic_exchange_n(at, value, memory_order_seq_cst))
#define atomic_compare_exchange_strong(at, expected, value)                                                          \
	HELGRIND_CHANGE(at, memory_order_seq_cst,                                                                    \
	                __atomic_compare_exchange_n(at, expected, value, 0, memory_order_seq_cst,                    \
	                                            memory_order_seq_cst))
#define atomic_flag_test_and_set(at)                                                                                 \
	HELGRIND_CHANGE(at, memory_order_seq_cst, __atomic_test_and_set(at, memory_order_seq_cst))
#define atomic_flag_clear(at)                                                                                        \
	__extension__({                                                                                              \
		HELGRIND_BEFORE(at, memory_order_seq_cst);                                                           \
		__atomic_clear(at, memory_order_seq_cst);                                                            \
	})

#endif
