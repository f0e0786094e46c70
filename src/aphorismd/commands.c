/*
 * commands.c - what aphorismctl asks for; see aphorismctl(8) for the protocol.
 *
 * Whatever comes from a scoreboard may be a worker's lie: it is shown, and nothing else is done about it.
 */
#include "aphorismd/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/control.h"
#include "aphorismd/doctor.h"
#include "aphorismd/elder.h"
#include "aphorismd/generations.h"
#include "aphorismd/listeners.h"
#include "aphorismd/metrics_file.h"
#include "aphorismd/reload.h"
#include "aphorismd/setup.h"
#include "aphorismd/status.h"
#include "aphorismd/upgrade.h"
#include "aphorismd/wish.h"
#include "common/clock.h"
#include "common/command.h"
#include "common/log.h"

enum { MOST_ROWS = 2000 };

/* ---- figures ---- */

/* A view of the figures that print makes. */
static void say_figures(unsigned client, void (*print)(const struct figures *, FILE *))
{
	char *text = status_text(print);

	if (text)
		control_say_lines(client, text);
	free(text);
}

static void say_status(unsigned client)
{
	const struct generation *current = generations_current();

	control_say(client, "version " PACKAGE_VERSION);
	control_say(client, "pid %d", (int)getpid());
	control_say(client, "state %s", upgrade_is_done() ? "leaving" : wish.stopping > 0 ? "stopping" :
	            !current ? "starting" : reload_is_under_way() ? "reloading" :
	            upgrade_is_starting() ? "upgrading" :
	            generations_old() || elder_is_there() ? "draining" : "serving");
	control_say(client, "model %s", current ? current->model->name : "none");
	say_figures(client, figures_print_status);
	for (int64_t i = 0; current && i < current->image.config->listeners; i++)
		control_say(client, "listening %s", current->listeners[i]->address);
}

static void say_statistics(unsigned client)
{
	say_figures(client, figures_print_all);
}

static void say_histogram(unsigned client)
{
	say_figures(client, figures_print_histogram);
}

static void say_metrics(unsigned client)
{
	say_figures(client, figures_print_metrics);
}

/* ---- workers and connections ---- */

/* By worker: how many connections it holds, and the seat of one of them. */
struct holding {
	uint32_t count, seat;
};

/* NULL without memory; to be freed. */
static struct holding *count_held(const struct scoreboard *board)
{
	struct holding *held = calloc(board->workers, sizeof *held);

	for (uint32_t n = scoreboard_next(board, 0); held && n < board->seats; n = scoreboard_next(board, n + 1)) {
		uint32_t owner = atomic_load_explicit(&board->seat[n].owner, memory_order_relaxed);

		if (owner == 0 || owner > board->workers ||
		    atomic_load_explicit(&board->seat[n].family, memory_order_relaxed) == 0)
			continue;
		held[owner - 1].count++;
		held[owner - 1].seat = n;
	}
	return held;
}

static const char *state_name(const struct generation *generation, uint32_t n)
{
	const struct member *member = &generation->members[n];

	if (generation->state == GENERATION_DRAINS || member->retiring)
		return "draining";
	return !member->ready ? "starting" : generation_worker_state(generation, n) == WORKER_BUSY ? "busy" : "idle";
}

static void say_worker(unsigned client, const struct generation *generation, uint32_t n, const struct holding *held)
{
	const struct member *member = &generation->members[n];
	uint64_t connections = scoreboard_counted(generation->board, n, COUNT_CONNECTIONS);
	uint64_t questions = scoreboard_counted(generation->board, n, COUNT_ANSWERED);
	char peer[CONFIG_ADDRESS] = "-";

	if (held->count > 0)
		scoreboard_peer(&generation->board->seat[held->seat], peer, sizeof peer);
	control_say(client, "worker number=%u\tpid=%d\tgeneration=%u\tstate=%s\tage_seconds=%" PRIu64
	            "\topen=%u\tconnections=%" PRIu64 "\tquestions=%" PRIu64 "\tclient=%s", n, (int)member->pid,
	            generation->number, state_name(generation, n), (clock_now_us() - member->began_us) / CLOCK_S,
	            held->count, connections - member->connections_before, questions - member->questions_before, peer);
}

