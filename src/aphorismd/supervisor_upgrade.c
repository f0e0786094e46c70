/*
 * supervisor_upgrade.c - to the program as it is now on disk: in the process that leaves.
 *
 * The starter starts it, with our listeners and one end of a socket: the heir.  What is said there, a record each:
 *
 *   heir   error TEXT, notice TEXT   why it can't start
 *          ready TAKEN CONTROL       its workers take connections, at those of our listeners (a hexadecimal set), and
 *                                    it wants the control socket or not (1, 0)
 *   elder  yours                     it may have them, and the pidfile
 *   heir   taken                     they are its; now our workers are told to drain
 *   elder  speak                     the service manager knows that the heir is the main process
 *          look                      a worker of ours has ceased to listen: see worker_listens_no_more()
 *          no                        there will be no upgrade
 *
 * The end of the stream says that the other one has gone.  Up to `taken` everything stays as it was, whatever happens
 * to the heir.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/control.h"
#include "aphorismd/inherited.h"
#include "aphorismd/notify.h"
#include "aphorismd/pidfile.h"
#include "aphorismd/supervisor_parts.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/units.h"

enum { KILL_GRACE_US = CLOCK_S, LAST_WORDS_US = 5 * CLOCK_S };

int supervisor_ask_upgrade(struct supervisor *s, const char **why)
{
	struct upgrade *upgrade = &s->upgrade;
	const char *busy =
		upgrade->step == UPGRADE_DONE ? "this process leaves, another one serves" :
		s->stopping ? NULL :
		upgrade->step == UPGRADE_STARTS || upgrade->wanted ? "one is under way already" : NULL;

	*why =
		busy ? busy :
		s->stopping ? "the daemon is stopping" :
		s->options->inetd ? "under inetd, the next daemon that it starts is the new program" :
		s->options->program[0] == '\0' ? "the name of the program is not known, only a restart helps" :
		getpid() == 1 ? "process 1 can't leave its place to another one" :
		upgrade->starter.pid == 0 ? "the process that starts programs has gone, only a restart helps" : NULL;

	upgrade->wanted |= !*why;
	return busy ? EX_TEMPFAIL : *why ? EX_UNAVAILABLE : 0;
}

/* False when that has gone. */
static bool say(const struct upgrade *upgrade, const char *line)
{
	return upgrade->channel >= 0 &&
	       send(upgrade->channel, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)strlen(line);
}

void supervisor_have_heir_look(const struct supervisor *s)
{
	say(&s->upgrade, "look\n");
}

static void hang_up(struct upgrade *upgrade)
{
	if (upgrade->channel >= 0)
		close(upgrade->channel);
	upgrade->channel = -1;
}

/* For our workers: should we be killed, they are not to close the queues at which the heir serves already. */
static void set_heir(struct supervisor *s, bool is_there)
{
	if (s->current)
		atomic_store(&s->current->board->shared->has_heir, is_there);
}

/* ---- an upgrade that fails ---- */

/* It may have had workers, who took connections: that the sockets are as we need them is up to us again. */
static void forget_heir(struct supervisor *s, uint64_t now_us)
{
	s->upgrade.step = UPGRADE_NONE;
	s->upgrade.heir = 0;
	hang_up(&s->upgrade);
	if (s->stopping)
		return;
	supervisor_restore_listeners(s);
	supervisor_set_blocking(s);
	supervisor_look(s, now_us);
	if (s->again)
		supervisor_begin_reload(s);
}

static void send_away(struct supervisor *s, uint64_t now_us)
{
	uint64_t drain_us = s->current ? (uint64_t)s->current->image.config->drain_us : 0;
	pid_t pid;

	if (s->upgrade.heir == 0 && (pid = starter_answer(&s->upgrade.starter)) > 0)
		s->upgrade.heir = pid;    /* a stop is heard of before that */
	say(&s->upgrade, "no\n");
	set_heir(s, false);
	if (s->upgrade.heir <= 0) {
		forget_heir(s, now_us);
		return;
	}
	s->upgrade.step = UPGRADE_ENDS;
	s->upgrade.deadline_us = now_us + drain_us + KILL_GRACE_US;
	kill(s->upgrade.heir, SIGTERM);
}

