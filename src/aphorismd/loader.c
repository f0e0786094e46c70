/*
 * loader.c - the process that reads.
 */
#include "aphorismd/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/daemonize.h"
#include "aphorismd/doctor.h"
#include "aphorismd/inherited.h"
#include "aphorismd/privileges.h"
#include "common/cgroup.h"
#include "common/clock.h"
#include "common/compat.h"
#include "common/log.h"
#include "common/plain.h"
#include "common/priority.h"
#include "common/proctitle.h"
#include "common/standard.h"
#include "models/model.h"
#include "sandbox/sandbox.h"

enum { LIMIT_S = 60, LONGEST_S = 240, GRACE_US = CLOCK_S };       /* LONGEST_S: aphorismctl waits five minutes */
enum { LARGE = 1 << 20 };                         /* of a table, in bytes: less is read within milliseconds */
enum { BURST = 32, LAST_WORDS = 256 };            /* reads at a time; room that is kept for what we say at its end */
enum { MEMFD = STDERR_FILENO + 1, LINES };        /* where these are in the loader */

/* ---- in the loader ---- */

struct reporting {
	FILE *to;
	bool prefixed;                    /* "error " or "notice " for the supervisor; people see from the text */
};

static void report(void *arg, bool error, const char *line)
{
	struct reporting *reporting = arg;

	plain_say(reporting->to, "%s%s", !reporting->prefixed ? "" : error ? "error " : "notice ", line);
}

/* What is allowed, but hardly meant; whoever asks by --test or by aphorismctl doctor hears more. */
static void advise(const struct config *config, const struct options *options, struct reporting *reporting)
{
	uint64_t somaxconn = cgroup_number("/proc/sys/net/core", "somaxconn");
	char line[256];

	if (options->action == ACTION_TEST || (uint64_t)config->backlog <= somaxconn)
		return;
	snprintf(line, sizeof line, "backlog: %d is cut to %" PRIu64 " by the kernel (net.core.somaxconn)",
	         (int)config->backlog, somaxconn);
	report(reporting, false, line);
}

static void list_inherited(struct config *config, const struct options *options, struct reporting *reporting)
{
	char unserved[CONFIG_ADDRESS], line[256];

	if (inherited_list(config, unserved) || options->inetd)
		return;           /* inetd's list of addresses is another one, and who runs it knows */
	snprintf(line, sizeof line,
	         "listen: %s is not served: sockets were inherited and are served in place of the list", unserved);
	report(reporting, false, line);
}

static void ignore(void *arg, bool error, const char *line)
{
	(void)arg;
	(void)error;
	(void)line;
}

/*
 * At a start the file can't be asked whether there is to be a sandbox: what reads it is to be in there.  But options
 * and environment can.
 */
static bool wants_no_sandbox(const struct options *options, const struct config *before)
{
	struct config_sources sources = options_sources(options);
	struct config *said = before ? NULL : calloc(1, sizeof *said);
	bool off;

	if (!said)
		return before && before->sandbox == SANDBOX_OFF;
	sources.file = NULL;
	config_load(said, model_schema(), &sources, NULL, ignore, NULL);
	off = said->sandbox == SANDBOX_OFF;
	free(said);
	return off;
}

/* A daemon does not start with less than was required; whoever only checks a file may have another kernel. */
static int check_sandbox(const struct options *options, const char *lacking, struct reporting *reporting)
{
	bool serves = options->action == ACTION_SERVE;
	char line[SANDBOX_REASON + 64];

	snprintf(line, sizeof line, "process.sandbox: required, but %s", lacking);
	report(reporting, serves, line);
	return serves ? EX_OSERR : 0;
}

/* Answers go before the reading of a large table; a small one is not to wait until a busy machine has nothing else. */
static void be_considerate(const struct config *config)
{
	struct stat table;

	if (stat(config->aphorisms, &table) == 0 && table.st_size > LARGE)
		priority_yield();
}

static int end_dump(struct reporting *reporting)
{
	const char *reason = standard_flush();
	char line[256];

	if (!reason)
		return 0;
	snprintf(line, sizeof line, "aphorismd: standard output: %s", reason);
	report(reporting, true, line);
	return EX_IOERR;
}

static int load(int memfd, const struct options *options, const struct loader_before *in_force,
                struct reporting *reporting)
{
	const struct config *before = in_force->config;
	bool built_in = !before || before->aphorisms[0] == '\0';
	char lacking[SANDBOX_REASON];
	bool confined = wants_no_sandbox(options, before) || sandbox_enter(SANDBOX_LOADER, 0, NULL, lacking);
	struct config_sources sources = options_sources(options);
	FILE *dump = options->action == ACTION_DUMP ? stdout : NULL;
	struct config *config = calloc(1, sizeof *config);
	int status;

