/*
 * reload.c - from one generation to the next.
 *
 * A start is the first reload: load, then open what is new, then start a generation, then, once it is ready, let it
 * take the place of the one before.  Whatever fails on the way leaves everything as it was.
 *
 *            reload_begin()          it has a snapshot        all listeners are open
 *   NONE ---------------------> LOADS --------------> WAITS -----------------------> STARTS
 *    ^                            |                     |                              |  |
 *    |     errors; a stop         |  a stop; can't open |       its workers can't start|  |
 *    +<---------------------------+<--------------------+<-----------------------------+  |
 *    |     the current generation goes on; at a start, where there is none, a stop        |
 *    |                                                                                    |
 *    +<-----------------------------------------------------------------------------------+
 *          its workers are ready: it is the current one, and that before it the old one
 *
 * WAITS lasts until the old generation has left, and at a reload the predecessor; at a start also while an address is
 * in use that may soon be free.  What is wished for meanwhile begins from NONE: see wish.h.
 */
#include "aphorismd/reload.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/control.h"
#include "aphorismd/generations.h"
#include "aphorismd/listeners.h"
#include "aphorismd/loader.h"
#include "aphorismd/notify.h"
#include "aphorismd/part.h"
#include "aphorismd/predecessor.h"
#include "aphorismd/report.h"
#include "aphorismd/setup.h"
#include "aphorismd/status.h"
#include "aphorismd/wish.h"
#include "common/clock.h"
#include "common/log.h"

enum { ORPHANS_US = 1500 * CLOCK_MS, BIND_PAUSE_US = 20 * CLOCK_MS, REOPEN_US = 5 * CLOCK_S };

/* How far one has come. */
enum step {
	STEP_NONE,
	STEP_LOADS,                       /* the loader is reading */
	STEP_WAITS,                       /* the generation before last has not left yet */
	STEP_STARTS,                      /* the new generation is starting */
};

static struct {
	struct loader loader;             /* a long text; behind it, on a page, lies what a worker gives up */
	struct snapshot snapshot;         /* loaded, not yet a generation's */
	enum step step;
	uint64_t reopen_us;               /* 0, or when to try again to open what was shut down */
	uint64_t bind_us, bind_until_us;  /* at a start: the next try of an address that is in use, and the last */
} reload = { .loader = { .lines = -1, .memfd = -1 } };

static void end_reload(int status)
{
	const struct generation *current = generations.current;
	uint32_t reloads = status_count_reload(status != 0);

	reload.step = STEP_NONE;
	snapshot_unmap(&reload.snapshot);
	if (current)
		status_notify_ready(status != 0);         /* first: the service manager may wait for both */
	control_happened(CONTROL_RELOAD, reloads, reload.loader.text, status);
	reload.loader.text[0] = '\0';
	if (status != 0 && !current) {            /* nothing to go on with: this was the start */
		report.status = status;
		wish_stop(WISH_AT_ONCE);
	} else if (status != 0) {
		log_error("reload failed: generation %u goes on with the old configuration", current->number);
	}
	reload.reopen_us = listeners_lack_one() ? clock_now_us() + REOPEN_US : 0;
}

