/*
 * supervisor_reload.c - from one generation to the next.
 *
 * A start is the first reload: load, then open what is new, then start a generation, then, once it is ready, let it
 * take the place of the one before.  Whatever fails on the way leaves everything as it was.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "aphorismd/control.h"
#include "aphorismd/daemonize.h"
#include "aphorismd/notify.h"
#include "aphorismd/supervisor_parts.h"
#include "common/clock.h"
#include "common/log.h"

enum { ORPHANS_US = 1500 * CLOCK_MS, BIND_PAUSE_US = 20 * CLOCK_MS, REOPEN_US = 5 * CLOCK_S };

static void end_reload(struct supervisor *s, int status)
{
	s->step = STEP_NONE;
	image_unmap(&s->image);
	if (status == 0)
		s->reloads++;
	else
		s->failed_reloads++;
	if (s->current)
		supervisor_notify_ready(s, status != 0);          /* first: the service manager may wait for both */
	control_happened(CONTROL_RELOAD, s->reloads + s->failed_reloads, s->loader.text, status);
	s->loader.text[0] = '\0';
	if (status != 0 && !s->current)
		supervisor_stop(s, STOP_AT_ONCE);       /* nothing to go on with: this was the start */
	else if (status != 0)
		log_error("reload failed: generation %u goes on with the old configuration", s->current->number);
	s->reopen_us = supervisor_lacks_listener(s) ? clock_now_us() + REOPEN_US : 0;
	if (s->again)
		supervisor_begin_reload(s);
}

static void fail_reload(struct supervisor *s, int status)
{
	if (!s->current)
		s->status = status;
	end_reload(s, status);
}

