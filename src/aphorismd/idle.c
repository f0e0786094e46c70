/*
 * idle.c - the end for want of clients, where the sockets are borrowed and their owner starts the daemon again.
 */
#include "aphorismd/generations.h"
#include "aphorismd/part.h"
#include "aphorismd/predecessor.h"
#include "aphorismd/reload.h"
#include "aphorismd/setup.h"
#include "aphorismd/upgrade.h"
#include "aphorismd/wish.h"
#include "common/log.h"
#include "common/units.h"

enum { CHECKS = 8 };                      /* in the time without a client: it is late by one of them at most */

static struct {
	uint32_t generation;              /* that all this is of */
	uint64_t since_us;                /* without a client since then, 0 while there is one */
	uint64_t check_us;                /* when to check next */
	uint64_t seen;                    /* connections by then */
} idle;

/* 0: it stays. */
static uint64_t limit_us(const struct generation *current)
{
	const struct config *config = current ? current->snapshot.config : NULL;

	if (!current || predecessor.owns || upgrade_step != UPGRADE_NONE || !current->listeners[0]->borrowed)
		return 0;
	return (uint64_t)(setup.options->inetd ? config->inetd_idle_us : config->activation_idle_us);
}

static uint64_t due_us(void)
{
	return limit_us(generations.current) > 0 ? idle.check_us : UINT64_MAX;
}

static void tend(uint64_t now_us)
{
	uint64_t limit = limit_us(generations.current), end_us;
	struct scoreboard_totals totals;
	char text[UNITS_TEXT];

	if (generations.current && idle.generation != generations.current->number) {
		idle.generation = generations.current->number;
		idle.check_us = 0;        /* the time without a client may be another one now */
	}
	if (limit == 0 || now_us < idle.check_us)
		return;
	generations_sum(&totals);
	if (totals.connections_open > 0 || reload_is_under_way())
		idle.since_us = 0;        /* not now_us: who is here may stay almost until the next check */
	else if (idle.since_us == 0 || totals.count[COUNT_CONNECTIONS] != idle.seen)
		idle.since_us = now_us;
	idle.seen = totals.count[COUNT_CONNECTIONS];
	end_us = (idle.since_us > 0 ? idle.since_us : now_us) + limit;
	idle.check_us = now_us + limit / CHECKS < end_us ? now_us + limit / CHECKS : end_us;
	if (now_us < end_us)
		return;
	log_notice("no client for %s: the daemon ends until there is one", units_format_duration(text, (int64_t)limit));
	wish_stop(1);
}

const struct part part_idle = { .serves = true, .due_us = due_us, .tend = tend };