void reload_begin(void)
{
	struct loader_before before = { .config = generations.current ? generations.current->snapshot.config : NULL };
	char said[64];
	int status;

	snprintf(said, sizeof said, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n", clock_now_us());
	reload.reopen_us = 0;
	reload.step = STEP_LOADS;
	report.reason[0] = '\0';
	if (generations.current)
		notify_say(said, "reloading");
	before.listeners = listeners_all(&before.listener_count);
	status = loader_start(&reload.loader, setup.options, &before);
	if (status == 0)
		return;
	report_tell(reload.loader.text);
	end_reload(status);
}

/* Keys whose change only a restart can carry out; NULL when none has changed. */
static const char *restart_only(const struct config *old, const struct config *new)
{
	return strcmp(old->user, new->user) != 0 || old->set.user != new->set.user ? "process.user" :
	       strcmp(old->group, new->group) != 0     ? "process.group" :
	       strcmp(old->pidfile, new->pidfile) != 0 ? "process.pidfile" :
	       old->sandbox != new->sandbox            ? "process.sandbox" :
	       strcmp(old->control, new->control) != 0 ? "control.socket" : NULL;
}

static int object(const char *key, const char *why)
{
	snprintf(reload.loader.text, sizeof reload.loader.text, "error %s: %s\n", key, why);
	report_tell(reload.loader.text);
	return EX_CONFIG;
}

static void take_snapshot(void)
{
	const struct generation *current = generations.current;
	const char *key, *lacking;
	int status = loader_finish(&reload.loader, &reload.snapshot);

	report_tell(reload.loader.text);
	if (status == 0 && current && (key = restart_only(current->snapshot.config, reload.snapshot.config)) != NULL)
		status = object(key, "changes at a restart only");
	if (status == 0 && (lacking = model_lacks(reload.snapshot.config, &key)) != NULL)
		status = object(key, lacking);
	if (status == 0 && !current)
		status = setup_enter(reload.snapshot.config);
	if (status != 0)
		end_reload(status);
	else
		reload.step = STEP_WAITS;
}

/*
 * Workers of a supervisor that was killed a moment ago hold its addresses until they have answered what they owe,
 * less than a second: a start waits for them.
 */
static bool will_try_again(int status, uint64_t now_us)
{
	if (generations.current || status != EX_UNAVAILABLE)
		return false;
	if (reload.bind_until_us == 0)
		reload.bind_until_us = now_us + ORPHANS_US;
	reload.bind_us = now_us + BIND_PAUSE_US;
	return now_us < reload.bind_until_us;
}

void reload_restore(void)
{
	listeners_close_unlisted();
	if (!generations.current)
		return;
	listeners_tune(generations.current);
	report.to_syslog = options_open_log(setup.options, generations.current->snapshot.config);
}

static bool make_next(struct listener *const *listeners)
{
	struct generation *next = generations_make_next(&reload.snapshot, listeners);

	if (!next)
		return false;
	/* until it is ours */
	atomic_store(&next->board->shared->has_successor, predecessor.owns && predecessor_is_there());
	if (listeners_tune(next) && listeners_set_blocking())
		return true;
	generations_drop_next();
	return false;
}

static void start_generation(uint64_t now_us)
{
	struct listener *listeners[CONFIG_LISTENERS];
	char reason[LISTENER_REASON] = "";
	const struct config *config = reload.snapshot.config;
	int status = listeners_open(config, listeners, reason), error = errno;

	if (status != 0 && will_try_again(status, now_us)) {
		listeners_close_unlisted();
		return;
	}
	if (status == 0 && !make_next(listeners)) {
		snprintf(reason, sizeof reason, "can't start a generation: %s", strerror(errno));
		status = EX_OSERR;
		error = errno;
	}
	if (status != 0) {
		report.error = error;
		report_complain(status, "%s", log_clean(reason));
		snprintf(reload.loader.text, sizeof reload.loader.text, "error %s\n", reason);
		reload_restore();
		end_reload(status);
		return;
	}
	report.to_syslog = options_open_log(setup.options, config);
	reload.step = STEP_STARTS;
}

/* Behind what the loader reported, for who waits for the end of the reload; as far as there is room. */
static void tell_changes(void)
{
	const struct snapshot *old = &generations.old->snapshot, *new = &generations.current->snapshot;
	char *text = reload.loader.text, *end;
	size_t len = strlen(text);
	FILE *to = fmemopen(text + len, sizeof reload.loader.text - len, "w");

	if (!to)
		return;
	config_print_changes(old->config, new->config, model_schema(), to);
	if (old->table->count != new->table->count)
		fprintf(to, "changed the table: %" PRIu64 " -> %" PRIu64 " aphorisms\n", old->table->count,
		        new->table->count);
	fclose(to);
	end = strrchr(text, '\n');
	if (end)
		end[1] = '\0';            /* of a line that did not fit nothing is told */
}

static void replace_generation(uint64_t now_us)
{
	const struct generation *current;

	generations_replace();
	current = generations.current;
	listeners_announce();
	if (generations.old) {
		listeners_mark_removed();
		generation_end(generations.old, SIGNAL_DRAIN, now_us);
		listeners_close_unlisted();
		log_notice("reloaded: generation %u, model %s", current->number, current->model->name);
		tell_changes();
	} else {
		log_info("generation %u, model %s", current->number, current->model->name);
		privileges_reduce();
	}
	end_reload(0);
	setup_release_launcher();
}

static void discard_next(void)
{
	const struct generation *next = generations.next;
	int status = next->status;

	report_complain(status, "generation %u: its workers can't start (status %d)%s", next->number, status,
	                report.to_syslog ? ": the log says why" : "");
	snprintf(reload.loader.text, sizeof reload.loader.text,
	         "error the workers of the new configuration can't start: see the log\n");
	generations_fail_next(clock_now_us());    /* the step before made sure that there is no old one */
	reload_restore();
	end_reload(status);
}

bool reload_is_under_way(void)
{
	return reload.step != STEP_NONE;
}

uint32_t reload_number(void)
{
	return status_reloads() + 1 + reload_is_under_way();
}

void reload_cancel(void)
{
	loader_cancel(&reload.loader);
	if (reload.step == STEP_LOADS || reload.step == STEP_WAITS)
		reload.step = STEP_NONE;
}

/* ---- as the loop asks ---- */

static void hear(uint64_t now_us)
{
	(void)now_us;
	if (reload.loader.lines >= 0 && !reload.loader.ended)
		loader_read(&reload.loader);
}

static uint64_t due_us(void)
{
	uint64_t first_us = reload.reopen_us > 0 ? reload.reopen_us : UINT64_MAX;

	if (reload.loader.pid > 0)
		first_us = clock_earlier(first_us, reload.loader.deadline_us);
	if (reload.step == STEP_WAITS && !generations.current)
		first_us = clock_earlier(first_us, reload.bind_us);
	return first_us;
}

static bool reaped(pid_t pid, int status, uint64_t now_us)
{
	(void)now_us;
	if (pid != reload.loader.pid)
		return false;
	loader_ended(&reload.loader, status);
	return true;
}

static void tend(uint64_t now_us)
{
	struct generation *next;

	if (reload.reopen_us > 0 && now_us >= reload.reopen_us) {
		reload.reopen_us = 0;
		wish.reload = true;
	}
	loader_check(&reload.loader, now_us);
	if (reload.step == STEP_LOADS && reload.loader.ended)
		take_snapshot();
	if (reload.step == STEP_WAITS && !generations.old && (!generations.current || !predecessor_is_there()) &&
	    now_us >= reload.bind_us)
		start_generation(now_us);
	if (reload.step != STEP_STARTS)
		return;
	next = generations.next;
	generation_tend(next, now_us);
	if (next->state == GENERATION_SERVES)
		replace_generation(now_us);
	else if (next->state == GENERATION_FAILED)
		discard_next();
}

static void forget(void)
{
	if (reload.loader.memfd >= 0)
		close(reload.loader.memfd);
	snapshot_unmap(&reload.snapshot);
}

const struct part part_reload = {
	.serves = true, .fd = &reload.loader.lines, .due_us = due_us, .hear = hear, .reaped = reaped, .tend = tend,
	.forget = forget,
};
