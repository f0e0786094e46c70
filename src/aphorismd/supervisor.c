/*
 * supervisor.c - the loop that everything happens in.
 *
 * It waits for all events in one place; signals come through a descriptor, so no handler runs in this process.
 */
#include "aphorismd/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/control.h"
#include "aphorismd/daemonize.h"
#include "aphorismd/notify.h"
#include "aphorismd/pidfile.h"
#include "aphorismd/supervisor_parts.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/proctitle.h"

enum { LONGEST_WAIT_MS = 60 * 1000, UNDER_WAY_MS = 500, LATE_US = CLOCK_S };

/* ---- stop ---- */

void supervisor_stop(struct supervisor *s, int urgency)
{
	struct generation *generations[] = { s->next, s->current, s->old };
	/* if the elder goes on, clients who wait are its */
	enum worker_signal gently = s->claims && s->elder >= 0 ? SIGNAL_DRAIN : SIGNAL_STOP;
	bool has_heir = s->upgrade.step == UPGRADE_DONE;          /* then our workers are leaving as they should */
	uint64_t now_us = clock_now_us();

	if (!s->stopping)
		notify_say("STOPPING=1\n", "%s", s->status != 0 ? s->reason : "stopping");
	s->stopping = s->stopping + urgency > STOP_AT_ONCE ? STOP_AT_ONCE : s->stopping + urgency;
	loader_cancel(&s->loader);
	supervisor_cancel_upgrade(s);
	if (s->step == STEP_LOADS || s->step == STEP_WAITS)
		s->step = STEP_NONE;
	for (size_t i = 0; i < 3; i++) {
		if (generations[i] && s->stopping == STOP_AT_ONCE)
			generation_kill(generations[i], now_us);
		else if (generations[i] && !has_heir)
			generation_end(generations[i], gently, now_us);
	}
	if (s->stopping == 1 && !has_heir)
		log_notice("stopping");
	control_happened(CONTROL_RELOAD, UINT32_MAX, "error the daemon is stopping\n", EX_UNAVAILABLE);
}

/* ---- events ---- */

static void upgrade(struct supervisor *s)
{
	const char *why;

	if (supervisor_ask_upgrade(s, &why) != 0)
		log_warning("no upgrade: %s", why);
}

static void take_signals(struct supervisor *s)
{
	struct signalfd_siginfo info;

	while (read(s->signals, &info, sizeof info) == sizeof info) {
		switch (info.ssi_signo) {
		case SIGTERM:
		case SIGINT:
			/* but once at the elder's word, which may come twice: see take_line() */
			if (!s->stopping || s->elder < 0 || (pid_t)info.ssi_pid != s->elder_pid)
				supervisor_stop(s, 1);
			break;
		case SIGQUIT:
			supervisor_stop(s, STOP_AT_ONCE);
			break;
		case SIGHUP:
			supervisor_begin_reload(s);
			break;
		case SIGUSR1:
			supervisor_log_statistics(s);
			break;
		case SIGUSR2:
			upgrade(s);
			break;
		default:
			break;    /* SIGCHLD only wakes us */
		}
	}
}

/*
 * The kernel closes a ring at its leisure, when its process has long gone.  Until then it may tell nobody else of a
 * connection, so that the others have to be sent more than once.
 */
static void look_at_listeners(struct supervisor *s, const struct generation *generation, uint64_t now_us)
{
	s->look = true;
	if (generation->plan.makes & SANDBOX_ORDERS)
		s->look_until_us = now_us + LATE_US;
}

/* What others used is not known. */
void supervisor_look(struct supervisor *s, uint64_t now_us)
{
	s->look = true;
	s->look_until_us = now_us + LATE_US;
}