static void notify_reloading(void)
{
	char said[64];

	snprintf(said, sizeof said, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\n", clock_now_us());
	notify_say(said, "reloading");
}

void supervisor_begin_reload(struct supervisor *s)
{
	struct loader_before before;
	int status;

	if (s->upgrade.step == UPGRADE_DONE && s->upgrade.heir > 0)
		kill(s->upgrade.heir, SIGHUP);     /* whoever sent it to us has read the pidfile a moment too early */
	if (s->stopping || s->upgrade.step == UPGRADE_DONE)
		return;
	if (s->step != STEP_NONE || s->upgrade.step != UPGRADE_NONE) {
		s->again = true;           /* requests that come meanwhile are one */
		return;
	}
	s->again = false;
	s->reopen_us = 0;
	s->step = STEP_LOADS;
	s->reason[0] = '\0';
	if (s->current)
		notify_reloading();
	before = (struct loader_before){
		s->current ? s->current->image.config : NULL, s->listeners, s->listener_count, NULL,
	};
	status = loader_start(&s->loader, s->options, &before);
	if (status == 0)
		return;
	supervisor_tell_reports(s);
	fail_reload(s, status);
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

static int object(struct supervisor *s, const char *key, const char *why)
{
	snprintf(s->loader.text, sizeof s->loader.text, "error %s: %s\n", key, why);
	supervisor_tell_reports(s);
	return EX_CONFIG;
}

static void take_image(struct supervisor *s)
{
	const char *key, *lacking;
	int status = loader_finish(&s->loader, &s->image);

	supervisor_tell_reports(s);
	if (status == 0 && s->current && (key = restart_only(s->current->image.config, s->image.config)) != NULL)
		status = object(s, key, "changes at a restart only");
	if (status == 0 && (lacking = model_lacks(s->image.config, &key)) != NULL)
		status = object(s, key, lacking);
	if (status == 0 && !s->current)
		status = supervisor_set_up(s, s->image.config);
	if (status != 0)
		fail_reload(s, status);
	else
		s->step = STEP_WAITS;
}

/*
 * Workers of a supervisor that was killed a moment ago hold its addresses until they have answered what they owe,
 * less than a second: a start waits for them.
 */
static bool will_try_again(struct supervisor *s, int status, uint64_t now_us)
{
	if (s->current || status != EX_UNAVAILABLE)
		return false;
	if (s->bind_until_us == 0)
		s->bind_until_us = now_us + ORPHANS_US;
	s->bind_us = now_us + BIND_PAUSE_US;
	return now_us < s->bind_until_us;
}

void supervisor_restore_listeners(struct supervisor *s)
{
	supervisor_close_unlisted(s);
	if (!s->current)
		return;
	supervisor_tune_listeners(s, s->current);
	supervisor_open_log(s, s->current->image.config);
}

static bool make_next(struct supervisor *s, struct listener *const *listeners)
{
	s->next = generation_new(++s->generations, &s->image, listeners, &s->surroundings);
	if (!s->next)
		return false;
	atomic_store(&s->next->board->shared->has_heir, s->claims && s->elder >= 0);      /* until it is ours */
	if (supervisor_tune_listeners(s, s->next) && supervisor_set_blocking(s))
		return true;
	generation_free(s->next);
	s->next = NULL;
	return false;
}

static void start_generation(struct supervisor *s, uint64_t now_us)
{
	struct listener *listeners[CONFIG_LISTENERS];
	char reason[LISTENER_REASON] = "";
	const struct config *config = s->image.config;
	int status = supervisor_open_listeners(s, config, listeners, reason), error = errno;

	if (status != 0 && will_try_again(s, status, now_us)) {
		supervisor_close_unlisted(s);
		return;
	}
	if (status == 0 && !make_next(s, listeners)) {
		snprintf(reason, sizeof reason, "can't start a generation: %s", strerror(errno));
		status = EX_OSERR;
		error = errno;
	}
	if (status != 0) {
		s->error = error;
		supervisor_complain(s, status, "%s", log_clean(reason));
		snprintf(s->loader.text, sizeof s->loader.text, "error %s\n", reason);
		supervisor_restore_listeners(s);
		fail_reload(s, status);
		return;
	}
	supervisor_open_log(s, config);
	s->step = STEP_STARTS;
}

/* A start that was given up, by who waited for it or by a time limit of theirs, is to leave no daemon behind. */
static void release_launcher(struct supervisor *s)
{
	bool waited_for;

	if (s->launcher >= 0)
		daemonize_detach(s->devnull);
	waited_for = daemonize_ready(s->launcher, 0);
	s->launcher = -1;
	if (waited_for)
		return;
	log_error("the launcher has gone before the daemon was ready: it ends");
	s->status = EX_UNAVAILABLE;
	supervisor_stop(s, STOP_AT_ONCE);
}

/* Behind what the loader reported, for who waits for the end of the reload; as far as there is room. */
static void tell_changes(struct supervisor *s)
{
	const struct image *old = &s->old->image, *new = &s->current->image;
	char *text = s->loader.text, *end;
	size_t len = strlen(text);
	FILE *to = fmemopen(text + len, sizeof s->loader.text - len, "w");

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

static void replace_generation(struct supervisor *s, uint64_t now_us)
{
	s->old = s->current;
	s->current = s->next;
	s->next = NULL;
	s->idle_look_us = 0;      /* the time without a client may be another one now */
	supervisor_renew_metrics(s);
	supervisor_announce_listeners(s);
	if (s->old) {
		supervisor_mark_removed(s);
		generation_end(s->old, SIGNAL_DRAIN, now_us);
		supervisor_close_unlisted(s);
		log_notice("reloaded: generation %u, model %s", s->current->number, s->current->model->name);
		tell_changes(s);
	} else {
		log_info("generation %u, model %s", s->current->number, s->current->model->name);
		privileges_reduce();
	}
	end_reload(s, 0);
	release_launcher(s);
	supervisor_claim(s);
}

static void discard_next(struct supervisor *s)
{
	int status = s->next->status;

	supervisor_complain(s, status, "generation %u: its workers can't start (status %d)%s", s->next->number, status,
	                    s->to_syslog ? ": the log says why" : "");
	snprintf(s->loader.text, sizeof s->loader.text,
	         "error the workers of the new configuration can't start: see the log\n");
	generation_kill(s->next, clock_now_us());
	s->old = s->next;         /* it goes the way of all that drain; the step before made sure there is none */
	s->next = NULL;
	supervisor_restore_listeners(s);
	fail_reload(s, status);
}

void supervisor_advance_reload(struct supervisor *s, uint64_t now_us)
{
	if (s->reopen_us > 0 && now_us >= s->reopen_us) {
		s->reopen_us = 0;
		supervisor_begin_reload(s);
	}
	loader_check(&s->loader, now_us);
	if (s->step == STEP_LOADS && s->loader.ended)
		take_image(s);
	if (s->step == STEP_WAITS && !s->old && (!s->current || s->elder < 0) && now_us >= s->bind_us)
		start_generation(s, now_us);
	if (s->step != STEP_STARTS)
		return;
	generation_tend(s->next, now_us);
	if (s->next->state == GENERATION_SERVES)
		replace_generation(s, now_us);
	else if (s->next->state == GENERATION_FAILED)
		discard_next(s);
}
