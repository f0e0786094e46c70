/*
 * column.c - the figures that table and report show of a cell.
 */
#include "aphorism-bench/column.h"

#include <math.h>
#include <string.h>

/* A number that is 0 when it could not be read. */
static double seen(uint64_t value)
{
	return value > 0 ? (double)value : NAN;
}

static char *show_answers(char *to, const struct cell *cell)
{
	return show_count(to, cell->answers_per_second.value);
}

static char *show_answers_spread(char *to, const struct cell *cell)
{
	return show_spread(to, cell->answers_per_second);
}

static char *show_p50(char *to, const struct cell *cell)
{
	return show_duration(to, cell->p50_us);
}

static char *show_p90(char *to, const struct cell *cell)
{
	return show_duration(to, cell->p90_us);
}

static char *show_p99(char *to, const struct cell *cell)
{
	return show_duration(to, cell->p99_us);
}

static char *show_p999(char *to, const struct cell *cell)
{
	return show_duration(to, cell->p999_us);
}

static char *show_max(char *to, const struct cell *cell)
{
	return show_duration(to, cell->max_us);
}

static char *show_wait(char *to, const struct cell *cell)
{
	return show_duration(to, (double)cell->longest_wait_us);
}

static char *show_fairness(char *to, const struct cell *cell)
{
	return show_real(to, cell->fairness);
}

static char *show_cpu(char *to, const struct cell *cell)
{
	return show_duration(to, cell->cpu_us_per_answer.value);
}

static char *show_cpu_spread(char *to, const struct cell *cell)
{
	return show_spread(to, cell->cpu_us_per_answer);
}

static char *show_kernel(char *to, const struct cell *cell)
{
	char percent[SHOW_TEXT];

	show_count(percent, cell->system_share * 100);
	return strcat(strcpy(to, percent), *percent == '-' ? "" : "%");
}

static char *show_switches(char *to, const struct cell *cell)
{
	return show_real(to, cell->context_switches_per_answer);
}

static char *show_processes(char *to, const struct cell *cell)
{
	return show_count(to, seen(cell->processes));
}

static char *show_threads(char *to, const struct cell *cell)
{
	return show_count(to, seen(cell->threads));
}

static char *show_rss(char *to, const struct cell *cell)
{
	return show_bytes(to, seen(cell->rss_bytes));
}

static char *show_pss(char *to, const struct cell *cell)
{
	return show_bytes(to, seen(cell->pss_bytes));
}

static char *show_per_connection(char *to, const struct cell *cell)
{
	return show_bytes(to, cell->bytes_per_connection);
}

const struct column columns[] = {
	{ "answers/s", "answers a second, the median of the rounds", 10, 1, show_answers },
	{ "+-", "half the width of its 95 % confidence interval, the wider half", 6, 5, show_answers_spread },
	{ "p50", "response time: half of the answers came sooner", 8, 4, show_p50 },
	{ "p90", "response time: 90 % came sooner", 8, 13, show_p90 },
	{ "p99", "response time: 99 % came sooner", 8, 2, show_p99 },
	{ "p99.9", "response time: 99.9 % came sooner", 8, 9, show_p999 },
	{ "max", "the longest response time, of questions whose answer never came too", 8, 7, show_max },
	{ "wait", "how long a client waited for an answer, at most", 8, 6, show_wait },
	{ "fair", "Jain's fairness index over the clients: 1 is fair, 1/n is all for one of n", 6, 10, show_fairness },
	{ "CPU", "the server's CPU time for an answer, of all its processes", 8, 3, show_cpu },
	{ "+-", "half the width of its 95 % confidence interval, the wider half", 6, 16, show_cpu_spread },
	{ "kernel", "the part of that CPU time spent in the kernel", 7, 14, show_kernel },
	{ "switches", "context switches of the server for an answer", 9, 11, show_switches },
	{ "procs", "processes of the server, at most", 6, 12, show_processes },
	{ "threads", "threads of the server, at most", 8, 15, show_threads },
	{ "RSS", "resident memory of all its processes, what they share counted in each", 7, 18, show_rss },
	{ "PSS", "its memory, what processes share counted once", 7, 8, show_pss },
	{ "/conn", "memory above that of the idle server, by connections", 7, 17, show_per_connection },
	{ 0 }
};
