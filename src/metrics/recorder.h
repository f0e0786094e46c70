/*
 * recorder.h - what a conversation adds to the counts of whoever serves it.
 *
 * A set of counters has one writer, so that adding to them needs no locked instruction.  Where every connection has a
 * thread or a process of its own, a page for each would be too many: there a worker has a set for each CPU, which those
 * that run on it share.  Nothing here blocks or enters the kernel.
 */
#ifndef METRICS_RECORDER_H
#define METRICS_RECORDER_H

#include <sched.h>

#include "metrics/scoreboard.h"

struct recorder {
	struct counters *first;
	uint32_t shared;                  /* it is the first of so many, which others use too; 0: it is ours alone */
};

/* Of the n-th conversation of a worker, where each has counters of its own; else of any. */
static inline struct recorder recorder_of(const struct scoreboard *board, uint32_t worker, uint32_t n, bool shared)
{
	struct counters *first = &board->counters[(size_t)worker * board->counter_sets];

	return (struct recorder){ shared ? first : first + n, shared ? board->counter_sets : 0 };
}

static inline struct counters *recorder_counters(struct recorder recorder)
{
	return recorder.shared ? &recorder.first[(unsigned)sched_getcpu() % recorder.shared] : recorder.first;
}

static inline void recorder_add(struct recorder recorder, _Atomic uint64_t *counter, uint64_t n)
{
	if (recorder.shared)
		atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
	else
		scoreboard_add(counter, n);
}

static inline void recorder_count(struct recorder recorder, enum scoreboard_count what, uint64_t n)
{
	recorder_add(recorder, &recorder_counters(recorder)->count[what], n);
}

static inline void recorder_add_latency(struct recorder recorder, struct latency_shared *to, uint64_t ns,
                                        uint32_t questions)
{
	recorder_add(recorder, &to->buckets[latency_bucket(ns)], questions);
	recorder_add(recorder, &to->sum_ns, ns * questions);
	if (ns > atomic_load_explicit(&to->largest_ns, memory_order_relaxed))
		atomic_store_explicit(&to->largest_ns, ns, memory_order_relaxed);
}

/* So many questions were begun and then answered together, by clock_now_ns(). */
static inline void recorder_service(struct recorder recorder, uint64_t begun_ns, uint64_t answered_ns,
                                    uint32_t questions)
{
	recorder_add_latency(recorder, &recorder_counters(recorder)->service,
	                     answered_ns > begun_ns ? answered_ns - begun_ns : 0, questions);
}

/* The same where it is known when they came, too. */
static inline void recorder_time(struct recorder recorder, uint64_t came_ns, uint64_t begun_ns, uint64_t answered_ns,
                                 uint32_t questions)
{
	recorder_add_latency(recorder, &recorder_counters(recorder)->wait, begun_ns > came_ns ? begun_ns - came_ns : 0,
	                     questions);
	recorder_service(recorder, begun_ns, answered_ns, questions);
}

/* Questions of a conversation were answered, of which it counts those without an answer of their own. */
static inline void recorder_questions(struct recorder recorder, struct slot *slot, uint32_t answered, uint16_t unknown,
                                      uint64_t now_us)
{
	struct counters *counters = recorder_counters(recorder);

	recorder_add(recorder, &counters->count[COUNT_ANSWERED], answered);
	if (unknown > 0)
		recorder_add(recorder, &counters->count[COUNT_UNKNOWN], unknown);
	scoreboard_add(&slot->questions, answered);
	atomic_store_explicit(&slot->active_us, now_us, memory_order_relaxed);
}

#endif
