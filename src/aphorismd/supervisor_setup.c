/*
 * supervisor_setup.c - what a start does once: privileges, pidfile, log, control socket; and telling whoever started
 * us.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/control.h"
#include "aphorismd/pidfile.h"
#include "aphorismd/supervisor_parts.h"
#include "common/log.h"
#include "common/plain.h"
#include "event/engine/event_engine.h"
#include "sandbox/sandbox.h"

static void keep_reason(struct supervisor *s, const char *reason)
{
	if (s->reason[0] == '\0')
		snprintf(s->reason, sizeof s->reason, "%s", reason);
}

void supervisor_complain(struct supervisor *s, int status, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	log_error("%s", log_clean(text));
	keep_reason(s, text);
	if (!s->current && s->to_syslog)
		plain_say(stderr, "aphorismd: %s", text);
	if (!s->current) {
		supervisor_tell_elder(s, true, text);
		s->status = status;
	}
}

static void tell(void *supervisor, bool error, const char *line)
{
	struct supervisor *s = supervisor;

	log_message(error ? LOG_ERR : LOG_NOTICE, "%s", line);
	if (error)
		keep_reason(s, line);
	if (!s->current && s->to_syslog)
		plain_say(stderr, "%s", line);
	if (!s->current)
		supervisor_tell_elder(s, error, line);
}

void supervisor_tell_reports(struct supervisor *s)
{
	loader_each_report(s->loader.text, tell, s);
}

void supervisor_open_log(struct supervisor *s, const struct config *config)
{
	s->to_syslog = options_open_log(s->options, config);
}

/*
 * A file of ours: where it was asked for; else at its default place, in a folder that is made if only that is
 * missing, and that an ordinary user has under XDG_RUNTIME_DIR.  "" is nowhere.  False when the folder can't be made.
 */
static bool place(struct supervisor *s, char *to, size_t size, const char *value, bool is_set, const char *name,
                  const char *what)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char folder[PATH_MAX];
	int len;

	if (is_set) {
		snprintf(to, size, "%s", value);
		return true;
	}
	len = geteuid() == 0 ? snprintf(to, size, "%s", value)
	                     : snprintf(to, size, "%s/aphorismd/%s", runtime ? runtime : "", name);
	if (len < 0 || (size_t)len >= size || (geteuid() != 0 && (!runtime || *runtime != '/'))) {
		*to = '\0';
		log_notice("no %s: XDG_RUNTIME_DIR is not set, or too long", what);
		return true;
	}
	snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(to, '/') - to), to);
	if (mkdir(folder, geteuid() == 0 ? 0755 : 0700) == 0 || errno == EEXIST)
		return true;
	supervisor_complain(s, EX_CANTCREAT, "%s: can't make the folder %s: %s", what, folder, strerror(errno));
	return false;
}

static int lock_pidfile(struct supervisor *s, const struct config *config)
{
	char reason[PIDFILE_REASON];

	if (s->options->inetd || (s->options->foreground && !config->set.pidfile))
		return 0;
	if (!place(s, s->pidfile_path, sizeof s->pidfile_path, config->pidfile, config->set.pidfile, "aphorismd.pid",
	           "pidfile"))
		return EX_CANTCREAT;
	if (s->pidfile_path[0] == '\0')
		return 0;
	if ((s->pidfile = pidfile_lock(s->pidfile_path, s->elder_pid, reason)) >= 0)
		return 0;
	supervisor_complain(s, EX_CANTCREAT, "%s", reason);
	return EX_CANTCREAT;
}

static int open_control(struct supervisor *s, const struct config *config)
{
	char reason[CONTROL_REASON];
	int status;

	if (s->options->inetd)
		return 0;
	if (!place(s, s->control_path, sizeof s->control_path, config->control, config->set.control, "control",
	           "control socket"))
		return EX_CANTCREAT;
	if (s->control_path[0] == '\0') {
		if (s->elder_control >= 0)
			close(s->elder_control);
		return 0;
	}
	status = control_open(s->control_path, s->elder_control, s->privileges.gid, reason);
	if (status != 0)
		supervisor_complain(s, status, "%s", reason);
	return status;
}

/* What a worker will be allowed must not be denied to whom it is forked from. */
static unsigned workers_make(void)
{
	unsigned makes = 0;

	for (size_t i = 0; event_engines[i]; i++)
		makes |= event_engines[i]->makes;
	return makes;
}

/* Under "auto" what is lacking is said once, here.  After user names were looked up, which may take any system call. */
static int confine(struct supervisor *s, const struct config *config)
{
	char reason[SANDBOX_REASON];

	if (config->sandbox == SANDBOX_OFF)
		return 0;
	s->surroundings.confined = sandbox_enter(SANDBOX_SUPERVISOR, workers_make(), NULL, reason);
	if (s->surroundings.confined) {
		log_debug("process.sandbox: Landlock and seccomp filters are in force");
		return 0;
	}
	if (config->sandbox == SANDBOX_AUTO) {
		snprintf(s->unconfined, sizeof s->unconfined, "%s", reason);
		log_notice("process.sandbox: not all of it is in force: %s", reason);
		return 0;
	}
	supervisor_complain(s, EX_OSERR, "process.sandbox: required, but %s", reason);
	return EX_OSERR;
}

int supervisor_set_up(struct supervisor *s, const struct config *config)
{
	char reason[PRIVILEGES_REASON];
	int status = privileges_resolve(&s->privileges, config, reason);

	if (status != 0) {
		supervisor_complain(s, status, "%s", reason);
		return status;
	}
	privileges_warn(&s->privileges, config);
	if ((status = lock_pidfile(s, config)) != 0)
		return status;
	supervisor_open_log(s, config);
	if ((status = open_control(s, config)) != 0)
		return status;
	return confine(s, config);
}