static void say_workers_of(unsigned client, const struct generation *generation, int *said)
{
	struct holding *held = count_held(generation->board);

	for (uint32_t n = 0; held && n < generation->board->used; n++)
		if (generation_is_alive(&generation->members[n]) && (*said)++ < MOST_ROWS)
			say_worker(client, generation, n, &held[n]);
	free(held);
}

/* Of the youngest generation first. */
static void say_of_all(unsigned client, void (*say)(unsigned, const struct generation *, int *said))
{
	int said = 0;

	for (unsigned i = 0; i < GENERATIONS; i++)
		if (generations_at(i))
			say(client, generations_at(i), &said);
	if (said > MOST_ROWS)
		control_say(client, "more %d", said - MOST_ROWS);
}

static void say_workers(unsigned client)
{
	say_of_all(client, say_workers_of);
}

static uint64_t seconds_since(const _Atomic uint64_t *us)
{
	uint64_t then_us = atomic_load_explicit(us, memory_order_relaxed), now_us = clock_now_us();

	return then_us < now_us ? (now_us - then_us) / CLOCK_S : 0;
}

static void say_connections_of(unsigned client, const struct generation *generation, int *said)
{
	const struct scoreboard *board = generation->board;
	char peer[CONFIG_ADDRESS];

	for (uint32_t n = scoreboard_next(board, 0); n < board->seats; n = scoreboard_next(board, n + 1)) {
		const struct seat *seat = &board->seat[n];
		uint32_t owner = atomic_load_explicit(&seat->owner, memory_order_relaxed);

		if (owner == 0 || owner > board->workers ||
		    atomic_load_explicit(&seat->family, memory_order_relaxed) == 0 || (*said)++ >= MOST_ROWS)
			continue;
		control_say(client, "connection client=%s\tworker=%u\tgeneration=%u\tage_seconds=%" PRIu64
		            "\tidle_seconds=%" PRIu64 "\tquestions=%" PRIu64, scoreboard_peer(seat, peer, sizeof peer),
		            owner - 1, generation->number, seconds_since(&seat->began_us),
		            seconds_since(&seat->active_us),
		            atomic_load_explicit(&seat->questions, memory_order_relaxed));
	}
}

static void say_connections(unsigned client)
{
	say_of_all(client, say_connections_of);
}

/* ---- findings ---- */

/* A path may hold what would end a field or a line. */
static void put_clean(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
	log_clean(to);
}

static void say_finding(void *arg, enum doctor_level level, const char *about, const char *what, const char *mend)
{
	char said_what[400], said_mend[400];

	put_clean(said_what, sizeof said_what, what);
	if (strlen(mend) >= sizeof said_mend)
		mend = "(a line too long to be shown)";   /* half a command is not to be typed */
	put_clean(said_mend, sizeof said_mend, mend);
	control_say(*(const unsigned *)arg, "finding level=%s\tabout=%s\twhat=%s\tmend=%s", doctor_level_name(level),
	            about, said_what, said_mend);
}

static void say_findings(unsigned client)
{
	const struct generation *current = generations_current();
	struct doctor_facts facts;
	struct figures figures;

	setup_check(say_finding, &client);
	metrics_file_check(say_finding, &client);
	listeners_check(say_finding, &client);
	if (!current)
		return;
	doctor_learn(&facts);
	status_figures(&figures);
	doctor_check(current->image.config, current->image.size, setup_options(), &facts, say_finding, &client);
	doctor_check_load(current->image.config, &figures, say_finding, &client);
}

/* ---- questions ---- */

static void say_pong(unsigned client)
{
	control_say(client, "pong");
}

static void say_version(unsigned client)
{
	control_say(client, "version " PACKAGE_VERSION);
}

/* ---- orders ---- */

static void refuse(unsigned client, int status, const char *reason)
{
	control_say(client, "error %s", reason);
	control_end(client, status);
}

