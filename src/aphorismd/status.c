/*
 * status.c - what there is to show: the figures of all generations, and READY=1.
 */
#include "aphorismd/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aphorismd/generations.h"
#include "aphorismd/notify.h"
#include "aphorismd/report.h"
#include "common/clock.h"
#include "common/log.h"

static struct {
	uint64_t began_us;
	uint32_t reloads, failed_reloads;
} status;

void status_begin(void)
{
	status.began_us = clock_now_us();
}

uint32_t status_count_reload(bool failed)
{
	if (failed)
		status.failed_reloads++;
	else
		status.reloads++;
	return status_reloads();
}

uint32_t status_reloads(void)
{
	return status.reloads + status.failed_reloads;
}

static void count_queued(const struct generation *current, struct figures *figures)
{
	for (int64_t i = 0; i < current->snapshot.config->listeners; i++) {
		int64_t queued = listener_queued(current->listeners[i]->fd);

		if (queued < 0)
			continue;
		figures->sees_queues = true;
		figures->queued += (uint64_t)queued;
	}
}

void status_figures(struct figures *figures)
{
	const struct generation *current = generations.current;
	int all = 0, idle = 0;

	*figures = (struct figures){ .model = current ? current->model->name : "none" };
	generations_sum(&figures->totals);
	if (current) {
		generation_count(current, &all, &idle);
		figures->sees_waits = current->model->sees_waits;
		figures->generation = current->number;
		figures->max_connections = (uint64_t)current->snapshot.config->max_connections;
		count_queued(current, figures);
	}
	figures->uptime_s = (clock_now_us() - status.began_us) / CLOCK_S;
	figures->workers = (uint64_t)all;
	figures->workers_idle = (uint64_t)idle;
	figures->workers_busy = (uint64_t)(all - idle);
	figures->connections_open = figures->totals.connections_open;
	figures->timeouts = scoreboard_timeouts(&figures->totals);
	figures->refused = scoreboard_refused(&figures->totals);
	figures->reloads = status.reloads > 0 ? status.reloads - 1 : 0;
	figures->failed_reloads = status.failed_reloads;
}

char *status_text(void (*print)(const struct figures *, FILE *))
{
	struct figures figures;
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		return NULL;
	status_figures(&figures);
	print(&figures, to);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

void status_log(void)
{
	struct figures figures;
	char line[1024];

	status_figures(&figures);
	figures_format_line(&figures, line, sizeof line);
	log_message(LOG_ALWAYS | LOG_NOTICE, "statistics: %s", line);
}

void status_notify_ready(bool failed)
{
	const struct generation *current = generations.current;
	char listeners[1024] = "";

	if (failed) {
		notify_say("READY=1\n", "reload failed: %s; generation %u goes on", report.reason, current->number);
		return;
	}
	for (int64_t i = 0; i < current->snapshot.config->listeners; i++) {
		size_t len = strlen(listeners);

		snprintf(listeners + len, sizeof listeners - len, "%s %s", i > 0 ? "," : "",
		         current->listeners[i]->address);
	}
	notify_say("READY=1\n", "model %s, generation %u, listening on%s", current->model->name, current->number,
	           listeners);
}