/* A line, that is: notices may have the word in them. */
static const char *first_error(const struct upgrade *upgrade)
{
	const char *line = upgrade->reports;

	while (*line && strncmp(line, "error ", strlen("error ")) != 0)
		line += strcspn(line, "\n") + 1;         /* each ends in a newline */
	return *line ? line : NULL;
}

static void fail(struct supervisor *s, int status, const char *reason, uint64_t now_us)
{
	struct upgrade *upgrade = &s->upgrade;
	size_t len;

	if (s->pidfile >= 0)
		pidfile_write(s->pidfile);        /* it may have come so far as to write its own number */
	log_error("upgrade failed: %s; process %d serves on", reason, (int)getpid());
	notify_say("", "upgrade failed: %s; generation %u goes on", reason, s->current->number);
	if (!first_error(upgrade)) {
		len = strlen(upgrade->reports);
		if (len + strlen(reason) + strlen("error \n") >= sizeof upgrade->reports)
			len = 0;
		snprintf(upgrade->reports + len, sizeof upgrade->reports - len, "error %s\n", reason);
	}
	control_happened(CONTROL_UPGRADE, 0, upgrade->reports, status);
	send_away(s, now_us);
}

void supervisor_cancel_upgrade(struct supervisor *s)
{
	s->upgrade.wanted = false;
	control_happened(CONTROL_UPGRADE, 0, "error the daemon is stopping\n", EX_UNAVAILABLE);
	if (s->upgrade.step == UPGRADE_STARTS)
		send_away(s, clock_now_us());
}

/* In words, with the first of its own if there are any.  Returns what to exit with. */
static int explain(const struct upgrade *upgrade, int status, char *to, size_t size)
{
	const char *error = first_error(upgrade);
	const char *words = error ? error + strlen("error ") : upgrade->words;
	int len = (int)strcspn(words, "\n");

	if (WIFSIGNALED(status))
		snprintf(to, size, "%.*s%sthe new process was ended by a signal: %s", len, words, len > 0 ? "; " : "",
		         strsignal(WTERMSIG(status)));
	else if (len > 0)
		snprintf(to, size, "%.*s (status %d)", len, words, WEXITSTATUS(status));
	else
		snprintf(to, size, "the new process ended with status %d before it was ready", WEXITSTATUS(status));
	return WIFEXITED(status) && WEXITSTATUS(status) >= EX__BASE && WEXITSTATUS(status) <= EX__MAX
	       ? WEXITSTATUS(status) : EX_OSERR;
}

/* ---- one that succeeds ---- */

/* The queues of those that it does not want our workers take to their end. */
static void leave_listeners(struct supervisor *s, uint64_t now_us)
{
	uint64_t taken = s->upgrade.taken, removed = 0;

	for (int64_t k = 0; k < s->current->image.config->listeners; k++)
		for (size_t i = 0; i < s->listener_count; i++)
			if (s->listeners[i] == s->current->listeners[k] && !(taken >> i & 1))
				removed |= (uint64_t)1 << k;
	atomic_store(&s->current->board->shared->removed, removed);
	generation_end(s->current, SIGNAL_DRAIN, now_us);
	for (size_t i = 0; i < s->listener_count; i++) {
		if (taken >> i & 1)
			s->listeners[i]->inode = 0;       /* its file is the heir's */
		listener_end(s->listeners[i]);            /* workers hold their own */
	}
}

static void leave(struct supervisor *s, uint64_t now_us)
{
	struct upgrade *upgrade = &s->upgrade;
	char line[32];

	upgrade->step = UPGRADE_DONE;
	upgrade->deadline_us = now_us + LAST_WORDS_US;
	leave_listeners(s, now_us);
	control_leave(upgrade->takes_control);
	pidfile_remove(s->pidfile_path, s->pidfile);      /* or our lock on it: the heir may be restarted meanwhile */
	s->pidfile = -1;
	log_notice("upgraded: process %d serves, this one finishes what it holds", (int)upgrade->heir);
	if (s->again)
		supervisor_begin_reload(s);       /* by the heir, which may have read the files before they changed */
	s->again = false;
	notify_pass((int)upgrade->heir);
	say(upgrade, "speak\n");
	snprintf(line, sizeof line, "pid %d\n", (int)upgrade->heir);
	control_happened(CONTROL_UPGRADE, 0, line, EX_OK);
}

