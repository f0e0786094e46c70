/*
 * upgrade.c - to the program as it is now on disk: in the process that leaves.
 *
 * The starter starts it, with our listeners and one end of a socket: the successor.  What is said there is listed in
 * upgrade_talk.h.  Up to `taken` everything stays as it was, whatever happens to the successor.
 *
 *                     asked for, nothing else under way
 *   NONE -----------------------------------------------------> STARTS --- taken --> DONE, for good
 *    ^ ^                                                          |
 *    | +-- failed, or a stop; no process has come of it ----------+
 *    |                                                            | failed, or a stop: SIGTERM,
 *    +-- it has ended ------------------ ENDS <-------------------+ and when it is late SIGKILL
 */
#include "aphorismd/upgrade.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/control.h"
#include "aphorismd/generations.h"
#include "aphorismd/inherited.h"
#include "aphorismd/listeners.h"
#include "aphorismd/notify.h"
#include "aphorismd/part.h"
#include "aphorismd/pidfile.h"
#include "aphorismd/predecessor.h"
#include "aphorismd/reload.h"
#include "aphorismd/report.h"
#include "aphorismd/setup.h"
#include "aphorismd/starter.h"
#include "aphorismd/upgrade_talk.h"
#include "aphorismd/wish.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/units.h"

enum { KILL_GRACE_US = CLOCK_S, LAST_WORDS_US = 5 * CLOCK_S };

enum upgrade_step upgrade_step;

static struct {
	bool wanted;                      /* as soon as it can begin */
	bool offered;                     /* the successor has been told to take what is ours: */
	uint64_t taken;                   /* these of our listeners, */
	bool takes_control;               /* and the control socket, or its own is another one */
	int channel;                      /* the socket to the successor, or -1 */
	pid_t successor;                  /* the new process; 0: not known yet, or gone */
	uint64_t deadline_us;             /* of the present step */
} upgrade = { .channel = -1 };

int upgrade_ask(const char **why)
{
	const struct options *options = setup.options;
	const char *busy =
		upgrade_step == UPGRADE_DONE ? "this process leaves, another one serves" :
		wish.stopping > 0 ? NULL :
		upgrade_step == UPGRADE_STARTS || upgrade.wanted ? "one is under way already" : NULL;

	*why =
		busy ? busy :
		wish.stopping > 0 ? "the daemon is stopping" :
		options->inetd ? "under inetd, the next daemon that it starts is the new program" :
		options->program[0] == '\0' ? "the name of the program is not known, only a restart helps" :
		getpid() == 1 ? "process 1 can't leave its place to another one" :
		starter.pid == 0 ? "the process that starts programs has gone, only a restart helps" : NULL;

	upgrade.wanted |= !*why;
	return busy ? EX_TEMPFAIL : *why ? EX_UNAVAILABLE : 0;
}

void upgrade_recheck(void)
{
	upgrade_talk_say(upgrade.channel, "look\n");
}

/* For our workers: should we be killed, they are not to close the queues at which the successor serves already. */
static void set_successor(bool is_there)
{
	if (generations.current)
		atomic_store(&generations.current->board->shared->has_successor, is_there);
}

static void hang_up(void)
{
	if (upgrade.channel >= 0)
		close(upgrade.channel);
	upgrade.channel = -1;
}

/* ---- an upgrade that fails ---- */

/* It may have had workers, who took connections: that the sockets are as we need them is up to us again. */
static void forget_successor(uint64_t now_us)
{
	upgrade_step = UPGRADE_NONE;
	upgrade.successor = 0;
	hang_up();
	if (wish.stopping > 0)
		return;
	reload_restore();
	listeners_set_blocking();
	wish_recheck(now_us + WISH_LATE_US);  /* what its workers were told of is not known */
}

static void send_away(uint64_t now_us)
{
	uint64_t drain_us = generations.current ? (uint64_t)generations.current->snapshot.config->drain_us : 0;
	pid_t pid;

	if (upgrade.successor == 0 && (pid = starter_answer()) > 0)
		upgrade.successor = pid;  /* a stop is heard of before that */
	upgrade_talk_say(upgrade.channel, "no\n");
	set_successor(false);
	if (upgrade.successor <= 0) {
		forget_successor(now_us);
		return;
	}
	upgrade_step = UPGRADE_ENDS;
	upgrade.deadline_us = now_us + drain_us + KILL_GRACE_US;
	kill(upgrade.successor, SIGTERM);
}

