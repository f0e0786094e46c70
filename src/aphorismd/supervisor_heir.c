/*
 * supervisor_heir.c - an upgrade, in the process that comes; what is said is listed in supervisor_upgrade.c.
 *
 * It starts as any other does, but for what is the elder's still: files, queues, the service manager's ear.  When the
 * elder ends without a word this is nobody else's, and the heir takes it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "aphorismd/control.h"
#include "aphorismd/daemonize.h"
#include "aphorismd/inherited.h"
#include "aphorismd/notify.h"
#include "aphorismd/pidfile.h"
#include "aphorismd/supervisor_parts.h"
#include "common/log.h"

void supervisor_meet_elder(struct supervisor *s)
{
	struct ucred peer = { .pid = 0 };
	socklen_t len = sizeof peer;

	s->elder = inherited_elder(&s->elder_control);
	s->claims = s->elder >= 0;
	if (s->claims && getsockopt(s->elder, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		s->elder_pid = peer.pid;
}

static void say(const struct supervisor *s, const char *line)
{
	if (s->elder >= 0)
		send(s->elder, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void supervisor_tell_elder(const struct supervisor *s, bool error, const char *text)
{
	char line[1100];

	snprintf(line, sizeof line, "%s %.*s\n", error ? "error" : "notice", (int)strcspn(text, "\n"), text);
	if (s->claims)
		say(s, line);
}

static void speak(struct supervisor *s)
{
	s->speaks = true;
	notify_open();
	supervisor_notify_ready(s, false);
}

static void inherit(struct supervisor *s)
{
	s->claims = false;
	supervisor_own_listeners(s);
	control_own();
	if (s->pidfile >= 0 && !pidfile_write(s->pidfile))
		log_error("pidfile %s: %s", s->pidfile_path, strerror(errno));
	if (!s->options->foreground)
		daemonize_detach(s->devnull);
	log_notice("upgraded: process %d, version " PACKAGE_VERSION ", has taken the place of process %d",
	           (int)getpid(), (int)s->elder_pid);
	say(s, "taken\n");
	atomic_store(&s->current->board->shared->has_heir, false);
}

void supervisor_claim(struct supervisor *s)
{
	char line[64];

	if (!s->claims)
		return;
	if (s->elder < 0) {
		inherit(s);
		speak(s);
		return;
	}
	snprintf(line, sizeof line, "ready %" PRIx64 " %d\n", supervisor_taken_listeners(s), control_is_theirs());
	say(s, line);
}

static void take_line(struct supervisor *s, const char *line, uint64_t now_us)
{
	if (strcmp(line, "yours") == 0 && s->claims && !s->stopping)
		inherit(s);
	else if (strcmp(line, "speak") == 0)
		speak(s);
	else if (strcmp(line, "look") == 0)
		supervisor_look(s, now_us);
	else if (strcmp(line, "no") == 0 && s->claims && !s->stopping)
		supervisor_stop(s, 1);
}

static void elder_has_gone(struct supervisor *s, uint64_t now_us)
{
	close(s->elder);
	s->elder = -1;
	if (s->stopping)
		return;
	if (s->claims && s->current)
		inherit(s);
	if (!s->claims && !s->speaks)
		speak(s);         /* it may have died between our last word and its own */
	supervisor_set_blocking(s);
	supervisor_look(s, now_us);
}

void supervisor_hear_elder(struct supervisor *s, uint64_t now_us)
{
	char line[64] = "";
	ssize_t n = s->elder < 0 ? -1 : recv(s->elder, line, sizeof line - 1, MSG_DONTWAIT);

	/* ECONNRESET: it has gone with words of ours unread, and its own last ones are still to come */
	if (s->elder < 0 || (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNRESET)))
		return;
	if (n <= 0) {
		elder_has_gone(s, now_us);
		return;
	}
	line[strcspn(line, "\n")] = '\0';
	take_line(s, line, now_us);
}