static void set_level(unsigned client, const char *name)
{
	int level = config_log_level(name);

	if (level < 0) {
		refuse(client, EX_USAGE, "no such level: error, warning, notice, info or debug");
		return;
	}
	log_level(LOG_ERR + level);
	for (unsigned i = 0; i < GENERATIONS; i++)
		if (generations_at(i))
			atomic_store(&generations_at(i)->board->shared->log_level, LOG_ERR + level);
	log_message(LOG_ALWAYS | LOG_NOTICE, "log.level: %s until the next reload", name);
	control_say(client, "level %s", name);
	control_end(client, EX_OK);
}

static void drain(unsigned client, const char *name)
{
	uint64_t now_us = clock_now_us();
	const char *reason = "the daemon is starting: ask again";
	char *end;
	unsigned long long number = strtoull(name, &end, 10);
	int status = EX_TEMPFAIL;

	if (*name < '0' || *name > '9' || *end != '\0' || number > UINT32_MAX) {
		refuse(client, EX_USAGE, "a worker is named by its number");
		return;
	}
	if (generations_current())
		status = generation_drain(generations_current(), (uint32_t)number, now_us, &reason);
	if (status != 0) {
		refuse(client, status, reason);
		return;
	}
	/* the kernel may have told it alone of a connection: see worker_listens_no_more() */
	wish_look_on(now_us);
	log_notice("worker %llu drains, as it was told to", number);
	control_say(client, "draining %llu", number);
	control_end(client, EX_OK);
}

static void reload(unsigned client, const char *argument)
{
	(void)argument;
	/* one that is under way may have read the files before they changed */
	control_keep(client, CONTROL_RELOAD, reload_number());
	wish.reload = true;
}

static void upgrade(unsigned client, const char *argument)
{
	const char *why;
	int status = upgrade_ask(&why);

	(void)argument;
	if (status != 0)
		refuse(client, status, why);
	else
		control_keep(client, CONTROL_UPGRADE, 0);
}

static void stop(unsigned client, const char *now)
{
	control_say(client, "stopping");
	control_say(client, "end 0");
	control_keep(client, CONTROL_EXIT, 0);
	wish_stop(!now && wish.stopping == 0 ? 1 : WISH_AT_ONCE);
}

/* ---- dispatch ---- */

/* Who says has said all, and who obeys ends the answer itself, now or later. */
static const struct handler {
	void (*say)(unsigned client);
	void (*obey)(unsigned client, const char *argument);
} handlers[COMMAND_COUNT] = {
	[COMMAND_STATUS] = { .say = say_status },
	[COMMAND_WORKERS] = { .say = say_workers },
	[COMMAND_CONNECTIONS] = { .say = say_connections },
	[COMMAND_STATS] = { .say = say_statistics },
	[COMMAND_HISTOGRAM] = { .say = say_histogram },
	[COMMAND_METRICS] = { .say = say_metrics },
	[COMMAND_DOCTOR] = { .say = say_findings },
	[COMMAND_RELOAD] = { .obey = reload },
	[COMMAND_UPGRADE] = { .obey = upgrade },
	[COMMAND_DRAIN] = { .obey = drain },
	[COMMAND_LOG] = { .obey = set_level },
	[COMMAND_STOP] = { .obey = stop },
	[COMMAND_PING] = { .say = say_pong },
	[COMMAND_VERSION] = { .say = say_version },
};

void commands_obey(unsigned client, const char *line)
{
	const char *argument;
	const struct command *command = command_parse(line, &argument);
	const struct handler *handler = command ? &handlers[command - commands] : NULL;

	if (!handler) {
		refuse(client, EX_USAGE, "unknown command");
	} else if (control_right(client) < command->right) {
		refuse(client, EX_NOPERM, "permission denied");
	} else if ((upgrade_is_done() && command->until < COMMAND_EVER) ||
	           (upgrade_is_starting() && command->until < COMMAND_UPGRADING)) {
		refuse(client, EX_TEMPFAIL, "the daemon is being upgraded: ask again");
	} else if (wish.stopping > 0 && command->until < COMMAND_STOPPING) {
		refuse(client, EX_UNAVAILABLE, "the daemon is stopping");
	} else if (handler->obey) {
		handler->obey(client, argument);
	} else {
		handler->say(client);
		control_end(client, EX_OK);
	}
}
