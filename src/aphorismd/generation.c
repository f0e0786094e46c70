/*
 * generation.c - the workers of one configuration: started, adjusted in number, told to go.
 *
 *        its first workers are ready               generation_end(), generation_kill()
 *   STARTS ------------------------------> SERVES ----------------------------------> DRAINS ---> gone, with
 *     | |   or, after 30 s, one or more      |                                          ^ ^   the last process
 *     | |                                    | a new worker ends with 78                | |
 *     | | none can start; 77 or 78           v                                          | |
 *     | +---------------------------------> FAILED -------------------------------------+ |
 *     +-----------------------------------------------------------------------------------+
 *
 * FAILED makes no more workers; those that it has serve on.
 */
#include "aphorismd/generation.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/cpus.h"
#include "common/log.h"
#include "sandbox/sandbox.h"

enum {
	SPARE_ROWS = 8,                   /* for workers that are dead while their children live on */
	START_US = 30 * CLOCK_S,
	TOKENS = 64, TOKEN_US = CLOCK_S / TOKENS,
	RETIRE_US = CLOCK_S,
	RECOUNTS = 100,
	KILL_GRACE_US = CLOCK_S,          /* workers end their drain themselves; this is for those that can't */
};

struct environment environment;
static bool has_forked;

struct generation *generation_new(uint32_t number, struct snapshot *snapshot, struct listener *const *listeners)
{
	struct generation *generation = calloc(1, sizeof *generation);
	const struct model *model = model_find(snapshot->config->model);
	struct plan plan = model->plan(snapshot->config);
	uint32_t rows = plan.most_workers + SPARE_ROWS;

	if (generation) {
		generation->board = scoreboard_new((uint32_t)snapshot->config->max_connections, rows,
		                                   plan.counter_sets > 0 ? plan.counter_sets : cpus_usable());
		generation->members = calloc(rows, sizeof *generation->members);
	}
	if (!generation || !generation->board || !generation->members) {
		generation_free(generation);
		return NULL;
	}
	generation->number = number;
	generation->snapshot = *snapshot;
	snapshot->at = NULL;
	generation->model = model;
	generation->plan = plan;
	atomic_store(&generation->board->shared->log_level, config_syslog_level(snapshot->config));
	generation->board->least_idle = model->adjust ? plan.least_idle : INT32_MIN;
	generation->board->most_idle = model->adjust ? plan.most_idle : INT32_MAX;
	memcpy(generation->listeners, listeners, (size_t)snapshot->config->listeners * sizeof *listeners);
	generation->deadline_us = clock_now_us() + START_US;
	generation->tokens = TOKENS;
	generation->awaited = plan.workers;
	generation->missing = (int)plan.workers;
	if (generation->snapshot.config->sandbox != SANDBOX_OFF)
		sandbox_prepare(SANDBOX_WORKER, plan.makes);
	return generation;
}

void generation_free(struct generation *generation)
{
	if (!generation)
		return;
	for (uint32_t n = 0; generation->members && generation->board && n < generation->board->workers; n++)
		if (generation->members[n].says_ready)
			generation_close_ready(&generation->members[n]);
	scoreboard_free(generation->board);
	snapshot_unmap(&generation->snapshot);
	free(generation->members);
	free(generation);
}

/* ---- in the worker ---- */

static void list_services(struct worker *worker, const struct generation *generation)
{
	const struct config *config = worker->config;

	worker->listener_count = (int)config->listeners;
	for (int i = 0; i < worker->listener_count; i++) {
		worker->listeners[i].fd = generation->listeners[i]->fd;
		worker->listeners[i].family = generation->listeners[i]->family;
		worker->listeners[i].borrowed = generation->listeners[i]->borrowed;
		worker->listeners[i].service = snapshot_service(&generation->snapshot, &config->listen[i]);
	}
}

/* From the open files through which the supervisor, or whoever started it, could be hurt. */
static int part(void)
{
	if (dup2(environment.devnull, STDIN_FILENO) >= 0 && dup2(environment.devnull, STDOUT_FILENO) >= 0 &&
	    log_part(environment.notices))
		return 0;
	log_error("can't have a log of its own: %s", strerror(errno));
	return EX_OSERR;
}