static void __attribute__((format(printf, 3, 4))) fail(int status, uint64_t now_us, const char *format, ...)
{
	char reason[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof reason, format, arguments);
	va_end(arguments);
	pidfile_write();            /* it may have come so far as to write its own number */
	log_error("upgrade failed: %s; process %d serves on", reason, (int)getpid());
	notify_say("", "upgrade failed: %s; generation %u goes on", reason, generations.current->number);
	control_happened(CONTROL_UPGRADE, 0, upgrade_talk_add(reason), status);
	send_away(now_us);
}

void upgrade_cancel(uint64_t now_us)
{
	upgrade.wanted = false;
	control_happened(CONTROL_UPGRADE, 0, "error the daemon is stopping\n", EX_UNAVAILABLE);
	if (upgrade_step == UPGRADE_STARTS)
		send_away(now_us);
}

/* ---- one that succeeds ---- */

static void leave(uint64_t now_us)
{
	char line[32];

	upgrade_step = UPGRADE_DONE;
	upgrade.deadline_us = now_us + LAST_WORDS_US;
	listeners_leave(upgrade.taken, now_us);
	control_leave(upgrade.takes_control);
	pidfile_leave();            /* or our lock on it: the successor may be restarted meanwhile */
	log_notice("upgraded: process %d serves, this one finishes what it holds", (int)upgrade.successor);
	if (wish.reload)
		upgrade_pass_reload();    /* it may have read the files before they changed */
	notify_pass((int)upgrade.successor);
	upgrade_talk_say(upgrade.channel, "speak\n");
	snprintf(line, sizeof line, "pid %d\n", (int)upgrade.successor);
	control_happened(CONTROL_UPGRADE, 0, line, EX_OK);
}

void upgrade_pass_reload(void)
{
	wish.reload = false;
	if (upgrade.successor > 0)
		kill(upgrade.successor, SIGHUP);
}

/* ---- the steps ---- */

static bool order(int end)
{
	char names[STARTER_NAMES];
	int fds[STARTER_FDS];
	const struct listener *control = control_listener();
	size_t listener_count, count = 0;
	struct listener *const *listeners = listeners_all(&listener_count);

	for (size_t i = 0; i < listener_count; i++)
		fds[count++] = listeners[i]->fd;
	if (control)
		fds[count++] = control->fd;
	fds[count++] = end;
	inherited_name(names, sizeof names, listeners, listener_count, control);
	return starter_order(fds, count, names);
}

static int64_t limit_us(void)
{
	return generations.current->snapshot.config->upgrade_us;
}

static void begin(uint64_t now_us)
{
	int ends[2] = { -1, -1 };
	bool done = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0 && order(ends[1]);
	int error = errno;

	upgrade.wanted = upgrade.offered = false;
	upgrade_step = UPGRADE_STARTS;
	upgrade.successor = 0;
	upgrade.channel = ends[0];
	upgrade_talk_clear();
	upgrade.deadline_us = now_us + (uint64_t)limit_us();
	set_successor(true);
	if (ends[1] >= 0)
		close(ends[1]);
	if (!done) {
		fail(EX_OSERR, now_us, "can't start the program: %s", strerror(error));
		return;
	}
	log_notice("upgrading: starting %s", setup.options->program);
	notify_say("", "upgrading");
}

static bool starter_is_heard(void)
{
	return upgrade_step == UPGRADE_STARTS && upgrade.successor == 0;
}

/* What the starter has said: before the end of a new process can be reaped, its number is here. */
static void hear_starter(uint64_t now_us)
{
	pid_t pid = starter_is_heard() ? starter_answer() : 0;

	if (pid > 0)
		upgrade.successor = pid;
	if (pid < 0)
		fail(EX_OSERR, now_us, "can't start the program: %s",
		     errno == ECONNRESET ? "the process that starts programs has gone" : strerror(errno));
}

