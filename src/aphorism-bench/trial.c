/*
 * trial.c - one model, one scenario, one number of connections, once.
 */
#include "aphorism-bench/trial.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "aphorism-bench/tree.h"
#include "common/clock.h"

enum { SAMPLES = 3, SETTINGS = SCENARIO_SETTINGS + 2 };

/* What is watched while the load runs. */
struct watch {
	const struct trial *trial;
	struct contestant daemon;
	struct cost *cost;
	struct tree before;
	uint64_t switches_before, begun_us;       /* 0: the measured time has not begun */
	uint32_t events_done, samples_done;
	bool ended;
};

void trial_crowds(const struct scenario *scenario, uint32_t connections, struct crowd crowds[LOAD_CROWDS])
{
	memcpy(crowds, scenario->crowds, sizeof scenario->crowds);
	crowds[0].connections = connections;
}

static void keep_peaks(struct cost *cost, const struct tree *tree)
{
	cost->processes = tree->processes > cost->processes ? tree->processes : cost->processes;
	cost->threads = tree->threads > cost->threads ? tree->threads : cost->threads;
	cost->rss_bytes = tree->rss_bytes > cost->rss_bytes ? tree->rss_bytes : cost->rss_bytes;
}

static void begin(struct watch *watch)
{
	tree_read(watch->daemon.pid, &watch->before);
	keep_peaks(watch->cost, &watch->before);
	if (!scenario_churns(watch->trial->scenario))
		watch->switches_before = tree_switches(watch->daemon.pid);
	watch->begun_us = clock_now_us();
}

/* CPU time first, since all the other readings take long and wake processes up. */
static void finish(struct watch *watch)
{
	struct cost *cost = watch->cost;
	struct tree after;

	watch->ended = true;
	if (!tree_read(watch->daemon.pid, &after) || watch->before.processes == 0)
		return;
	keep_peaks(cost, &after);
	cost->cpu_us = after.cpu_us > watch->before.cpu_us ? (double)(after.cpu_us - watch->before.cpu_us) : 0;
	if (!scenario_churns(watch->trial->scenario))
		cost->switches = (double)(tree_switches(watch->daemon.pid) - watch->switches_before);
	cost->pss_bytes = tree_pss(watch->daemon.pid);
}

static void on_window(void *arg, bool ends)
{
	if (ends)
		finish(arg);
	else
		begin(arg);
}

static void make_event(struct watch *watch)
{
	pid_t victim;

	if (watch->trial->scenario->event == SCENARIO_RELOADS)
		kill(watch->daemon.pid, SIGHUP);
	else if ((victim = tree_busiest_child(watch->daemon.pid)) > 0)
		kill(victim, SIGKILL);
}

/* Whether it is time for the next one of so many that are spread evenly over the measured time. */
static bool is_due(const struct watch *watch, uint32_t done, uint32_t all)
{
	uint64_t gone_us = clock_now_us() - watch->begun_us;

	return done < all && gone_us * (all + 1) >= watch->trial->duration_us * (done + 1);
}

static void on_progress(void *arg, double share)
{
	struct watch *watch = arg;
	const struct trial *trial = watch->trial;
	struct tree tree;

	contestant_listen(&watch->daemon);
	if (watch->begun_us > 0 && !watch->ended) {
		if (is_due(watch, watch->events_done, trial->scenario->events)) {
			make_event(watch);
			watch->events_done++;
		}
		/* processes that come and go can't be seen at either end of the measured time, when nothing is asked */
		if (scenario_churns(trial->scenario) && is_due(watch, watch->samples_done, SAMPLES)) {
			if (tree_read(watch->daemon.pid, &tree))
				keep_peaks(watch->cost, &tree);
			watch->samples_done++;
		}
	}
	if (trial->progress)
		trial->progress(trial->arg, share);
}

static int start(struct watch *watch)
{
	const struct trial *trial = watch->trial;
	char limits[SCENARIO_SETTINGS][SCENARIO_SETTING];
	const char *settings[SETTINGS] = { NULL };
	size_t count = 0;

	scenario_limits(scenario_connections(trial->scenario, trial->connections), limits);
	for (int i = 0; limits[i][0]; i++)
		settings[count++] = limits[i];
	if (trial->scenario->setting)
		settings[count++] = trial->scenario->setting;
	return contestant_start(&watch->daemon, trial->program, trial->model, settings);
}

static int load(struct watch *watch, struct load_result *result)
{
	const struct trial *trial = watch->trial;
	struct load load = {
		.address_len = sizeof watch->daemon.address,
		.threads = trial->threads,
		.warmup_us = trial->warmup_us,
		.duration_us = trial->duration_us,
		.timeout_us = trial->timeout_us,
		.seed = trial->seed,
		.interrupted = trial->interrupted,
		.progress = on_progress,
		.window = on_window,
		.arg = watch,
	};

	memcpy(&load.address, &watch->daemon.address, sizeof watch->daemon.address);
	trial_crowds(trial->scenario, trial->connections, load.crowds);
	return load_run(&load, result) == 0 ? EX_OK : EX_OSERR;
}

static double seconds(struct timeval t)
{
	return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/*
 * What only the kernel's account of the daemon's whole life tells: how its CPU time was split (/proc counts in ticks
 * of 10 ms, of which a short-lived process has none), and where processes and threads have come and gone, all
 * switches.  The measured time has its share of these: as much as of the CPU time.
 */
static void add_life(struct cost *cost, const struct scenario *scenario, const struct rusage *life)
{
	double system_us = 1e6 * seconds(life->ru_stime), life_us = 1e6 * seconds(life->ru_utime) + system_us;

	if (life_us <= 0)
		return;
	cost->system_share = system_us / life_us;
	if (scenario_churns(scenario))
		cost->switches = (double)(life->ru_nvcsw + life->ru_nivcsw) * fmin(cost->cpu_us / life_us, 1);
}

int trial_run(const struct trial *trial, struct load_result *result, struct cost *cost, char reason[CONTESTANT_REASON])
{
	struct watch watch = { .trial = trial, .cost = cost };
	struct rusage life;
	int status;

	*reason = '\0';
	*cost = (struct cost){ .cpu_us = NAN, .system_share = NAN, .switches = NAN };
	status = start(&watch);
	if (status == EX_OK) {
		cost->idle_pss_bytes = tree_pss(watch.daemon.pid);
		status = load(&watch, result);
		if (!contestant_stop(&watch.daemon, trial->model, &life) && status == EX_OK)
			status = EX_SOFTWARE;
		add_life(cost, trial->scenario, &life);
	}
	memcpy(reason, watch.daemon.reason, CONTESTANT_REASON);
	return status;
}
