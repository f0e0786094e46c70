/*
 * load_result.c - adds up what the threads saw, and what their clients still waited for at the end.
 */
#include <math.h>

#include "aphorism-bench/load_parts.h"

enum { MUCH_NS = 1000 * 1000 };

static void add_seen(struct crowd_result *result, const struct load_seen *seen)
{
	histogram_merge(&result->response, &seen->response);
	histogram_merge(&result->service, &seen->service);
	result->answers += seen->answers;
	result->unasked += seen->unasked;
	for (size_t i = 0; i < LOAD_ERRORS; i++)
		result->errors[i] += seen->errors[i];
	if (seen->longest_wait_ns / 1000 > result->longest_wait_us)
		result->longest_wait_us = seen->longest_wait_ns / 1000;
}

/* What holds for one client at the end, beside what it counted. */
struct ending {
	struct crowd_result *result;
	uint64_t end_ns, measured_ns;
	uint64_t usual_ns;                        /* the median response time; of none, half of what was measured */
	double clients, sum, squares;             /* for the fairness */
};

/*
 * A question that waits at the end is known to take at least so long.  To leave it out would flatter a server that
 * starves its clients; to count one that was sent a moment ago would flatter it as well.
 */
static void end_client(struct ending *e, const struct load_client *c)
{
	uint64_t wait_ns = c->waiting_ns > 0 && c->waiting_ns < e->end_ns ? e->end_ns - c->waiting_ns : 0;

	for (uint64_t n = c->first; n < c->whole; n++) {
		uint64_t wanted_ns = load_question(c, n)->wanted_ns;

		if (wanted_ns < e->end_ns && e->end_ns - wanted_ns > e->usual_ns)
			histogram_add(&e->result->response, e->end_ns - wanted_ns, 1);
	}
	if (wait_ns / 1000 > e->result->longest_wait_us)
		e->result->longest_wait_us = wait_ns / 1000;
	if (c->answers == 0 && wait_ns > e->measured_ns / 2)
		e->result->never_served++;
	e->clients++;
	e->sum += (double)c->answers;
	e->squares += (double)c->answers * (double)c->answers;
}

static void end_crowd(struct crowd_result *result, struct load_thread *const threads[], uint32_t count, uint8_t crowd)
{
	struct ending e = { .result = result };
	uint64_t median_ns = result->response.count > 0 ? (uint64_t)histogram_percentile(&result->response, 50) : 0;

	for (uint32_t i = 0; i < count && threads[i]->measuring; i++) {
		e.end_ns = threads[i]->ended_ns;
		e.measured_ns = e.end_ns - threads[i]->shared->begin_ns;
		e.usual_ns = median_ns > 0 ? median_ns : e.measured_ns / 2;
		for (uint32_t j = 0; j < threads[i]->count; j++)
			if (threads[i]->clients[j].crowd == crowd)
				end_client(&e, &threads[i]->clients[j]);
	}
	result->fairness = e.squares > 0 ? e.sum * e.sum / (e.clients * e.squares) : (double)NAN;
}

/*
 * Closed loop: a thread that was on the CPU all the time never had to wait for the server.  Open loop: questions were
 * asked late, and that is why, or the lateness is most of the response times' tail.
 */
static bool is_saturated(const struct load_shared *shared, struct load_thread *const threads[], size_t crowd,
                         const struct load_result *result)
{
	bool busy = result->busy > 0.95;
	struct histogram lateness = { 0 };
	double late_ns;

	if (shared->load->crowds[crowd].rate <= 0)
		return busy;
	for (uint32_t i = 0; i < shared->threads; i++)
		histogram_merge(&lateness, &threads[i]->seen[crowd].lateness);
	late_ns = lateness.count > 0 ? histogram_percentile(&lateness, 99) : 0;
	return late_ns > MUCH_NS && (busy || late_ns > histogram_percentile(&result->crowds[crowd].response, 99) / 2);
}

/* Something kept us from running until long after the end: what was measured is that. */
static bool was_frozen(const struct load_shared *shared, const struct load_thread *t)
{
	return t->ended_ns > shared->end_ns + (shared->end_ns - shared->begin_ns) / 2;
}

void load_result_make(struct load_result *result, const struct load_shared *shared,
                      struct load_thread *const threads[])
{
	*result = (struct load_result){ 0 };
	for (uint32_t i = 0; i < shared->threads; i++) {
		const struct load_thread *t = threads[i];
		double seconds = t->measuring ? (double)(t->ended_ns - shared->begin_ns) / 1e9 : 0;

		for (size_t j = 0; j < LOAD_CROWDS && t->measuring; j++)
			add_seen(&result->crowds[j], &t->seen[j]);
		result->saturated |= t->held_up || was_frozen(shared, t);
		result->gone |= t->gone;
		if (seconds > result->seconds)
			result->seconds = seconds;
		if (seconds > 0 && (double)t->cpu_us / 1e6 / seconds > result->busy)
			result->busy = (double)t->cpu_us / 1e6 / seconds;
	}
	for (uint8_t i = 0; i < LOAD_CROWDS; i++) {
		end_crowd(&result->crowds[i], threads, shared->threads, i);
		if (shared->load->crowds[i].connections > 0)
			result->saturated |= is_saturated(shared, threads, i, result);
	}
}