static _Noreturn void run(const struct generation *generation, uint32_t number, uint64_t answered_before,
                          pid_t supervisor)
{
	static struct worker worker;      /* the signal handlers need it as long as the process lives */
	uint32_t parts = generation->plan.most_workers;
	char prefix[CONFIG_NAME + 16];
	int status;

	setpgid(0, 0);
	worker.says_ready = generation_keep_ready(generation, number);
	environment.forget(generation);
	snprintf(prefix, sizeof prefix, "%s %u: ", generation->model->name, number);
	log_prefix(prefix);
	log_follow(&generation->board->shared->log_level);
	worker.config = generation->snapshot.config;
	worker.model = generation->model->name;
	worker.number = number;
	worker.board = generation->board;
	worker.answered_before = answered_before;
	worker.shares_counters = generation->plan.counter_sets == 0;
	/* workers whose slots are next to each other would all touch the same pages of what they keep by slot */
	worker.first_slot = number % parts * (worker.board->slots / parts);
	worker.supervisor = supervisor;
	worker.devnull = environment.devnull;
	worker.notices = environment.notices;
	list_services(&worker, generation);
	status = part();
	if (status == 0)
		status = privileges_drop(&environment.privileges);
	if (status == 0)
		status = worker_open(&worker, generation->plan.conversations, (int)generation->plan.acceptors);
	if (status == 0 && generation->model->open)
		status = generation->model->open(&worker);
	if (status == 0)
		status = worker_try_descriptor(&worker);
	if (status == 0)
		status = privileges_confine(&worker, generation->plan.makes, environment.confined);
	if (status != 0)
		exit(status);
	generation->model->serve(&worker);
	exit(EX_OK);
}

/* ---- in the supervisor ---- */

static uint32_t count_starting(const struct generation *generation)
{
	uint32_t starting = 0;

	for (uint32_t n = 0; n < generation->board->workers; n++)
		starting += generation_is_alive(&generation->members[n]) && !generation->members[n].ready;
	return starting;
}

/* Workers count up and down as they go; what a dying one did not count is put right here. */
static void recount_idle(struct generation *generation, int *all, int *idle)
{
	int before;

	/* not for ever, while workers come and go, or one that was taken over keeps changing what we read */
	for (int tries = 0; tries < RECOUNTS; tries++) {
		generation_count(generation, all, idle);
		before = *idle;
		atomic_store(&generation->board->shared->idle, *idle);
		generation_count(generation, all, idle);
		if (*idle == before)
			return;
	}
}

static int free_row(const struct generation *generation)
{
	for (uint32_t n = 0; n < generation->board->workers; n++)
		if (generation->members[n].pid == 0)
			return (int)n;
	return -1;
}

static bool fork_worker(struct generation *generation, uint64_t now_us)
{
	static struct log_limit limit;
	uint64_t questions = 0, connections = 0;          /* of those before it */
	pid_t supervisor = getpid(), pid;
	int n = free_row(generation);

	if (n < 0) {
		log_limited(&limit, LOG_WARNING,
		            "no room for another worker: %d that died have children that serve on", SPARE_ROWS);
		return false;
	}
	if ((uint32_t)n < generation->board->used) {
		questions = scoreboard_counted(generation->board, (uint32_t)n, COUNT_ANSWERED);
		connections = scoreboard_counted(generation->board, (uint32_t)n, COUNT_CONNECTIONS);
	}
	atomic_store(&generation->board->row[n].state, WORKER_STARTING);
	pid = generation_open_ready(generation, (uint32_t)n) ? fork() : -1;
	if (pid == 0)
		run(generation, (uint32_t)n, questions, supervisor);
	if (pid < 0) {
		log_limited(&limit, LOG_WARNING, "can't fork a worker: %s", strerror(errno));
		generation_close_ready(&generation->members[n]);
		generation_lacks_process(generation, now_us);
		return false;
	}
	setpgid(pid, pid);                /* here too: a signal to the group must reach it from now on */
	if ((uint32_t)n >= generation->board->used)
		generation->board->used = (uint32_t)n + 1;
	has_forked = true;
	generation->members[n] = (struct member){
		.pid = pid, .says_ready = generation->members[n].says_ready,
		.end_us = now_us + START_US, .began_us = now_us,
		.connections_before = connections, .questions_before = questions,
	};
	if (generation->to_replace > 0) {
		generation->to_replace--;
		generation->tokens--;
	}
	generation->step_failed = false;
	return true;
}

