/*
 * figures.c - the table of figures and its views.
 */
#include "metrics/figures.h"

#include <inttypes.h>
#include <string.h>

/* Where a figure is shown beside the full statistics, and when at all. */
enum { IN_STATUS = 1, IF_QUEUES_SEEN = 2 };

struct row {
	const char *key;                  /* in status and statistics */
	int shown;
	size_t offset;                    /* of a uint64_t in struct figures */
	const char *said;                 /* behind the number in the log's line, or NULL */
	const char *metric;               /* its name, without the prefix; NULL: none */
	const char *label;                /* where several have that name; else NULL */
};

#define OWN(member) offsetof(struct figures, member)
#define COUNT(what) (offsetof(struct figures, totals.count) + (what) * sizeof(uint64_t))

/* In the order of the log's line.  Rows of one metric stand together. */
static const struct row rows[] = {
	{ "uptime_seconds", IN_STATUS, OWN(uptime_s), NULL, "uptime_seconds", NULL },
	{ "generation", IN_STATUS, OWN(generation), NULL, "generation", NULL },
	{ "workers", IN_STATUS, OWN(workers), "workers", NULL, NULL },
	{ "workers_idle", IN_STATUS, OWN(workers_idle), "idle", "workers", "state=\"idle\"" },
	{ "workers_busy", 0, OWN(workers_busy), NULL, "workers", "state=\"busy\"" },
	{ "connections_open", IN_STATUS, OWN(connections_open), "connections open", "connections_open", NULL },
	{ "max_connections", 0, OWN(max_connections), NULL, "connections_max", NULL },
	{ "queued", IN_STATUS | IF_QUEUES_SEEN, OWN(queued), NULL, "queued_clients", NULL },
	{ "connections", IN_STATUS, COUNT(COUNT_CONNECTIONS), "served", "connections_total", NULL },
	{ "questions", IN_STATUS, COUNT(COUNT_ANSWERED), "questions", "questions_total", NULL },
	{ "questions_unknown", 0, COUNT(COUNT_UNKNOWN), NULL, "questions_failed_total", "reason=\"unknown\"" },
	{ "questions_too_long", 0, COUNT(COUNT_TOO_LONG), NULL, "questions_failed_total", "reason=\"too_long\"" },
	{ "questions_too_slow", 0, COUNT(COUNT_TIMEOUT_QUESTION), NULL,
	  "questions_failed_total", "reason=\"too_slow\"" },
	{ "questions_malformed", 0, COUNT(COUNT_MALFORMED), NULL,
	  "questions_failed_total", "reason=\"malformed\"" },
	{ "questions_unfinished", 0, COUNT(COUNT_UNFINISHED), NULL,
	  "questions_failed_total", "reason=\"unfinished\"" },
	{ "bytes_in", 0, COUNT(COUNT_BYTES_IN), NULL, "received_bytes_total", NULL },
	{ "bytes_out", 0, COUNT(COUNT_BYTES_OUT), NULL, "sent_bytes_total", NULL },
	{ "timeouts", IN_STATUS, OWN(timeouts), "time-outs", NULL, NULL },
	{ "timeouts_question", 0, COUNT(COUNT_TIMEOUT_QUESTION), NULL, "timeouts_total", "kind=\"question\"" },
	{ "timeouts_idle", 0, COUNT(COUNT_TIMEOUT_IDLE), NULL, "timeouts_total", "kind=\"idle\"" },
	{ "timeouts_write", 0, COUNT(COUNT_TIMEOUT_WRITE), NULL, "timeouts_total", "kind=\"write\"" },
	{ "timeouts_header", 0, COUNT(COUNT_TIMEOUT_HEADER), NULL, "timeouts_total", "kind=\"header\"" },
	{ "refused", IN_STATUS, OWN(refused), "refused", NULL, NULL },
	{ "refused_limit", 0, COUNT(COUNT_REFUSED_LIMIT), NULL, "refused_total", "limit=\"max_connections\"" },
	{ "refused_source", 0, COUNT(COUNT_REFUSED_SOURCE), NULL,
	  "refused_total", "limit=\"max_connections_per_source\"" },
	{ "denied", IN_STATUS, COUNT(COUNT_DENIED), "denied", "denied_total", NULL },
	{ "bad_headers", IN_STATUS, COUNT(COUNT_BAD_HEADERS), "bad headers", "bad_headers_total", NULL },
	{ "accept_waits", IN_STATUS, COUNT(COUNT_ACCEPT_WAITS), NULL, "accept_waits_total", NULL },
	{ "reloads", IN_STATUS, OWN(reloads), "reloads", "reloads_total", "result=\"done\"" },
	{ "failed_reloads", IN_STATUS, OWN(failed_reloads), "failed", "reloads_total", "result=\"failed\"" },
};