	if (!config)
		return EX_OSERR;
	sources.file_needed |= before && before->set.file;
	if (dump)
		signal(SIGPIPE, SIG_IGN); /* to say what became of it */
	status = config_load(config, model_schema(), &sources, dump, report, reporting);
	if (status == 0 && config->sandbox == SANDBOX_REQUIRED && !confined)
		status = check_sandbox(options, lacking, reporting);
	if (status == 0 && options->action == ACTION_SERVE) {
		list_inherited(config, options, reporting);
		loader_list_covered(config, in_force, report, reporting);
	}
	if (status == 0 && before)
		be_considerate(config);
	config->exposed.file = config->set.file && doctor_is_exposed(options->file);
	config->exposed.aphorisms = doctor_is_exposed(config->aphorisms);
	if (status == 0 && !dump)
		status = image_write(memfd, config, built_in, report, reporting);
	if (status == 0 && !dump && config->log_target == TARGET_STDERR && (!options->foreground || options->mute)) {
		report(reporting, true, options->mute ? "log.target: standard error is the client's here"
		                                      : "log.target: a daemon has no standard error");
		status = EX_CONFIG;
	}
	if (status == 0 && !dump)
		advise(config, options, reporting);
	if (status == 0 && dump)
		status = end_dump(reporting);
	free(config);
	return fflush(reporting->to) == 0 ? status : EX_OSERR;
}

static void reset_signals(void)
{
	sigset_t none;

	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * Sockets, locks and pipes of the supervisor are none of its business.  The memfd is older, so its number is lower.  In
 * the background standard error is whoever waits for the daemon: in an upgrade the process that leaves, by its word.
 */
static void close_others(int memfd, int lines, const struct options *options)
{
	int devnull = options->action == ACTION_SERVE && !options->foreground ? open("/dev/null", O_RDWR) : -1;

	if (devnull >= 0)
		daemonize_detach(devnull);
	dup2(memfd, MEMFD);
	dup2(lines, LINES);
	compat_close_from(LINES + 1);
}

static void become_reader(const struct servant *as, struct reporting *reporting)
{
	char line[128];
	int blind;

	if (as && !servant_become(as, &blind)) {
		snprintf(line, sizeof line, "can't read as another user: %s", strerror(errno));
		report(reporting, true, line);
		_exit(fflush(reporting->to) == 0 ? EX_OSERR : EX_IOERR);
	}
	if (!as || !as->by_unit)
		privileges_read_only();
}

static void run(int memfd, int lines, const struct options *options, const struct loader_before *before,
                pid_t supervisor)
{
	struct reporting reporting = { .prefixed = true };

	close_others(memfd, lines, options);
	reporting.to = fdopen(LINES, "w");
	reset_signals();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != supervisor || !reporting.to)
		_exit(EX_OSERR);
	privileges_offer_to_oom_killer(PRIVILEGES_OOM_LOADER);
	proctitle_set("aphorismd: loader");
	become_reader(before->as, &reporting);
	_exit(load(MEMFD, options, before, &reporting));
}

/* ---- in the supervisor ---- */

static void add_error(struct loader *loader, const char *text)
{
	size_t room = sizeof loader->text - loader->len;
	int n = snprintf(loader->text + loader->len, room, "error %s\n", text);

	loader->len += n > 0 && (size_t)n < room ? (size_t)n : 0;
}