/* One token for each that died, so that workers that die again and again, though ready, are not forked without end. */
static bool has_token(const struct generation *generation)
{
	return generation->to_replace == 0 || generation->tokens > 0;
}

static bool may_fork(struct generation *generation, uint64_t now_us)
{
	uint64_t fresh = (now_us - generation->refill_us) / TOKEN_US;

	if (generation->tokens < TOKENS && fresh > 0) {
		fresh += generation->tokens;
		generation->tokens = fresh > TOKENS ? TOKENS : (uint32_t)fresh;
		generation->refill_us = now_us;
	}
	return now_us >= generation->fork_us && has_token(generation) &&
	       count_starting(generation) < GENERATION_STARTING;
}

static int missing(const struct generation *generation, int all, int idle)
{
	if (generation->state == GENERATION_SERVES && generation->model->adjust)
		return generation->model->adjust(generation->snapshot.config, all, idle);
	return (int)generation->plan.workers - all;
}

static void retire_one(struct generation *generation, uint64_t now_us)
{
	if (now_us < generation->retire_us)
		return;
	generation->retire_us = now_us + RETIRE_US;       /* whatever comes of it: what they show may be a lie */
	for (uint32_t n = generation->board->workers; n-- > 0;) {
		struct member *member = &generation->members[n];

		if (!generation_is_alive(member) || member->retiring ||
		    generation_worker_state(generation, n) != WORKER_IDLE)
			continue;
		member->retiring = kill(member->pid, SIGNAL_RETIRE) == 0;
		return;
	}
}

/* While workers fail to become ready, one at a time is tried. */
static void adjust(struct generation *generation, uint64_t now_us)
{
	int all, idle;

	recount_idle(generation, &all, &idle);
	generation->missing = missing(generation, all, idle);
	if (generation->missing < 0)
		retire_one(generation, now_us);
	while (generation->missing > 0 && may_fork(generation, now_us) && fork_worker(generation, now_us)) {
		generation->missing--;
		if (generation->pause_us > 0)
			generation->fork_us = now_us + generation->pause_us;
	}
	recount_idle(generation, &all, &idle);
}

static void see_who_is_ready(struct generation *generation, uint64_t now_us)
{
	uint32_t ready = generation_see_ready(generation, now_us);

	if (generation->state != GENERATION_STARTS)
		return;
	if (ready >= generation->awaited || (ready > 0 && now_us >= generation->deadline_us))
		generation->state = GENERATION_SERVES;
	else if (now_us >= generation->deadline_us)
		generation_fail(generation, EX_OSERR);
}

static void signal_all(struct generation *generation, int signal)
{
	for (uint32_t n = 0; n < generation->board->workers; n++)
		if (generation->members[n].pid > 0)
			kill(-generation->members[n].pid, signal);
}

/*
 * Workers may die at the very moment of a stop.  Clients that are queued would be reset when the listeners close, so
 * one more worker is made, which finds itself told to stop and takes what is there.
 */
static void serve_the_queue(struct generation *generation, uint64_t now_us)
{
	generation->queued = false;
	if (fork_worker(generation, now_us))
		signal_all(generation, SIGNAL_STOP);      /* it is pending until the worker can obey it */
}