enum { ROWS = sizeof rows / sizeof *rows };

static const struct metric {
	const char *name, *type, *help;
} metrics[] = {
	{ "uptime_seconds", "gauge", "Time since the start." },
	{ "generation", "gauge", "The number of the present generation of workers." },
	{ "workers", "gauge", "Workers of the present generation." },
	{ "connections_open", "gauge", "Connections at the moment, over all generations." },
	{ "connections_max", "gauge", "The most connections at once: max_connections." },
	{ "queued_clients", "gauge", "Clients that wait in the queues of TCP listeners." },
	{ "connections_total", "counter", "Connections that were taken." },
	{ "questions_total", "counter", "Questions that were answered, unknown ones too." },
	{ "questions_failed_total", "counter", "Questions without an answer of the table." },
	{ "received_bytes_total", "counter", "Bytes that came from clients." },
	{ "sent_bytes_total", "counter", "Bytes that clients were sent." },
	{ "timeouts_total", "counter", "Connections that ended by a time-out." },
	{ "refused_total", "counter", "Connections beyond a limit." },
	{ "denied_total", "counter", "Connections that the access lists turned away." },
	{ "bad_headers_total", "counter", "Connections without a valid PROXY header where one was due." },
	{ "accept_waits_total", "counter",
	  "Times that clients waited for a seat, a descriptor, a process or a thread." },
	{ "reloads_total", "counter", "Reloads, by how they ended." },
};

static uint64_t value_of(const struct figures *figures, const struct row *row)
{
	uint64_t value;

	memcpy(&value, (const char *)figures + row->offset, sizeof value);
	return value;
}

/* What can't be measured is left out: a 0 would say that it was. */
static bool is_known(const struct figures *figures, const struct row *row)
{
	return !(row->shown & IF_QUEUES_SEEN) || figures->sees_queues;
}

/* ---- status, statistics ---- */

static void print_rows(const struct figures *figures, FILE *to, int shown)
{
	for (size_t i = 0; i < ROWS; i++)
		if ((rows[i].shown & shown) == shown && is_known(figures, &rows[i]))
			fprintf(to, "%s %" PRIu64 "\n", rows[i].key, value_of(figures, &rows[i]));
}

static void print_latency(const struct latency *latency, const char *name, FILE *to)
{
	static const unsigned percents[] = { 50, 90, 99 };
	uint64_t count = latency_count(latency);

	for (size_t i = 0; i < sizeof percents / sizeof *percents; i++)
		fprintf(to, "%s_p%u_us %.1f\n", name, percents[i],
		        (double)latency_percentile_ns(latency, percents[i]) / 1000);
	fprintf(to, "%s_mean_us %.1f\n", name, count ? (double)latency->sum_ns / (double)count / 1000 : 0);
	fprintf(to, "%s_largest_us %.1f\n", name, (double)latency->largest_ns / 1000);
}

void figures_print_status(const struct figures *figures, FILE *to)
{
	print_rows(figures, to, IN_STATUS);
}

