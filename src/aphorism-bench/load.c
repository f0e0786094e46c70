/*
 * load.c - the generator: its threads, their end, and the sum of what they saw.
 */
#include "aphorism-bench/load.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "aphorism-bench/load_parts.h"
#include "common/clock.h"

enum { OTHER_DESCRIPTORS = 32, PROGRESS_US = CLOCK_S / 10 };

const struct load_error_name load_error_names[LOAD_ERRORS] = {
	[LOAD_REFUSED] = { "refused", "nobody listens there" },
	[LOAD_UNCONNECTED] = { "unconnected", "no connection: a time-out, or no port or descriptor was left" },
	[LOAD_RESET] = { "reset", "the connection was reset before the answer" },
	[LOAD_LOST] = { "lost", "the connection ended in good order, but without the answer (a reload may do that)" },
	[LOAD_TURNED_AWAY] = { "turned_away", "the server said \"Error: ...\" instead of the answer" },
	[LOAD_WRONG] = { "wrong", "another answer than the right one" },
	[LOAD_LATE] = { "late", "no answer within the client's time-out" },
};

static uint64_t all_connections(const struct load *load)
{
	uint64_t count = 0;

	for (size_t i = 0; i < LOAD_CROWDS; i++)
		count += load->crowds[i].connections;
	return count;
}

/* A connection is a descriptor, and each thread has one of its own. */
static int raise_descriptors(const struct load *load, uint32_t threads)
{
	uint64_t connections = all_connections(load), others = threads + OTHER_DESCRIPTORS;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	if (connections + others > limit.rlim_max) {
		fprintf(stderr, "aphorism-bench: %" PRIu64 " connections need %" PRIu64 " file descriptors, "
		        "the hard limit is %" PRIu64 ": raise it (ulimit -Hn, as root), "
		        "or ask for at most %" PRIu64 " connections\n",
		        connections, connections + others, (uint64_t)limit.rlim_max,
		        limit.rlim_max > others ? (uint64_t)limit.rlim_max - others : 0);
		return -1;
	}
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	return 0;
}

static double share_done(const struct load_shared *shared, uint64_t now_ns)
{
	uint64_t all_ns = shared->end_ns - shared->start_ns;
	double share = (double)(now_ns - shared->start_ns) / (double)all_ns;

	return share < 1 ? share : 1;
}

/* Waits for the ends of so many threads, shows progress, and passes an interruption on. */
static void watch_over(struct load_shared *shared, uint32_t running)
{
	const struct load *load = shared->load;
	struct pollfd done = { .fd = shared->done, .events = POLLIN };
	bool begun = false;

	while (running > 0) {
		uint64_t now_ns = clock_now_ns(), ended;
		int wait_ms = PROGRESS_US / CLOCK_MS;

		if (!begun && now_ns >= shared->begin_ns) {
			begun = true;
			if (load->window)
				load->window(load->arg, false);
		}
		if (load->progress)
			load->progress(load->arg, share_done(shared, now_ns));
		if (!begun && shared->begin_ns - now_ns < PROGRESS_US * UINT64_C(1000))
			wait_ms = (int)((shared->begin_ns - now_ns) / (CLOCK_MS * 1000)) + 1;
		if (poll(&done, 1, wait_ms) > 0 && read(shared->done, &ended, sizeof ended) == sizeof ended)
			running -= (uint32_t)ended;
		if ((load->interrupted && *load->interrupted) || atomic_load(&shared->out_of_memory))
			atomic_store(&shared->stop, true);
	}
	if (begun && load->window)
		load->window(load->arg, true);
}

/* Starts all threads; a signal is for the calling thread, which waits in poll.  Returns 0 or an errno. */
static int start_threads(struct load_shared *shared, struct load_thread *threads[], uint32_t *started)
{
	sigset_t all, before;
	int reason = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (*started = 0; *started < shared->threads && reason == 0; *started += reason == 0)
		reason = load_thread_start(threads[*started], shared, *started);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return reason;
}

static int run_threads(struct load_shared *shared, struct load_thread *threads[], struct load_result *result)
{
	uint32_t started;
	int reason = start_threads(shared, threads, &started);

	if (reason != 0)
		atomic_store(&shared->stop, true);
	else
		watch_over(shared, started);
	for (uint32_t i = 0; i < started; i++)
		pthread_join(threads[i]->id, NULL);
	if (reason == 0 && atomic_load(&shared->out_of_memory))
		reason = ENOMEM;
	if (reason == 0)
		load_result_make(result, shared, threads);
	return reason;
}

/* Returns 0 or an errno. */
static int run(struct load_shared *shared, struct load_result *result)
{
	struct load_thread **threads = calloc(shared->threads, sizeof *threads);
	int reason = threads ? 0 : ENOMEM;

	for (uint32_t i = 0; reason == 0 && i < shared->threads; i++) {
		threads[i] = calloc(1, sizeof *threads[i]);
		if (!threads[i])
			reason = ENOMEM;
		else
			threads[i]->set = -1;
	}
	if (reason == 0)
		reason = run_threads(shared, threads, result);
	for (uint32_t i = 0; threads && i < shared->threads; i++) {
		if (threads[i])
			load_thread_free(threads[i]);
		free(threads[i]);
	}
	free(threads);
	return reason;
}

int load_run(const struct load *load, struct load_result *result)
{
	static struct load_shared shared;
	uint64_t connections = all_connections(load);
	int reason;

	shared = (struct load_shared){ .load = load };
	shared.threads = load->threads < connections ? load->threads : (uint32_t)connections;
	if (raise_descriptors(load, shared.threads) < 0)
		return -1;
	load_tape_make(&shared.tape, load->seed);
	shared.start_ns = clock_now_ns();
	shared.begin_ns = shared.start_ns + load->warmup_us * 1000;
	shared.end_ns = shared.begin_ns + load->duration_us * 1000;
	shared.done = eventfd(0, EFD_CLOEXEC);
	reason = shared.done < 0 ? errno : run(&shared, result);
	if (shared.done >= 0)
		close(shared.done);
	if (reason == 0)
		return 0;
	fprintf(stderr, "aphorism-bench: the load cannot run: %s\n", strerror(reason));
	return -1;
}