/* Until there is none left, on every wake-up: signals that come together are one. */
static void reap(struct supervisor *s, uint64_t now_us)
{
	struct generation *generations[] = { s->next, s->current, s->old };
	int status;
	pid_t pid;
	bool known;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		supervisor_hear_starter(s, now_us);
		if (supervisor_heir_ended(s, pid, status, now_us))
			continue;
		if (pid == s->loader.pid) {
			loader_ended(&s->loader, status);
			continue;
		}
		if (supervisor_metrics_reaped(s, pid, status))
			continue;
		known = false;
		for (size_t i = 0; i < 3; i++) {
			if (!generations[i] || !generation_reaped(generations[i], pid, status, now_us))
				continue;
			look_at_listeners(s, generations[i], now_us);
			known = true;
		}
		s->bothered |= !known;    /* a worker's child, of which it can make any number */
	}
}

static bool discard(struct supervisor *s, struct generation **generation)
{
	if (!*generation || !generation_is_gone(*generation))
		return false;
	scoreboard_sum((*generation)->board, &s->before);
	s->before.seated = 0;
	generation_free(*generation);
	*generation = NULL;
	return true;
}

static bool is_leaving(const struct supervisor *s)
{
	return s->stopping || s->upgrade.step == UPGRADE_DONE;
}

/* A generation whose last worker has gone and that makes no more is no service: whoever watches us is to know. */
static void give_up_without_workers(struct supervisor *s)
{
	if (is_leaving(s) || s->step != STEP_NONE || !s->current || s->current->state != GENERATION_FAILED ||
	    !generation_is_gone(s->current))
		return;
	snprintf(s->reason, sizeof s->reason, "no worker is left and none can be started");
	log_error("%s: the daemon ends", s->reason);
	s->status = s->current->status;
	s->error = 0;
	supervisor_stop(s, STOP_AT_ONCE);
}

/* Moves on whatever can move on. */
static void advance(struct supervisor *s, uint64_t now_us)
{
	struct generation *generations[] = { s->next, s->current, s->old };

	for (size_t i = 0; i < 3; i++)
		if (generations[i])
			generation_tend(generations[i], now_us);
	supervisor_tend_queues(s, now_us);
	if (s->look && s->upgrade.step == UPGRADE_DONE)
		supervisor_have_heir_look(s);
	else if (s->look && s->current && !s->stopping)
		generation_look(s->current);
	s->look = now_us < s->look_until_us;
	give_up_without_workers(s);
	if (discard(s, &s->old) && !is_leaving(s))
		supervisor_set_blocking(s);
	if (is_leaving(s)) {
		discard(s, &s->next);
		discard(s, &s->current);
		supervisor_advance_upgrade(s, now_us);
		return;
	}
	supervisor_advance_reload(s, now_us);
	supervisor_advance_upgrade(s, now_us);
	supervisor_watch_idle(s, now_us);
	supervisor_tend_metrics(s, now_us);
	if (!s->current && s->step == STEP_NONE && !s->stopping)
		supervisor_stop(s, STOP_AT_ONCE);
}

/*
 * While somebody waits for what others are to tell us (a worker that it is ready, the kernel that one has ended) we
 * look ourselves now and then: the word may have been lost where a system call failed.
 */
static bool is_under_way(const struct supervisor *s)
{
	return s->step != STEP_NONE || s->old || s->stopping || s->look || s->upgrade.step != UPGRADE_NONE ||
	       s->elder >= 0;
}

