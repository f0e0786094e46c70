/*
 * supervisor_status.c - how the daemon is, for whoever asks.
 */
#include <stdio.h>
#include <string.h>

#include "aphorismd/notify.h"
#include "aphorismd/supervisor_parts.h"
#include "common/clock.h"
#include "common/log.h"

void supervisor_sum_up(const struct supervisor *s, struct scoreboard_totals *totals)
{
	const struct generation *generations[] = { s->next, s->current, s->old };

	*totals = s->before;
	for (size_t i = 0; i < 3; i++)
		if (generations[i])
			scoreboard_sum(generations[i]->board, totals);
}

static void count_queued(const struct generation *current, struct figures *figures)
{
	for (int64_t i = 0; i < current->image.config->listeners; i++) {
		int64_t queued = listener_queued(current->listeners[i]->fd);

		if (queued < 0)
			continue;
		figures->sees_queues = true;
		figures->queued += (uint64_t)queued;
	}
}

void supervisor_figures(const struct supervisor *s, struct figures *figures)
{
	const struct generation *current = s->current;
	int all = 0, idle = 0;

	*figures = (struct figures){ .model = current ? current->model->name : "none" };
	supervisor_sum_up(s, &figures->totals);
	if (current) {
		generation_count(current, &all, &idle);
		figures->sees_waits = current->model->sees_waits;
		figures->generation = current->number;
		figures->max_connections = (uint64_t)current->image.config->max_connections;
		count_queued(current, figures);
	}
	figures->uptime_s = (clock_now_us() - s->started_us) / CLOCK_S;
	figures->workers = (uint64_t)all;
	figures->workers_idle = (uint64_t)idle;
	figures->workers_busy = (uint64_t)(all - idle);
	figures->connections_open = figures->totals.seated;
	figures->timeouts = scoreboard_timeouts(&figures->totals);
	figures->refused = scoreboard_refused(&figures->totals);
	figures->reloads = s->reloads > 0 ? s->reloads - 1 : 0;
	figures->failed_reloads = s->failed_reloads;
}

void supervisor_log_statistics(struct supervisor *s)
{
	struct figures figures;
	char line[1024];

	supervisor_figures(s, &figures);
	figures_format_line(&figures, line, sizeof line);
	log_message(LOG_ALWAYS | LOG_NOTICE, "statistics: %s", line);
}

void supervisor_notify_ready(const struct supervisor *s, bool failed)
{
	const struct generation *current = s->current;
	char listeners[1024] = "";

	if (failed) {
		notify_say("READY=1\n", "reload failed: %s; generation %u goes on", s->reason, current->number);
		return;
	}
	for (int64_t i = 0; i < current->image.config->listeners; i++) {
		size_t len = strlen(listeners);

		snprintf(listeners + len, sizeof listeners - len, "%s %s", i > 0 ? "," : "",
		         current->listeners[i]->address);
	}
	notify_say("READY=1\n", "model %s, generation %u, listening on%s", current->model->name, current->number,
	           listeners);
}
