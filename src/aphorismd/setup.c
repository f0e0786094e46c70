/*
 * setup.c - from the command line and the first configuration to a process that can have workers.
 */
#include "aphorismd/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/control.h"
#include "aphorismd/daemonize.h"
#include "aphorismd/generation.h"
#include "aphorismd/notify.h"
#include "aphorismd/pidfile.h"
#include "aphorismd/predecessor.h"
#include "aphorismd/report.h"
#include "aphorismd/wish.h"
#include "common/log.h"
#include "event/engine/event_engine.h"
#include "sandbox/sandbox.h"

struct setup setup;
static int launcher = -1;
static char unconfined[SANDBOX_REASON];   /* why the sandbox is not whole; "" if it is */

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

const char *setup_open(const struct options *options, int its_launcher)
{
	setup.options = options;
	launcher = its_launcher;
	if (!predecessor_is_there())
		notify_open();
	if ((environment.devnull = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
		return "/dev/null";
	umask(022);
	if (chdir("/") < 0)
		return "chdir to /";
	if (!adopt_orphans())
		return "children of a worker that died would be lost: prctl(PR_SET_CHILD_SUBREAPER)";
	return NULL;
}

/* ---- by the first configuration ---- */

/*
 * A file of ours: where it was asked for; else at its default place, in a folder that is made if only that is
 * missing, and that an ordinary user has under XDG_RUNTIME_DIR.  "" is nowhere.  0, or
 * EX_CANTCREAT, complained about, when the folder can't be made.
 */
static int choose_path(char *to, size_t size, const char *value, bool is_set, const char *name, const char *what)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char folder[PATH_MAX];
	int len;

	if (is_set) {
		snprintf(to, size, "%s", value);
		return 0;
	}
	len = geteuid() == 0 ? snprintf(to, size, "%s", value)
	                     : snprintf(to, size, "%s/aphorismd/%s", runtime ? runtime : "", name);
	if (len < 0 || (size_t)len >= size || (geteuid() != 0 && (!runtime || *runtime != '/'))) {
		*to = '\0';
		log_notice("no %s: XDG_RUNTIME_DIR is not set, or too long", what);
		return 0;
	}
	snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(to, '/') - to), to);
	if (mkdir(folder, geteuid() == 0 ? 0755 : 0700) == 0 || errno == EEXIST)
		return 0;
	return report_complain(EX_CANTCREAT, "%s: can't make the folder %s: %s", what, folder, strerror(errno));
}

static int lock_pidfile(const struct config *config)
{
	char path[PATH_MAX], reason[PIDFILE_REASON];

	if (setup.options->inetd || (setup.options->foreground && !config->set.pidfile))
		return 0;
	if (choose_path(path, sizeof path, config->pidfile, config->set.pidfile, "aphorismd.pid", "pidfile") != 0)
		return EX_CANTCREAT;
	if (path[0] == '\0' || pidfile_lock(path, predecessor.pid, reason))
		return 0;
	return report_complain(EX_CANTCREAT, "%s", reason);
}

static int open_control(const struct config *config)
{
	char reason[CONTROL_REASON];
	int status;

	if (setup.options->inetd)
		return 0;
	if (choose_path(setup.control_path, sizeof setup.control_path, config->control, config->set.control, "control",
	                "control socket") != 0)
		return EX_CANTCREAT;
	if (setup.control_path[0] == '\0') {
		if (predecessor.control >= 0)
			close(predecessor.control);
		return 0;
	}
	status = control_open(setup.control_path, predecessor.control, environment.privileges.gid, reason);
	return status == 0 ? 0 : report_complain(status, "%s", reason);
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
static int confine(const struct config *config)
{
	char reason[SANDBOX_REASON];

	if (config->sandbox == SANDBOX_OFF)
		return 0;
	environment.confined = sandbox_enter(SANDBOX_SUPERVISOR, workers_make(), NULL, reason);
	if (environment.confined) {
		log_debug("process.sandbox: Landlock and seccomp filters are in force");
		return 0;
	}
	if (config->sandbox == SANDBOX_AUTO) {
		snprintf(unconfined, sizeof unconfined, "%s", reason);
		log_notice("process.sandbox: not all of it is in force: %s", reason);
		return 0;
	}
	return report_complain(EX_OSERR, "process.sandbox: required, but %s", reason);
}

int setup_enter(const struct config *config)
{
	char reason[PRIVILEGES_REASON];
	int status = privileges_resolve(&environment.privileges, config, reason);

	if (status != 0)
		return report_complain(status, "%s", reason);
	privileges_warn(&environment.privileges, config);
	if ((status = lock_pidfile(config)) != 0)
		return status;
	report.to_syslog = options_open_log(setup.options, config);
	if ((status = open_control(config)) != 0)
		return status;
	return confine(config);
}

void setup_check(const struct doctor_ear *ear)
{
	if (unconfined[0] != '\0')
		doctor_find(ear, DOCTOR_WARNING, "process.sandbox",
		            "a kernel with Landlock and seccomp, a build with libseccomp", "%s", unconfined);
	doctor_check_user(&environment.privileges, ear);
	if (pidfile_path()[0] != '\0')
		doctor_check_pidfile(pidfile_path(), DOCTOR_ERROR, ear);
}

/* ---- the launcher ---- */

void setup_release_launcher(void)
{
	if (launcher >= 0)
		daemonize_detach(environment.devnull);
	if (!daemonize_ready(launcher, 0)) {
		log_error("the launcher has gone before the daemon was ready: it ends");
		report.status = EX_UNAVAILABLE;
		wish_stop(WISH_AT_ONCE);
	}
	launcher = -1;
}

int setup_close(void)
{
	if (launcher >= 0 && report.status == 0) {
		fprintf(stderr, "aphorismd: told to stop before it was ready\n");
		report.status = EX_UNAVAILABLE;
	}
	if (report.status != 0)
		report_failure();
	daemonize_ready(launcher, report.status);
	return report.status;
}

void setup_forget(void)
{
	pidfile_forget();
	if (launcher >= 0 || (predecessor_is_there() && !setup.options->foreground))
		daemonize_detach(environment.devnull);
	if (launcher >= 0)
		close(launcher);
}
