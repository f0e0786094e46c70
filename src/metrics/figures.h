/*
 * figures.h - what a daemon has to tell of itself: one table of figures, and all that shows them.
 *
 * Status, statistics, the log's line and the metrics are views of the same rows, so that they can't differ.  Nothing
 * here blocks, but for what the caller's stream does.
 */
#ifndef METRICS_FIGURES_H
#define METRICS_FIGURES_H

#include <stdio.h>

#include "metrics/scoreboard.h"

struct figures {
	const char *model;
	uint64_t uptime_s, generation, workers, workers_idle, workers_busy;
	uint64_t connections_open, max_connections;
	uint64_t queued;                  /* clients in the queues of TCP listeners */
	uint64_t timeouts, refused;       /* of all kinds */
	uint64_t reloads, failed_reloads;
	bool sees_queues;                 /* there are such listeners: else `queued` is not shown */
	bool sees_waits;                  /* the model does; else totals.wait is not of its questions, nor shown */
	struct scoreboard_totals totals;
};

/* "KEY VALUE" a line: what a status has room for, or all with the latencies that are measured. */
void figures_print_status(const struct figures *, FILE *);
void figures_print_all(const struct figures *, FILE *);

/* The same in a line of words, without a newline, cut to fit. */
void figures_format_line(const struct figures *, char *to, size_t size);

/*
 * The same in the text format of Prometheus, version 0.0.4.  Not in OpenMetrics, which came from it and which
 * node_exporter does not know: a counter's type and help stand there under another name than its value.
 */
void figures_print_metrics(const struct figures *, FILE *);

/* The buckets of these latencies that are not empty, a line of fields each: see aphorismctl(8). */
void figures_print_histogram(const struct figures *, FILE *);

#endif