void figures_print_all(const struct figures *figures, FILE *to)
{
	fprintf(to, "model %s\n", figures->model);
	print_rows(figures, to, 0);
	if (figures->sees_waits)
		print_latency(&figures->totals.wait, "wait", to);
	print_latency(&figures->totals.service, "service", to);
}

void figures_format_line(const struct figures *figures, char *to, size_t size)
{
	size_t len = (size_t)snprintf(to, size, "model %s, generation %" PRIu64, figures->model, figures->generation);

	for (size_t i = 0; i < ROWS && len < size; i++)
		if (rows[i].said && is_known(figures, &rows[i]))
			len += (size_t)snprintf(to + len, size - len, ", %" PRIu64 " %s",
			                        value_of(figures, &rows[i]), rows[i].said);
}

/* ---- metrics ---- */

static void print_head(const char *name, const char *type, const char *help, FILE *to)
{
	fprintf(to, "# HELP aphorismd_%s %s\n# TYPE aphorismd_%s %s\n", name, help, name, type);
}

static void print_metric(const struct figures *figures, const struct metric *metric, FILE *to)
{
	bool begun = false;

	for (size_t i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];

		if (!row->metric || strcmp(row->metric, metric->name) != 0 || !is_known(figures, row))
			continue;
		if (!begun)
			print_head(metric->name, metric->type, metric->help, to);
		begun = true;
		fprintf(to, "aphorismd_%s%s%s%s %" PRIu64 "\n", metric->name, row->label ? "{" : "",
		        row->label ? row->label : "", row->label ? "}" : "", value_of(figures, row));
	}
}

/* A bucket for each doubling: what a monitor keeps for years need not be finer. */
static void print_buckets(const struct latency *latency, const char *name, const char *help, FILE *to)
{
	enum { STEP = 1 << LATENCY_BITS };
	uint64_t count = 0;

	print_head(name, "histogram", help, to);
	for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
		count += latency->buckets[i];
		if (i % STEP == STEP - 1 && i + 1 < LATENCY_BUCKETS)
			fprintf(to, "aphorismd_%s_bucket{le=\"%.9f\"} %" PRIu64 "\n", name,
			        (double)latency_first_ns(i + 1) / 1e9, count);
	}
	fprintf(to, "aphorismd_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", name, count);
	fprintf(to, "aphorismd_%s_count %" PRIu64 "\n", name, count);
	fprintf(to, "aphorismd_%s_sum %.9f\n", name, (double)latency->sum_ns / 1e9);
}

void figures_print_metrics(const struct figures *figures, FILE *to)
{
	print_head("build_info", "gauge", "The version that runs, and its model.", to);
	fprintf(to, "aphorismd_build_info{version=\"%s\",model=\"%s\"} 1\n", PACKAGE_VERSION, figures->model);
	for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
		print_metric(figures, &metrics[i], to);
	if (figures->sees_waits)
		print_buckets(&figures->totals.wait, "question_wait_seconds",
		              "Time from the kernel's word that a question is there until work on it begins.", to);
	print_buckets(&figures->totals.service, "question_service_seconds",
	              "Time from the beginning of the work on a question until its answer is handed to the kernel.",
	              to);
}

/* ---- histogram ---- */

static void print_some(const struct latency *latency, const char *name, FILE *to)
{
	for (size_t i = 0; i < LATENCY_BUCKETS; i++)
		if (latency->buckets[i] > 0)
			fprintf(to, "bucket of=%s\tfrom_ns=%" PRIu64 "\tto_ns=%" PRIu64 "\tcount=%" PRIu64 "\n", name,
			        latency_first_ns(i), latency_first_ns(i + 1), latency->buckets[i]);
}

void figures_print_histogram(const struct figures *figures, FILE *to)
{
	if (figures->sees_waits)
		print_some(&figures->totals.wait, "wait", to);
	print_some(&figures->totals.service, "service", to);
}
