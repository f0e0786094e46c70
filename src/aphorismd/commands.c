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
#include "aphorismd/generations.h"
#include "aphorismd/listeners.h"
#include "aphorismd/metrics_file.h"
#include "aphorismd/predecessor.h"
#include "aphorismd/reload.h"
#include "aphorismd/setup.h"
#include "aphorismd/status.h"
#include "aphorismd/upgrade.h"
#include "aphorismd/wish.h"
#include "common/clock.h"
#include "common/command.h"
#include "common/log.h"

enum { MOST_ROWS = 2000, KEPT = -1 };

/* What obeys one returns the status that ends the answer; or KEPT, where that comes later. */
struct order {
	unsigned client;
	const char *argument;
};

/* ---- figures ---- */

/* A view of the figures that print makes. */
static int say_figures(unsigned client, void (*print)(const struct figures *, FILE *))
{
	char *text = status_text(print);

	if (text)
		control_say_lines(client, text);
	free(text);
	return EX_OK;
}

static int obey_status(const struct order *order)
{
	const struct generation *current = generations.current;

	control_say(order->client, "version " PACKAGE_VERSION);
	control_say(order->client, "pid %d", (int)getpid());
	control_say(order->client, "state %s", upgrade_step == UPGRADE_DONE ? "leaving" :
	            wish.stopping > 0 ? "stopping" : !current ? "starting" : reload_is_under_way() ? "reloading" :
	            upgrade_step == UPGRADE_STARTS ? "upgrading" :
	            generations.old || predecessor_is_there() ? "draining" : "serving");
	control_say(order->client, "model %s", current ? current->model->name : "none");
	say_figures(order->client, figures_print_status);
	for (int64_t i = 0; current && i < current->snapshot.config->listeners; i++)
		control_say(order->client, "listening %s", current->listeners[i]->address);
	return EX_OK;
}

static int obey_stats(const struct order *order)
{
	return say_figures(order->client, figures_print_all);
}

static int obey_histogram(const struct order *order)
{
	return say_figures(order->client, figures_print_histogram);
}

static int obey_metrics(const struct order *order)
{
	return say_figures(order->client, figures_print_metrics);
}

/* ---- workers and connections ---- */

/* By worker: how many connections it holds, and the slot of one of them. */
struct holding {
	uint32_t count, slot;
};

/* NULL without memory; to be freed. */
static struct holding *count_held(const struct scoreboard *board)
{
	struct holding *held = calloc(board->workers, sizeof *held);