/* ---- the steps ---- */

static bool order(struct supervisor *s, int end)
{
	char names[STARTER_NAMES];
	int fds[STARTER_FDS];
	const struct listener *control = control_listener();
	size_t count = 0;

	for (size_t i = 0; i < s->listener_count; i++)
		fds[count++] = s->listeners[i]->fd;
	if (control)
		fds[count++] = control->fd;
	fds[count++] = end;
	inherited_name(names, sizeof names, s->listeners, s->listener_count, control);
	return starter_order(&s->upgrade.starter, fds, count, names);
}

static void set_deadline(struct supervisor *s, uint64_t now_us)
{
	s->upgrade.deadline_us = now_us + (uint64_t)s->current->image.config->upgrade_us;
}

static void begin(struct supervisor *s, uint64_t now_us)
{
	struct upgrade *upgrade = &s->upgrade;
	char reason[96];
	int ends[2] = { -1, -1 };
	bool done = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0 && order(s, ends[1]);

	snprintf(reason, sizeof reason, "can't start the program: %s", done ? "" : strerror(errno));
	upgrade->wanted = upgrade->offered = false;
	upgrade->step = UPGRADE_STARTS;
	upgrade->channel = ends[0];
	upgrade->heir = 0;
	upgrade->reports[0] = upgrade->words[0] = '\0';
	set_deadline(s, now_us);
	set_heir(s, true);
	if (ends[1] >= 0)
		close(ends[1]);
	if (!done) {
		fail(s, EX_OSERR, reason, now_us);
		return;
	}
	log_notice("upgrading: starting %s", s->options->program);
	notify_say("", "upgrading");
}

void supervisor_hear_starter(struct supervisor *s, uint64_t now_us)
{
	struct upgrade *upgrade = &s->upgrade;
	pid_t pid = upgrade->step == UPGRADE_STARTS && upgrade->heir == 0 ? starter_answer(&upgrade->starter) : 0;
	char reason[96];

	if (pid > 0)
		upgrade->heir = pid;
	if (pid >= 0)
		return;
	snprintf(reason, sizeof reason, "can't start the program: %s",
	         errno == ECONNRESET ? "the process that starts programs has gone" : strerror(errno));
	fail(s, EX_OSERR, reason, now_us);
}

static void take_line(struct supervisor *s, char *line, bool alive, uint64_t now_us)
{
	struct upgrade *upgrade = &s->upgrade;
	size_t len = strlen(upgrade->reports);
	uint64_t taken;
	int control;

	if (sscanf(line, "ready %" SCNx64 " %d", &taken, &control) == 2) {
		upgrade->taken = taken;
		upgrade->takes_control = control != 0;
		/* where that fails we shall hear of its end */
		upgrade->offered = upgrade->step == UPGRADE_STARTS && alive && say(upgrade, "yours\n");
		if (upgrade->offered)     /* it was in time; sent away from now on it would close queues that are its */
			set_deadline(s, now_us);
	} else if (strcmp(line, "taken") == 0) {
		if (upgrade->step == UPGRADE_STARTS && upgrade->offered)
			leave(s, now_us);
	} else if (strncmp(line, "error ", 6) == 0 || strncmp(line, "notice ", 7) == 0) {
		if (len + strlen(line) + 2 <= sizeof upgrade->reports)
			snprintf(upgrade->reports + len, sizeof upgrade->reports - len, "%s\n", line);
	} else if (upgrade->words[0] == '\0' && upgrade->step == UPGRADE_STARTS) {
		snprintf(upgrade->words, sizeof upgrade->words, "%s", line);      /* on its standard error */
	}
}