static int wait_ms(struct supervisor *s, uint64_t now_us)
{
	const struct generation *generations[] = { s->next, s->current, s->old };
	uint64_t due_us = control_due_us(), notify_us = notify_due_us(), idle_us = supervisor_idle_due_us(s);
	uint64_t metrics_us = supervisor_metrics_due_us(s);
	uint64_t longest_ms = is_under_way(s) ? UNDER_WAY_MS : LONGEST_WAIT_MS;

	due_us = notify_us < due_us ? notify_us : due_us;
	due_us = idle_us < due_us ? idle_us : due_us;
	due_us = metrics_us < due_us ? metrics_us : due_us;
	if (now_us < s->rest_until_us && s->rest_until_us < due_us)
		due_us = s->rest_until_us;
	if (s->reopen_us > 0 && !is_leaving(s) && s->reopen_us < due_us)
		due_us = s->reopen_us;
	due_us = supervisor_queues_due_us(s) < due_us ? supervisor_queues_due_us(s) : due_us;
	due_us = supervisor_upgrade_due_us(s) < due_us ? supervisor_upgrade_due_us(s) : due_us;
	if (s->loader.pid > 0 && s->loader.deadline_us < due_us)
		due_us = s->loader.deadline_us;
	if (s->step == STEP_WAITS && !s->current && s->bind_us < due_us)
		due_us = s->bind_us;
	for (size_t i = 0; i < 3; i++) {
		uint64_t own_us = generations[i] ? generation_due_us(generations[i], now_us) : UINT64_MAX;

		due_us = own_us < due_us ? own_us : due_us;
	}
	if (due_us <= now_us)
		return 0;
	due_us = (due_us - now_us + CLOCK_MS - 1) / CLOCK_MS;
	return due_us < longest_ms ? (int)due_us : (int)longest_ms;
}

/* Not within the loop: workers are forked from there, and would pay for these descriptors on their stacks. */
static __attribute__((noinline)) void wait_for_events(struct supervisor *s)
{
	struct pollfd fds[CONTROL_CLIENTS + 4 + SUPERVISOR_POLLS + 2 * CONFIG_LISTENERS];
	uint64_t now_us = clock_now_us();
	bool listens = supervisor_reckon(s, now_us);
	int count = control_poll(fds), listeners, queues;

	count += supervisor_poll_upgrade(s, fds + count);
	if (listens) {
		fds[count++] = (struct pollfd){ .fd = s->signals, .events = POLLIN };
		fds[count++] = (struct pollfd){ .fd = s->told[0], .events = POLLIN };
	}
	if (s->loader.lines >= 0 && s->step == STEP_LOADS && !s->loader.ended)
		fds[count++] = (struct pollfd){ .fd = s->loader.lines, .events = POLLIN };
	listeners = count;
	count += supervisor_poll_listeners(s, fds + count);
	queues = count;
	count += supervisor_poll_queues(s, fds + count);
	poll(fds, (nfds_t)count, wait_ms(s, now_us));
	if (supervisor_see_listeners(s, fds + listeners, queues - listeners))
		supervisor_begin_reload(s);
	supervisor_hear_queues(s, fds + queues, count - queues, clock_now_us());
	if (listens)
		supervisor_hear_workers(s);
}

static bool is_over(struct supervisor *s)
{
	if (s->upgrade.step == UPGRADE_DONE)
		return supervisor_has_left(s);
	return s->stopping && !s->next && !s->current && !s->old && s->upgrade.step == UPGRADE_NONE;
}

static void loop(struct supervisor *s)
{
	while (!is_over(s)) {
		uint64_t now_us;

		wait_for_events(s);
		now_us = clock_now_us();
		notify_tend(now_us);
		take_signals(s);
		reap(s, now_us);
		if (s->step == STEP_LOADS && !s->loader.ended)
			loader_read(&s->loader);
		supervisor_hear_upgrade(s, now_us);
		supervisor_hear_elder(s, now_us);
		control_serve(now_us, supervisor_obey, s);
		advance(s, now_us);
	}
}

/* ---- beginning and end ---- */

/* In a worker.  What it kept mapped of other generations, their table above all, would live as long as it does. */
static void forget(void *supervisor, const struct generation *generation)
{
	struct supervisor *s = supervisor;
	struct generation *generations[] = { s->next, s->current, s->old };

	close(s->signals);
	close(s->told[0]);
	if (s->pidfile >= 0)
		close(s->pidfile);
	if (s->launcher >= 0 || (s->elder >= 0 && !s->options->foreground))
		daemonize_detach(s->devnull);
	if (s->launcher >= 0)
		close(s->launcher);
	if (s->elder >= 0)
		close(s->elder);
	if (s->upgrade.channel >= 0)
		close(s->upgrade.channel);
	starter_forget(&s->upgrade.starter);
	control_close(false);
	loader_forget(&s->loader);
	supervisor_forget_unlisted(s, generation);
	image_unmap(&s->image);
	for (size_t i = 0; i < 3; i++)
		if (generations[i] != generation)
			generation_free(generations[i]);
}