	for (uint32_t n = scoreboard_next(board, 0); held && n < board->slots; n = scoreboard_next(board, n + 1)) {
		uint32_t owner = atomic_load_explicit(&board->slot[n].owner, memory_order_relaxed);

		if (owner == 0 || owner > board->workers ||
		    atomic_load_explicit(&board->slot[n].family, memory_order_relaxed) == 0)
			continue;
		held[owner - 1].count++;
		held[owner - 1].slot = n;
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
		scoreboard_peer(&generation->board->slot[held->slot], peer, sizeof peer);
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
static int say_of_all(unsigned client, void (*say)(unsigned, const struct generation *, int *said))
{
	int said = 0;

	for (unsigned i = 0; i < GENERATIONS; i++)
		if (generations_at(i))
			say(client, generations_at(i), &said);
	if (said > MOST_ROWS)
		control_say(client, "more %d", said - MOST_ROWS);
	return EX_OK;
}

static int obey_workers(const struct order *order)
{
	return say_of_all(order->client, say_workers_of);
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

	for (uint32_t n = scoreboard_next(board, 0); n < board->slots; n = scoreboard_next(board, n + 1)) {
		const struct slot *slot = &board->slot[n];
		uint32_t owner = atomic_load_explicit(&slot->owner, memory_order_relaxed);

		if (owner == 0 || owner > board->workers ||
		    atomic_load_explicit(&slot->family, memory_order_relaxed) == 0 || (*said)++ >= MOST_ROWS)
			continue;
		control_say(client, "connection client=%s\tworker=%u\tgeneration=%u\tage_seconds=%" PRIu64
		            "\tidle_seconds=%" PRIu64 "\tquestions=%" PRIu64, scoreboard_peer(slot, peer, sizeof peer),
		            owner - 1, generation->number, seconds_since(&slot->began_us),
		            seconds_since(&slot->active_us),
		            atomic_load_explicit(&slot->questions, memory_order_relaxed));
	}
}

static int obey_connections(const struct order *order)
{
	return say_of_all(order->client, say_connections_of);
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
	control_say(*(const unsigned *)arg, "finding level=%s\tabout=%s\twhat=%s\tmend=%s", doctor_levels[level],
	            about, said_what, said_mend);
}

static int obey_doctor(const struct order *order)
{
	unsigned client = order->client;
	const struct doctor_ear ear = { say_finding, &client };
	struct doctor_facts facts;
	struct figures figures;

	setup_check(&ear);
	metrics_file_check(&ear);
	listeners_check(&ear);
	if (!generations.current)
		return EX_OK;
	doctor_learn(&facts);
	status_figures(&figures);
	doctor_check(generations.current->snapshot.config, generations.current->snapshot.size, setup.options, &facts,
	             &ear);
	doctor_check_load(generations.current->snapshot.config, &figures, &ear);
	return EX_OK;
}

/* ---- questions ---- */

static int obey_ping(const struct order *order)
{
	control_say(order->client, "pong");
	return EX_OK;
}

static int obey_version(const struct order *order)
{
	control_say(order->client, "version " PACKAGE_VERSION);
	return EX_OK;
}

/* ---- orders ---- */

static int refuse(unsigned client, int status, const char *reason)
{
	control_say(client, "error %s", reason);
	return status;
}

static int obey_log(const struct order *order)
{
	int level = config_log_level(order->argument);

	if (level < 0)
		return refuse(order->client, EX_USAGE, "no such level: error, warning, notice, info or debug");
	log_level(LOG_ERR + level);
	for (unsigned i = 0; i < GENERATIONS; i++)
		if (generations_at(i))
			atomic_store(&generations_at(i)->board->shared->log_level, LOG_ERR + level);
	log_message(LOG_ALWAYS | LOG_NOTICE, "log.level: %s until the next reload", order->argument);
	control_say(order->client, "level %s", order->argument);
	return EX_OK;
}

static int obey_drain(const struct order *order)
{
	uint64_t now_us = clock_now_us();
	const char *reason = "the daemon is starting: ask again";
	char *end;
	unsigned long long number = strtoull(order->argument, &end, 10);
	int status = EX_TEMPFAIL;

	if (*order->argument < '0' || *order->argument > '9' || *end != '\0' || number > UINT32_MAX)
		return refuse(order->client, EX_USAGE, "a worker is named by its number");
	if (generations.current)
		status = generation_drain(generations.current, (uint32_t)number, now_us, &reason);
	if (status != 0)
		return refuse(order->client, status, reason);
	/* the kernel may have told it alone of a connection: see worker_listens_no_more() */
	wish_recheck(now_us + WISH_LATE_US);
	log_notice("worker %llu drains, as it was told to", number);
	control_say(order->client, "draining %llu", number);
	return EX_OK;
}

static int obey_reload(const struct order *order)
{
	/* one that is under way may have read the files before they changed */
	control_keep(order->client, CONTROL_RELOAD, reload_number());
	wish.reload = true;
	return KEPT;
}

static int obey_upgrade(const struct order *order)
{
	const char *why;
	int status = upgrade_ask(&why);

	if (status != 0)
		return refuse(order->client, status, why);
	control_keep(order->client, CONTROL_UPGRADE, 0);
	return KEPT;
}

static int obey_stop(const struct order *order)
{
	control_say(order->client, "stopping");
	control_say(order->client, "end 0");
	control_keep(order->client, CONTROL_EXIT, 0);
	wish_stop(!order->argument && wish.stopping == 0 ? 1 : WISH_AT_ONCE);
	return KEPT;
}

/* ---- dispatch ---- */

/* A function for each row of the table that is not aphorismctl's own. */
#define OBEY(number, name, ...) [COMMAND_##number] = obey_##name,
#define OWN(...)

static int (*const handlers[COMMAND_COUNT])(const struct order *) = { COMMANDS(OBEY, OWN) };

static int obey(const struct order *order, const struct command *command)
{
	if (control_right(order->client) < command->right)
		return refuse(order->client, EX_NOPERM, "permission denied");
	if ((upgrade_step == UPGRADE_DONE && command->until < COMMAND_EVER) ||
	    (upgrade_step == UPGRADE_STARTS && command->until < COMMAND_UPGRADING))
		return refuse(order->client, EX_TEMPFAIL, "the daemon is being upgraded: ask again");
	if (wish.stopping > 0 && command->until < COMMAND_STOPPING)
		return refuse(order->client, EX_UNAVAILABLE, "the daemon is stopping");
	return handlers[command - commands](order);
}

void commands_obey(unsigned client, const char *line)
{
	struct order order = { .client = client };
	const struct command *command = command_parse(line, &order.argument);
	int status = command ? obey(&order, command) : refuse(client, EX_USAGE, "unknown command");

	if (status != KEPT)
		control_end(client, status);
}