/* While it lives a record at a time: a stop that came before `taken` goes first, even if both have long waited. */
static void hear_heir(struct supervisor *s, bool alive, uint64_t now_us)
{
	struct upgrade *upgrade = &s->upgrade;
	char text[1200], *rest, *line;
	ssize_t n = -1;

	while (upgrade->channel >= 0 && (n = recv(upgrade->channel, text, sizeof text - 1, MSG_DONTWAIT)) > 0) {
		text[n] = '\0';
		for (rest = text; (line = strsep(&rest, "\n")) != NULL;)
			take_line(s, log_clean(line), alive, now_us);
		if (alive)
			break;
	}
	if (n == 0)
		hang_up(upgrade);
}

bool supervisor_heir_ended(struct supervisor *s, pid_t pid, int status, uint64_t now_us)
{
	struct upgrade *upgrade = &s->upgrade;
	char reason[512];
	int code;

	if (pid == upgrade->starter.pid) {
		upgrade->starter.pid = 0;
		log_warning("the process that starts programs has gone: no upgrade is possible before a restart");
	}
	if (pid != upgrade->heir)
		return false;
	hear_heir(s, false, now_us);
	upgrade->heir = 0;
	if (upgrade->step == UPGRADE_STARTS) {
		code = explain(upgrade, status, reason, sizeof reason);
		fail(s, code, reason, now_us);
	} else if (upgrade->step == UPGRADE_ENDS) {
		forget_heir(s, now_us);
	} else if (!WIFEXITED(status) || WEXITSTATUS(status) != EX_OK) {
		log_error("the process that has taken the place of this one has ended");
		s->status = EX_UNAVAILABLE;
	}
	return true;
}

void supervisor_hear_upgrade(struct supervisor *s, uint64_t now_us)
{
	supervisor_hear_starter(s, now_us);
	hear_heir(s, true, now_us);
}

int supervisor_poll_upgrade(const struct supervisor *s, struct pollfd *fds)
{
	const struct upgrade *upgrade = &s->upgrade;
	int count = 0;

	if (upgrade->step == UPGRADE_STARTS && upgrade->heir == 0)
		fds[count++] = (struct pollfd){ .fd = upgrade->starter.fd, .events = POLLIN };
	if (upgrade->channel >= 0)
		fds[count++] = (struct pollfd){ .fd = upgrade->channel, .events = POLLIN };
	if (s->elder >= 0)
		fds[count++] = (struct pollfd){ .fd = s->elder, .events = POLLIN };
	return count;
}

uint64_t supervisor_upgrade_due_us(const struct supervisor *s)
{
	return s->upgrade.step == UPGRADE_NONE ? UINT64_MAX : s->upgrade.deadline_us;
}

/* Like a reload it waits until whoever was before us has left. */
static bool may_begin(const struct supervisor *s)
{
	return s->upgrade.wanted && s->upgrade.step == UPGRADE_NONE && s->step == STEP_NONE && s->current && !s->old &&
	       s->elder < 0 && !s->stopping;
}

void supervisor_advance_upgrade(struct supervisor *s, uint64_t now_us)
{
	struct upgrade *upgrade = &s->upgrade;
	char reason[96], limit[UNITS_TEXT];

	if (may_begin(s))
		begin(s, now_us);
	if (now_us < supervisor_upgrade_due_us(s))
		return;
	if (upgrade->step == UPGRADE_STARTS) {
		snprintf(reason, sizeof reason, "the new process was not ready within %s",
		         units_format_duration(limit, s->current->image.config->upgrade_us));
		fail(s, EX_TEMPFAIL, reason, now_us);
	} else if (upgrade->step == UPGRADE_ENDS) {
		kill(upgrade->heir, SIGKILL);
		upgrade->deadline_us = now_us + KILL_GRACE_US;
	} else {
		upgrade->deadline_us = UINT64_MAX;        /* whoever has not been served by now will not be */
	}
}

bool supervisor_has_left(const struct supervisor *s)
{
	return s->upgrade.step == UPGRADE_DONE && !s->next && !s->current && !s->old &&
	       (s->upgrade.deadline_us == UINT64_MAX ||
	        (!control_is_busy() && notify_due_us() == UINT64_MAX));
}