void generation_tend(struct generation *generation, uint64_t now_us)
{
	/* before we look: what is told from now on wakes us again */
	atomic_store(&generation->board->shared->notified, 0);
	if (generation->state == GENERATION_DRAINS && now_us >= generation->deadline_us) {
		log_warning("generation %u: killed, it did not leave in time", generation->number);
		generation_kill(generation, now_us);
	}
	generation_release_rows(generation);
	if (generation->state == GENERATION_DRAINS && generation->queued && generation_is_gone(generation))
		serve_the_queue(generation, now_us);
	if (generation->state != GENERATION_STARTS && generation->state != GENERATION_SERVES)
		return;
	see_who_is_ready(generation, now_us);
	if (generation->state != GENERATION_FAILED)
		adjust(generation, now_us);
}

bool generation_has_forked(void)
{
	bool had = has_forked;

	has_forked = false;
	return had;
}

/* By what was counted when it was tended: who can change that meanwhile could keep us from waiting at all. */
uint64_t generation_due_us(const struct generation *generation, uint64_t now_us)
{
	uint64_t due_us = generation->state == GENERATION_STARTS ? generation->deadline_us : UINT64_MAX;

	if (generation->state == GENERATION_DRAINS)
		return generation_is_gone(generation) ? now_us : generation->deadline_us;
	if (generation->state == GENERATION_FAILED)
		return UINT64_MAX;
	if (generation->missing < 0)
		due_us = clock_earlier(due_us, generation->retire_us);
	for (uint32_t n = 0; n < generation->board->workers; n++)
		if (generation_is_alive(&generation->members[n]) && generation->members[n].end_us > 0)
			due_us = clock_earlier(due_us, generation->members[n].end_us);
	if (generation->missing > 0 && free_row(generation) >= 0 && count_starting(generation) < GENERATION_STARTING)
		due_us = clock_earlier(due_us, has_token(generation) ? generation->fork_us : now_us + TOKEN_US);
	return due_us;
}

void generation_end(struct generation *generation, enum worker_signal signal, uint64_t now_us)
{
	generation->queued = signal == SIGNAL_STOP && generation->state == GENERATION_SERVES &&
	                     !generation->listeners[0]->borrowed;
	generation->state = GENERATION_DRAINS;
	generation->deadline_us = now_us + (uint64_t)generation->snapshot.config->drain_us + KILL_GRACE_US;
	atomic_store(&generation->board->shared->phase, signal == SIGNAL_STOP ? PHASE_STOPS : PHASE_DRAINS);
	signal_all(generation, signal);
}

void generation_kill(struct generation *generation, uint64_t now_us)
{
	generation->state = GENERATION_DRAINS;
	generation->queued = false;
	generation->deadline_us = now_us + KILL_GRACE_US;
	generation->killed = true;
	signal_all(generation, SIGKILL);
}

void generation_recheck(struct generation *generation)
{
	if (!generation->model->nonblocking && generation->snapshot.config->listeners == 1)
		return;           /* blocked in accept itself: the kernel wakes another */
	for (uint32_t n = 0; n < generation->board->workers; n++)
		if (generation_is_alive(&generation->members[n]) && generation->members[n].ready)
			kill(generation->members[n].pid, SIGNAL_RECHECK);
}

int generation_drain(struct generation *generation, uint32_t number, uint64_t now_us, const char **reason)
{
	struct member *member = number < generation->board->workers ? &generation->members[number] : NULL;
	bool there = member && generation_is_alive(member);

	*reason = !there                    ? "no such worker" :
	          !member->ready            ? "it is starting: ask again" :
	          member->end_us > 0        ? "it drains already" :
	          free_row(generation) < 0  ? "too many workers drain already: ask again" :
	          kill(-member->pid, SIGNAL_DRAIN) < 0 ? strerror(errno) : NULL;
	if (*reason)
		return !there || (member->ready && member->end_us > 0) ? EX_USAGE : EX_TEMPFAIL;
	member->retiring = true;
	member->end_us = now_us + (uint64_t)generation->snapshot.config->drain_us + KILL_GRACE_US;
	return 0;
}

bool generation_is_gone(const struct generation *generation)
{
	for (uint32_t n = 0; n < generation->board->workers; n++)
		if (generation->members[n].pid > 0)
			return false;
	return true;
}