int loader_start(struct loader *loader, const struct options *options, const struct loader_before *before)
{
	int ends[2] = { -1, -1 };
	pid_t supervisor = getpid(), pid = -1;
	const char *call = "memfd_create";        /* which nothing older stands behind */
	char reason[96];

	*loader = (struct loader){ .lines = -1 };
	loader->memfd = memfd_create("aphorismd", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (loader->memfd >= 0 && pipe2(ends, O_CLOEXEC) == 0 && (call = "fork") != NULL && (pid = fork()) == 0)
		run(loader->memfd, ends[1], options, before, supervisor);
	loader->lines = ends[0];
	loader->pid = pid > 0 ? pid : 0;  /* never -1, which kill(2) takes for everybody */
	if (loader->pid > 0 && fcntl(loader->lines, F_SETFL, O_NONBLOCK) == 0) {
		close(ends[1]);
		loader->began_us = clock_now_us();
		loader->deadline_us = loader->began_us + (uint64_t)LIMIT_S * CLOCK_S;
		return 0;
	}
	snprintf(reason, sizeof reason, "can't start the loader: %s: %s", call, strerror(errno));
	add_error(loader, reason);
	if (ends[1] >= 0)
		close(ends[1]);
	loader_cancel(loader);
	return EX_OSERR;
}

/* Whoever writes without end is not to hold us here. */
bool loader_read(struct loader *loader)
{
	char beyond[4096];

	for (int burst = 0; burst < BURST; burst++) {
		size_t room = sizeof loader->text - LAST_WORDS - loader->len;
		ssize_t n = room > 0 ? read(loader->lines, loader->text + loader->len, room)
		                     : read(loader->lines, beyond, sizeof beyond);

		if (n == 0)
			return false;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		loader->len += room > 0 ? (size_t)n : 0;
	}
	return true;
}

static bool is_report(const char *line, size_t len)
{
	return (len > strlen("error ") && memcmp(line, "error ", strlen("error ")) == 0) ||
	       (len > strlen("notice ") && memcmp(line, "notice ", strlen("notice ")) == 0);
}

/*
 * Parsers can be taken over by what they read, and all that the loader says goes on: to operators, the log, the service
 * manager.  So here it becomes lines of one kind, which can't be taken for anybody else's; what is none is dropped.
 */
static void check_reports(struct loader *loader)
{
	char *line = loader->text, *to = line, *const limit = line + loader->len;

	while (line < limit) {
		char *newline = memchr(line, '\n', (size_t)(limit - line)), *end = newline ? newline : limit;

		if (is_report(line, (size_t)(end - line))) {
			for (; line < end; line++)
				*to++ = (unsigned char)*line < ' ' || *line == 0x7f ? '?' : *line;
			*to++ = '\n';    /* the last one may have none: there is room for it */
		}
		line = end + 1;
	}
	*to = '\0';
	loader->len = (size_t)(to - loader->text);
}

static bool has_error(const struct loader *loader)
{
	return strncmp(loader->text, "error ", strlen("error ")) == 0 || strstr(loader->text, "\nerror ");
}

void loader_ended(struct loader *loader, int wait_status)
{
	char text[128];

	loader_read(loader);              /* its last words may still be in the pipe */
	check_reports(loader);
	loader->ended = true;
	loader->pid = 0;
	loader->status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : EX_CONFIG;
	if (loader->late) {
		snprintf(text, sizeof text,
		         "the configuration could not be loaded within %d s, or %d s with waits for a CPU",
		         LIMIT_S, LONGEST_S);
		add_error(loader, text);
	} else if (WIFSIGNALED(wait_status)) {
		snprintf(text, sizeof text, "the configuration could not be loaded: %s",
		         strsignal(WTERMSIG(wait_status)));
		add_error(loader, text);
	} else if (loader->status != 0 && !has_error(loader)) {
		add_error(loader, "the configuration could not be loaded");
	}
	/* libconfig ends the process with a status of its own */
	if (loader->status != 0 && loader->status != EX_NOINPUT && loader->status != EX_OSERR &&
	    loader->status != EX_IOERR)
		loader->status = EX_CONFIG;
}

/* It may have its time to itself, and not share it with all who go before it. */
static bool may_go_on(struct loader *loader, uint64_t now_us)
{
	uint64_t most_us = (uint64_t)LIMIT_S * CLOCK_S + priority_waited_us(loader->pid);

	if (most_us > (uint64_t)LONGEST_S * CLOCK_S)
		most_us = (uint64_t)LONGEST_S * CLOCK_S;
	loader->deadline_us = loader->began_us + most_us;
	return now_us < loader->deadline_us;
}

void loader_check(struct loader *loader, uint64_t now_us)
{
	if (loader->pid <= 0 || now_us < loader->deadline_us || (!loader->late && may_go_on(loader, now_us)))
		return;
	if (loader->late) {                /* a dead file system holds it: it ends when that comes back */
		loader_ended(loader, SIGKILL);
		return;
	}
	loader->late = true;
	loader->deadline_us = now_us + GRACE_US;
	kill(loader->pid, SIGKILL);
}

int loader_finish(struct loader *loader, struct image *image)
{
	int status = loader->status;

	if (status == 0 && image_map(image, loader->memfd) < 0) {
		add_error(loader, "the configuration could not be mapped");
		status = EX_OSERR;
	}
	loader_cancel(loader);
	return status;
}

void loader_forget(struct loader *loader)
{
	if (loader->lines >= 0)
		close(loader->lines);
	if (loader->memfd >= 0)
		close(loader->memfd);
	loader->lines = loader->memfd = -1;
}

void loader_cancel(struct loader *loader)
{
	/* one that a dead file system holds does not end even then: it is reaped with the others, when it does */
	if (loader->pid > 0)
		kill(loader->pid, SIGKILL);
	loader->pid = 0;
	loader_forget(loader);
}

int loader_run(struct loader *loader, const struct options *options, const struct servant *as, struct image *image)
{
	const struct loader_before nothing = { .as = as };
	int wait_status, status = loader_start(loader, options, &nothing);

	if (status != 0)
		return status;
	for (;;) {
		struct pollfd lines = { .fd = loader->lines, .events = POLLIN };

		poll(&lines, 1, CLOCK_MS);
		loader_check(loader, clock_now_us());
		if (!loader_read(loader))
			break;
	}
	while (waitpid(loader->pid, &wait_status, 0) < 0 && errno == EINTR)
		;
	loader_ended(loader, wait_status);
	status = options->action == ACTION_DUMP ? loader->status : loader_finish(loader, image);
	loader_cancel(loader);
	return status;
}

void loader_each_report(const char *text, image_report *call, void *arg)
{
	char *copy = strdup(text), *rest = copy, *line;

	while (copy && (line = strsep(&rest, "\n")) != NULL)
		if (strchr(line, ' '))
			call(arg, strncmp(line, "error ", 6) == 0, strchr(line, ' ') + 1);
	free(copy);
}
