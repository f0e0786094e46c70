/*
 * supervisor_idle.c - the end of a daemon that nobody needs for the moment, and that the next client starts again.
 */
#include "aphorismd/supervisor_parts.h"
#include "common/log.h"
#include "common/units.h"

enum { LOOKS = 8 };                       /* in the time without a client: it is late by one of them at most */

/* 0: it stays. */
static uint64_t limit_us(const struct supervisor *s)
{
	const struct generation *current = s->current;

	if (!current || s->stopping || s->claims || s->upgrade.step != UPGRADE_NONE || !current->listeners[0]->lent)
		return 0;
	return (uint64_t)(s->options->inetd ? current->image.config->inetd_idle_us
	                                    : current->image.config->activation_idle_us);
}

uint64_t supervisor_idle_due_us(const struct supervisor *s)
{
	return limit_us(s) > 0 ? s->idle_look_us : UINT64_MAX;
}

void supervisor_watch_idle(struct supervisor *s, uint64_t now_us)
{
	uint64_t limit = limit_us(s), end_us;
	struct scoreboard_totals totals;
	char text[UNITS_TEXT];

	if (limit == 0 || now_us < s->idle_look_us)
		return;
	supervisor_sum_up(s, &totals);
	if (totals.seated > 0 || s->step != STEP_NONE)
		s->idle_us = 0;           /* not now_us: who is here may stay almost until the next look */
	else if (s->idle_us == 0 || totals.count[COUNT_CONNECTIONS] != s->idle_seen)
		s->idle_us = now_us;
	s->idle_seen = totals.count[COUNT_CONNECTIONS];
	end_us = (s->idle_us > 0 ? s->idle_us : now_us) + limit;
	s->idle_look_us = now_us + limit / LOOKS < end_us ? now_us + limit / LOOKS : end_us;
	if (now_us < end_us)
		return;
	log_notice("no client for %s: the daemon ends until there is one", units_format_duration(text, (int64_t)limit));
	supervisor_stop(s, 1);
}
