/*
 * supervisor_status.c - how the daemon is, for the log and for aphorismctl.
 */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/control.h"
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

void supervisor_log_statistics(struct supervisor *s)
{
	struct scoreboard_totals totals;
	int all = 0, idle = 0;

	supervisor_sum_up(s, &totals);
	if (s->current)
		generation_count(s->current, &all, &idle);
	log_message(LOG_ALWAYS | LOG_NOTICE,
	            "statistics: model %s, generation %u, %d workers, %d idle, %u connections open, %llu served, "
	            "%llu questions, %llu time-outs, %llu refused, %llu denied, %llu bad headers, %u reloads, %u failed",
	            s->current ? s->current->model->name : "none", s->current ? s->current->number : 0, all, idle,
	            totals.seated, (unsigned long long)totals.connections, (unsigned long long)totals.questions,
	            (unsigned long long)totals.timeouts, (unsigned long long)totals.refused,
	            (unsigned long long)totals.denied, (unsigned long long)totals.bad_headers,
	            s->reloads > 0 ? s->reloads - 1 : 0, s->failed_reloads);
}

void supervisor_say_status(struct supervisor *s, unsigned client)
{
	const struct generation *current = s->current;
	struct scoreboard_totals totals;
	int all = 0, idle = 0;

	supervisor_sum_up(s, &totals);
	if (current)
		generation_count(current, &all, &idle);
	control_say(client, "version " PACKAGE_VERSION);
	control_say(client, "pid %d", (int)getpid());
	control_say(client, "state %s", s->upgrade.step == UPGRADE_DONE ? "leaving" : s->stopping ? "stopping" :
	            !current ? "starting" : s->step != STEP_NONE ? "reloading" :
	            s->upgrade.step == UPGRADE_STARTS ? "upgrading" : s->old || s->elder >= 0 ? "draining" : "serving");
	control_say(client, "uptime_seconds %llu", (unsigned long long)((clock_now_us() - s->started_us) / CLOCK_S));
	control_say(client, "model %s", current ? current->model->name : "none");
	control_say(client, "generation %u", current ? current->number : 0);
	control_say(client, "workers %d", all);
	control_say(client, "workers_idle %d", idle);
	control_say(client, "connections_open %u", totals.seated);
	control_say(client, "connections %llu", (unsigned long long)totals.connections);
	control_say(client, "questions %llu", (unsigned long long)totals.questions);
	control_say(client, "timeouts %llu", (unsigned long long)totals.timeouts);
	control_say(client, "refused %llu", (unsigned long long)totals.refused);
	control_say(client, "denied %llu", (unsigned long long)totals.denied);
	control_say(client, "bad_headers %llu", (unsigned long long)totals.bad_headers);
	control_say(client, "reloads %u", s->reloads > 0 ? s->reloads - 1 : 0);
	control_say(client, "failed_reloads %u", s->failed_reloads);
	for (int64_t i = 0; current && i < current->image.config->listeners; i++)
		control_say(client, "listening %s", current->listeners[i]->address);
	control_end(client, EX_OK);
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

		snprintf(listeners + len, sizeof listeners - len, "%s %s", i > 0 ? "," : "", current->listeners[i]->address);
	}
	notify_say("READY=1\n", "model %s, generation %u, listening on%s", current->model->name, current->number,
	           listeners);
}