static void take_line(const char *line, bool alive, uint64_t now_us)
{
	uint64_t taken;
	int control;

	if (sscanf(line, "ready %" SCNx64 " %d", &taken, &control) == 2) {
		upgrade.taken = taken;
		upgrade.takes_control = control != 0;
		/* where that fails we shall hear of its end */
		upgrade.offered = upgrade_step == UPGRADE_STARTS && alive &&
		                  upgrade_talk_say(upgrade.channel, "yours\n");
		if (upgrade.offered)      /* it was in time; sent away from now on it would close queues that are its */
			upgrade.deadline_us = now_us + (uint64_t)limit_us();
	} else if (strcmp(line, "taken") == 0) {
		if (upgrade_step == UPGRADE_STARTS && upgrade.offered)
			leave(now_us);
	} else {
		upgrade_talk_take(line, upgrade_step == UPGRADE_STARTS);
	}
}

/* While it lives a record at a time: a stop that came before `taken` goes first, even if both have long waited. */
static void hear_successor(bool alive, uint64_t now_us)
{
	char text[1200], *rest, *line;

	while (upgrade_talk_hear(&upgrade.channel, text, sizeof text) > 0) {
		for (rest = text; (line = strsep(&rest, "\n")) != NULL;)
			take_line(log_clean(line), alive, now_us);
		if (alive)
			break;
	}
}

static void successor_ended(int status, uint64_t now_us)
{
	char reason[512];
	int code;

	hear_successor(false, now_us);
	upgrade.successor = 0;
	if (upgrade_step == UPGRADE_STARTS) {
		code = upgrade_talk_explain(status, reason, sizeof reason);
		fail(code, now_us, "%s", reason);
	} else if (upgrade_step == UPGRADE_ENDS) {
		forget_successor(now_us);
	} else if (!WIFEXITED(status) || WEXITSTATUS(status) != EX_OK) {
		log_error("the process that has taken the place of this one has ended");
		report.status = EX_UNAVAILABLE;
	}
}

/* Like a reload it waits until whoever was before us has left. */
static bool may_begin(void)
{
	return upgrade.wanted && upgrade_step == UPGRADE_NONE && !reload_is_under_way() && generations.current &&
	       !generations.old && !predecessor_is_there() && wish.stopping == 0;
}

bool upgrade_is_over(void)
{
	return generations_are_gone() &&
	       (upgrade.deadline_us == UINT64_MAX || (!control_is_busy() && notify_due_us() == UINT64_MAX));
}

/* ---- as the loop asks ---- */

static int list(struct pollfd *fds)
{
	*fds = (struct pollfd){ .fd = starter_is_heard() ? starter.fd : -1, .events = POLLIN };
	return 1;
}

static void hear(uint64_t now_us)
{
	hear_starter(now_us);
	hear_successor(true, now_us);
}

static uint64_t due_us(void)
{
	return upgrade_step == UPGRADE_NONE ? UINT64_MAX : upgrade.deadline_us;
}

static bool reaped(pid_t pid, int status, uint64_t now_us)
{
	hear_starter(now_us);
	if (pid == starter.pid) {
		starter.pid = 0;
		log_warning("the process that starts programs has gone: no upgrade is possible before a restart");
	}
	if (pid != upgrade.successor)
		return false;
	successor_ended(status, now_us);
	return true;
}

static void tend(uint64_t now_us)
{
	char limit[UNITS_TEXT];

	if (may_begin())
		begin(now_us);
	if (now_us < due_us())
		return;
	if (upgrade_step == UPGRADE_STARTS) {
		fail(EX_TEMPFAIL, now_us, "the new process was not ready within %s",
		     units_format_duration(limit, limit_us()));
	} else if (upgrade_step == UPGRADE_ENDS) {
		kill(upgrade.successor, SIGKILL);
		upgrade.deadline_us = now_us + KILL_GRACE_US;
	} else {
		upgrade.deadline_us = UINT64_MAX;         /* whoever has not been served by now will not be */
	}
}

const struct part part_upgrade = {
	.fd = &upgrade.channel, .list = list, .due_us = due_us, .hear = hear, .reaped = reaped, .tend = tend,
	.forget = starter_forget,
};