static int open_signals(void)
{
	static const int wanted[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		/* an ignored one would never show in the descriptor */
		if (signal(wanted[i], SIG_DFL) == SIG_ERR)
			return -1;
		sigaddset(&set, wanted[i]);
	}
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The children of a fork worker that died are to come to us, so that none is lost from sight; and so the starter's. */
static bool adopt_orphans(void)
{
	int adopts = 0, error;

	if (prctl(PR_SET_CHILD_SUBREAPER, 1) == 0)
		return true;
	error = errno;
	/* they do already, when we are the first process of a container */
	if (getpid() == 1 || (prctl(PR_GET_CHILD_SUBREAPER, &adopts) == 0 && adopts))
		return true;
	errno = error;
	return false;
}

/* NULL, or the call that can't be had, and what follows where that is not plain, with errno. */
static const char *open_all(struct supervisor *s)
{
	if ((s->devnull = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
		return "/dev/null";
	if (!supervisor_open_told(s))
		return "pipe2";
	if ((s->signals = open_signals()) < 0)
		return "signalfd";
	umask(022);
	if (chdir("/") < 0)
		return "chdir to /";
	if (!adopt_orphans())
		return "children of a worker that died would be lost: prctl(PR_SET_CHILD_SUBREAPER)";
	return s->options->inetd ? NULL : starter_open(&s->upgrade.starter, s->options);
}

/* The last word, which stays in sight when the service has failed. */
static void tell_failure(const struct supervisor *s)
{
	char said[64];

	if (s->error != 0)
		snprintf(said, sizeof said, "EXIT_STATUS=%d\nERRNO=%d\n", s->status, s->error);
	else
		snprintf(said, sizeof said, "EXIT_STATUS=%d\n", s->status);
	notify_say(said, "%s", s->reason);
}

int supervisor_run(const struct options *options, int launcher)
{
	static struct supervisor only = {
		.told = { -1, -1 }, .pidfile = -1, .loader = { .lines = -1, .memfd = -1 },
		.upgrade = { .channel = -1, .starter = { .fd = -1 } },
	};
	struct supervisor *s = &only;
	const char *lacking;

	s->options = options;
	s->launcher = launcher;
	s->started_us = clock_now_us();
	log_share_losses();
	supervisor_meet_elder(s);
	if (s->elder < 0)
		notify_open();
	if ((lacking = open_all(s)) != NULL) {
		s->error = errno;
		supervisor_complain(s, EX_OSERR, "can't start: %s: %s", lacking, strerror(s->error));
	} else if (supervisor_adopt_listeners(s) == 0) {
		s->surroundings = (struct surroundings){ &s->privileges, s->devnull, s->told[1], forget, s, false };
		proctitle_set("aphorismd: supervisor");
		supervisor_begin_reload(s);
		if (s->step == STEP_LOADS)
			loop(s);
	}
	supervisor_hear_last_words(s);
	supervisor_close_unlisted(s);
	pidfile_remove(s->pidfile_path, s->pidfile);
	control_close(true);
	starter_close(&s->upgrade.starter);
	if (s->status == 0)
		log_notice(s->upgrade.step == UPGRADE_DONE ? "left" : "stopped");
	if (s->launcher >= 0 && s->status == 0) {
		fprintf(stderr, "aphorismd: told to stop before it was ready\n");
		s->status = EX_UNAVAILABLE;
	}
	if (s->status != 0)
		tell_failure(s);
	daemonize_ready(s->launcher, s->status);
	return s->status;
}
