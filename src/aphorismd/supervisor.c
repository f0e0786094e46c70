/*
 * supervisor.c - the loop that everything happens in.
 *
 * It waits for all events in one place; signals come through a descriptor, so no handler runs in this process.  What
 * happens then is the business of its parts: each has a file, a state, and a row (see part.h) in the table below.
 */
#include "aphorismd/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/commands.h"
#include "aphorismd/control.h"
#include "aphorismd/generations.h"
#include "aphorismd/listeners.h"
#include "aphorismd/notices.h"
#include "aphorismd/notify.h"
#include "aphorismd/part.h"
#include "aphorismd/pidfile.h"
#include "aphorismd/predecessor.h"
#include "aphorismd/reload.h"
#include "aphorismd/report.h"
#include "aphorismd/setup.h"
#include "aphorismd/starter.h"
#include "aphorismd/status.h"
#include "aphorismd/upgrade.h"
#include "aphorismd/wish.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/proctitle.h"

enum { LONGEST_WAIT_MS = 60 * 1000, UNDER_WAY_MS = 500 };

static int signal_fd = -1;

/* Our workers are going, and nothing else is to be begun. */
static bool is_leaving(void)
{
	return wish.stopping > 0 || upgrade_step == UPGRADE_DONE;
}

/* ---- wishes ---- */

static void stop(uint64_t now_us)
{
	static bool said;
	/* if the predecessor goes on, clients who wait are its */
	enum worker_signal gently = predecessor.owns && predecessor_is_there() ? SIGNAL_DRAIN : SIGNAL_STOP;
	bool has_successor = upgrade_step == UPGRADE_DONE;   /* then our workers are leaving as they should */

	wish.stop = false;
	if (!said)
		notify_say("STOPPING=1\n", "%s", report.status != 0 ? report.reason : "stopping");
	said = true;
	reload_cancel();
	upgrade_cancel(now_us);
	for (unsigned i = 0; i < GENERATIONS; i++) {
		if (generations_at(i) && wish.stopping == WISH_AT_ONCE)
			generation_kill(generations_at(i), now_us);
		else if (generations_at(i) && !has_successor)
			generation_end(generations_at(i), gently, now_us);
	}
	if (wish.stopping < WISH_AT_ONCE && !has_successor)
		log_notice("stopping");
	control_happened(CONTROL_RELOAD, UINT32_MAX, "error the daemon is stopping\n", EX_UNAVAILABLE);
}

static void reload(void)
{
	wish.reload = false;
	if (upgrade_step == UPGRADE_DONE)
		upgrade_pass_reload();
	else if (wish.stopping == 0)
		reload_begin();
}

/* The one to reload first: it may end in the other one.  It is kept while one is under way that it may not disturb. */
static void carry_out(uint64_t now_us)
{
	if (wish.reload && (is_leaving() || !(reload_is_under_way() || upgrade_step != UPGRADE_NONE)))
		reload();
	if (wish.stop)
		stop(now_us);
}

/* ---- signals, children, commands ---- */

static bool open_signals(void)
{
	static const int wanted[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		/* an ignored one would never show in the descriptor */
		if (signal(wanted[i], SIG_DFL) == SIG_ERR)
			return false;
		sigaddset(&set, wanted[i]);
	}
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || sigprocmask(SIG_SETMASK, &set, NULL) < 0)
		return false;
	return (signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)) >= 0;
}

static void take_signals(uint64_t now_us)
{
	struct signalfd_siginfo info;
	const char *why;

	while (read(signal_fd, &info, sizeof info) == sizeof info) {
		switch (info.ssi_signo) {
		case SIGTERM:
		case SIGINT:
			/* but once at the predecessor's word, which may come twice: see take_line() of successor.c */
			if (wish.stopping == 0 || !predecessor_is_there() || (pid_t)info.ssi_pid != predecessor.pid)
				wish_stop(1);
			break;
		case SIGQUIT:
			wish_stop(WISH_AT_ONCE);
			break;
		case SIGHUP:
			wish.reload = true;
			break;
		case SIGUSR1:
			status_log();
			break;
		case SIGUSR2:
			if (upgrade_ask(&why) != 0)
				log_warning("no upgrade: %s", why);
			break;
		default:
			break;    /* SIGCHLD only wakes us */
		}
		carry_out(now_us);        /* each by itself: the next one may mean something else then */
	}
}

static void obey(unsigned client, const char *command)
{
	commands_obey(client, command);
	carry_out(clock_now_us());        /* before the next client is heard */
}

static void serve_control(uint64_t now_us)
{
	control_serve(now_us, obey);
}

static void forget_control(void)
{
	control_close(false);
}

/* ---- what is nobody else's ---- */

/* A generation whose last worker has gone and that makes no more is no service: whoever watches us is to know. */
static void give_up_without_workers(void)
{
	const struct generation *current = generations.current;

	if (is_leaving() || reload_is_under_way() || !current || current->state != GENERATION_FAILED ||
	    !generation_is_gone(current))
		return;
	report_end(current->status, "no worker is left and none can be started");
	wish_stop(WISH_AT_ONCE);
}

static void settle(uint64_t now_us)
{
	if (wish.recheck_until_us > 0 && upgrade_step == UPGRADE_DONE)
		upgrade_recheck();
	else if (wish.recheck_until_us > 0 && generations.current && wish.stopping == 0)
		generation_recheck(generations.current);
	if (now_us >= wish.recheck_until_us)
		wish.recheck_until_us = 0;
	give_up_without_workers();
	carry_out(now_us);
	if (generations_discard(is_leaving()) && !is_leaving())
		listeners_set_blocking();
}

/* ---- the loop ---- */

static void hear_signals(uint64_t now_us);

/* Workers can have us sent SIGCHLD without end. */
static const struct part signals = { .fd = &signal_fd, .by_workers = true, .hear = hear_signals };
static const struct part notify = { .due_us = notify_due_us, .hear = notify_tend };
static const struct part control = {
	.list = control_poll, .due_us = control_due_us, .hear = serve_control, .forget = forget_control,
};
static const struct part rest = { .tend = settle, .forget = setup_forget };

/*
 * In the order in which they are asked.  Why it matters:
 *
 * - signals before upgrade: a stop that was there before `taken` goes first.  With them children are reaped: before
 *   reload and upgrade hear, as the last words of a child are taken with its end.
 * - control after all that is heard: what a command shows and does is of this moment.
 * - generations first, by which the others know how the workers are; then what has these recheck, and discards who has
 *   left, for which reload and upgrade wait.
 * - reload before successor, which goes by its end; and before upgrade: one that was asked for goes first.  idle and
 *   metrics_file last, since they go by what has become of both.
 */
static const struct part *const parts[] = {
	&part_generations, &part_watch, &part_notices, &notify, &signals, &rest, &part_reload, &part_successor,
	&part_upgrade, &control, &part_idle, &part_metrics_file,
};

enum { PARTS = sizeof parts / sizeof *parts, POLLS = CONTROL_CLIENTS + 1 + 6 + CONFIG_LISTENERS };

/* Until there is none left, on every wake-up: signals that come together are one. */
static void reap(uint64_t now_us)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		bool known = false;

		for (size_t i = 0; i < PARTS && !known; i++)
			known = parts[i]->reaped && parts[i]->reaped(pid, status, now_us);
		if (!known)
			notices_blame();  /* a worker's child, of which it can make any number */
	}
}

/* Signals first: whom one to all has ended is not to be replaced. */
static void hear_signals(uint64_t now_us)
{
	take_signals(now_us);
	reap(now_us);
}

static bool is_asked(const struct part *part)
{
	return !part->serves || !is_leaving();
}

/*
 * While somebody waits for what others are to tell us (a worker that it is ready, the kernel that one has ended) we
 * look ourselves now and then: the word may have been lost where a system call failed.
 */
static bool is_under_way(void)
{
	return reload_is_under_way() || generations.old || wish.stopping > 0 || wish.recheck_until_us > 0 ||
	       upgrade_step != UPGRADE_NONE || predecessor_is_there();
}

static int wait_ms(void)
{
	uint64_t longest_ms = is_under_way() ? UNDER_WAY_MS : LONGEST_WAIT_MS, due_us = UINT64_MAX, now_us;

	for (size_t i = 0; i < PARTS; i++)
		if (parts[i]->due_us && is_asked(parts[i]))
			due_us = clock_earlier(due_us, parts[i]->due_us());
	now_us = clock_now_us();
	if (due_us <= now_us)
		return 0;
	due_us = (due_us - now_us + CLOCK_MS - 1) / CLOCK_MS;
	return due_us < longest_ms ? (int)due_us : (int)longest_ms;
}

static void run(const struct part *part, void (*step)(uint64_t now_us), uint64_t now_us)
{
	if (!step || !is_asked(part))
		return;
	step(now_us);
	carry_out(now_us);
}

/*
 * Returns when the wait was over.  Not within turn(): workers are forked from there, and would pay for these
 * descriptors on their stacks.
 */
static __attribute__((noinline)) uint64_t wait_and_hear(void)
{
	struct pollfd fds[POLLS];
	nfds_t count = 0;
	uint64_t now_us;

	notices_reckon(clock_now_us());
	for (size_t i = 0; i < PARTS; i++) {
		if (!is_asked(parts[i]))
			continue;
		if (parts[i]->fd && !(parts[i]->by_workers && notices_deaf()))
			fds[count++] = (struct pollfd){ .fd = *parts[i]->fd, .events = POLLIN };
		if (parts[i]->list)
			count += (nfds_t)parts[i]->list(fds + count);
	}
	poll(fds, count, wait_ms());
	now_us = clock_now_us();
	for (size_t i = 0; i < PARTS; i++)
		run(parts[i], parts[i]->hear, now_us);
	return now_us;
}

static void turn(void)
{
	uint64_t now_us = wait_and_hear();

	for (size_t i = 0; i < PARTS; i++)
		run(parts[i], parts[i]->tend, now_us);
}

static bool is_over(void)
{
	return upgrade_step == UPGRADE_DONE ? upgrade_is_over()
	                         : wish.stopping > 0 && generations_are_gone() && upgrade_step == UPGRADE_NONE;
}

/* ---- beginning and end ---- */

static void forget(const struct generation *generation)
{
	for (size_t i = 0; i < PARTS; i++) {
		if (parts[i]->fd && *parts[i]->fd >= 0)
			close(*parts[i]->fd);
		if (parts[i]->forget)
			parts[i]->forget();
	}
	listeners_forget(generation);
	generations_forget(generation);
}

/* NULL, or the call that can't be had, and what follows where that is not plain, with errno. */
static const char *open_all(const struct options *options, int launcher)
{
	const char *lacking = setup_open(options, launcher);

	if (lacking)
		return lacking;
	if ((environment.notices = notices_open()) < 0)
		return "pipe2";
	if (!open_signals())
		return "signalfd";
	environment.forget = forget;
	return starter_open(options);
}

int supervisor_run(const struct options *options, int launcher)
{
	const char *lacking;

	status_begin();
	log_share_losses();
	if ((lacking = open_all(options, launcher)) != NULL) {
		report.error = errno;
		report_complain(EX_OSERR, "can't start: %s: %s", lacking, strerror(errno));
	} else if (listeners_adopt() == 0) {
		proctitle_set("aphorismd: supervisor");
		wish.reload = true;
		carry_out(clock_now_us());
		while (!is_over())
			turn();
	}
	notices_hear_rest();
	listeners_close_unlisted();
	pidfile_leave();
	control_close(true);
	starter_close();
	if (report.status == 0)
		log_notice(upgrade_step == UPGRADE_DONE ? "left" : "stopped");
	return setup_close();
}
