/*
 * loader.c - the process that reads.
 *
 *   none --- loader_start() ---> runs --- its process ends: loader_ended() ---> ended --- loader_finish() ---> none
 *                                 |                                               ^
 *                                 | its time is over: SIGKILL                     |
 *                                 v                                               |
 *                                late --- its process ends; or not, within 1 s ---+
 *
 * loader_cancel() leads back to none from anywhere, and kills.  Its time is 60 s, and what it waits for a CPU, up to
 * 240 s in all.
 */
#include "aphorismd/loader.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
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

static void report(void *to, bool error, const char *line)
{
	plain_say(to, "%s%s", error ? "error " : "notice ", line);
}

static void __attribute__((format(printf, 3, 4)))
say(FILE *to, bool error, const char *format, ...)
{
	char line[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	report(to, error, line);
}

/* What is allowed, but hardly meant; whoever asks by --test or by aphorismctl doctor hears more. */
static void advise(const struct config *config, const struct options *options, FILE *to)
{
	uint64_t somaxconn = cgroup_number("/proc/sys/net/core", "somaxconn");

	if (options->action != ACTION_TEST && (uint64_t)config->backlog > somaxconn)
		say(to, false, "backlog: %d is cut to %" PRIu64 " by the kernel (net.core.somaxconn)",
		    (int)config->backlog, somaxconn);
}

/* But inetd's list of addresses is another one, and who runs it knows. */
static void list_inherited(struct config *config, const struct options *options, FILE *to)
{
	char unserved[CONFIG_ADDRESS];

	if (!inherited_list(config, unserved) && !options->inetd)
		say(to, false,
		    "listen: %s is not served: sockets were inherited and are served in place of the list", unserved);
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
static int check_sandbox(const struct options *options, const char *lacking, FILE *to)
{
	bool serves = options->action == ACTION_SERVE;

	say(to, serves, "process.sandbox: required, but %s", lacking);
	return serves ? EX_OSERR : 0;
}

/* Answers go before the reading of a large table; a small one is not to wait until a busy machine has nothing else. */
static void be_considerate(const struct config *config)
{
	struct stat table;

	if (stat(config->aphorisms, &table) == 0 && table.st_size > LARGE)
		priority_yield();
}

static int end_dump(FILE *to)
{
	const char *reason = standard_flush();

	if (reason)
		say(to, true, "aphorismd: standard output: %s", reason);
	return reason ? EX_IOERR : 0;
}

static bool is_served(const struct listener *listener, const struct config *config, int64_t entries)
{
	for (int64_t i = 0; i < entries; i++)
		if (listener_serves(listener, &config->listen[i]))
			return true;
	return false;
}

static const struct config_listen *covering(const struct listener *listener, const struct config *config,
                                            int64_t entries)
{
	for (int64_t i = 0; i < entries; i++)
		if (listener_is_covered(listener, &config->listen[i]))
			return &config->listen[i];
	return NULL;
}

/*
 * Adds to the list the open listeners that an entry of it covers.  Where 127.0.0.1:1060 is followed by *:1060, the
 * kernel prefers the narrower one as long as that is open, and whoever is on the way to it when it is closed is reset,
 * though his address is served before and after.  Worse, one worker that is busy can hold it open for long when the
 * others have left it.  So it stays open beside the wider one, and is served in the same way.
 */
static void list_covered(struct config *config, const struct loader_before *before, FILE *to)
{
	const int64_t written = config->listeners;

	for (size_t i = 0; i < before->listener_count && config->listeners < CONFIG_LISTENERS; i++) {
		const struct listener *listener = before->listeners[i];
		const struct config_listen *wider = covering(listener, config, written);
		struct config_listen *kept = &config->listen[config->listeners];

		if (listener->borrowed || listener->shut || !wider || is_served(listener, config, written))
			continue;
		*kept = *wider;
		memset(kept->address, 0, sizeof kept->address);
		snprintf(kept->address, sizeof kept->address, "%s", listener->address);
		config->listeners++;
		say(to, false, "listen: %s stays open beside %s until a restart", kept->address, wider->address);
	}
}

/* Seals what was read without an error. */
static int fill(int memfd, struct config *config, const struct options *options, const struct loader_before *in_force,
                FILE *to)
{
	const struct config *before = in_force->config;
	bool built_in = !before || before->aphorisms[0] == '\0';
	int status;

	if (options->action == ACTION_SERVE) {
		list_inherited(config, options, to);
		list_covered(config, in_force, to);
	}
	if (before)
		be_considerate(config);
	config->exposed.file = config->set.file && doctor_is_exposed(options->file);
	config->exposed.aphorisms = doctor_is_exposed(config->aphorisms);
	if ((status = snapshot_write(memfd, config, built_in, report, to)) != 0)
		return status;
	if (config->log_target == TARGET_STDERR && (!options->foreground || options->mute)) {
		report(to, true, options->mute ? "log.target: standard error is the client's here"
		                                      : "log.target: a daemon has no standard error");
		return EX_CONFIG;
	}
	advise(config, options, to);
	return 0;
}

static int load(int memfd, const struct options *options, const struct loader_before *in_force,
                FILE *to)
{
	const struct config *before = in_force->config;
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
	status = config_load(config, model_schema(), &sources, dump, report, to);
	if (status == 0 && config->sandbox == SANDBOX_REQUIRED && !confined)
		status = check_sandbox(options, lacking, to);
	if (status == 0)
		status = dump ? end_dump(to) : fill(memfd, config, options, in_force, to);
	free(config);
	return fflush(to) == 0 ? status : EX_OSERR;
}

/*
 * Sockets, locks and pipes of the supervisor are none of its business.  The memfd is older, so its number is lower.  In
 * the background standard error is whoever waits for the daemon: in an upgrade the process that leaves, by its word.
 */
static void close_others(int memfd, int lines, const struct options *options)
{
	if (options->action == ACTION_SERVE && !options->foreground)
		daemonize_detach(-1);
	dup2(memfd, MEMFD);
	dup2(lines, LINES);
	compat_close_from(LINES + 1);
}

static void become_reader(const struct servant *as, FILE *to)
{
	int blind;

	if (as && !servant_become(as, &blind)) {
		say(to, true, "can't read as another user: %s", strerror(errno));
		_exit(fflush(to) == 0 ? EX_OSERR : EX_IOERR);
	}
	if (!as || !as->by_unit)
		privileges_read_only();
}

static void run(int memfd, int lines, const struct options *options, const struct loader_before *before,
                pid_t supervisor)
{
	FILE *to;

	close_others(memfd, lines, options);
	to = fdopen(LINES, "w");
	daemonize_reset_signals();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != supervisor || !to)
		_exit(EX_OSERR);
	privileges_offer_to_oom_killer(PRIVILEGES_OOM_LOADER);
	proctitle_set("aphorismd: loader");
	become_reader(before->as, to);
	_exit(load(MEMFD, options, before, to));
}

/* ---- in the supervisor ---- */

static void __attribute__((format(printf, 2, 3))) add_error(struct loader *loader, const char *format, ...)
{
	char text[256];
	size_t room = sizeof loader->text - loader->len;
	va_list arguments;
	int n;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	n = snprintf(loader->text + loader->len, room, "error %s\n", text);
	loader->len += n > 0 && (size_t)n < room ? (size_t)n : 0;
}

int loader_start(struct loader *loader, const struct options *options, const struct loader_before *before)
{
	int ends[2] = { -1, -1 };
	pid_t supervisor = getpid(), pid = -1;
	const char *call = "memfd_create";        /* which nothing older stands behind */

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
	add_error(loader, "can't start the loader: %s: %s", call, strerror(errno));
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

const char *loader_first_error(const char *text)
{
	/* by lines, of which each ends in a newline: a notice may have the word in it */
	while (*text && strncmp(text, "error ", strlen("error ")) != 0)
		text += strcspn(text, "\n") + 1;
	return *text ? text + strlen("error ") : NULL;
}

void loader_ended(struct loader *loader, int wait_status)
{
	loader_read(loader);              /* its last words may still be in the pipe */
	check_reports(loader);
	loader->ended = true;
	loader->pid = 0;
	loader->status = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : EX_CONFIG;
	if (loader->late)
		add_error(loader, "the configuration could not be loaded within %d s, or %d s with waits for a CPU",
		          LIMIT_S, LONGEST_S);
	else if (WIFSIGNALED(wait_status))
		add_error(loader, "the configuration could not be loaded: %s", strsignal(WTERMSIG(wait_status)));
	else if (loader->status != 0 && !loader_first_error(loader->text))
		add_error(loader, "the configuration could not be loaded");
	/* libconfig ends the process with a status of its own */
	if (loader->status != 0 && loader->status != EX_NOINPUT && loader->status != EX_OSERR &&
	    loader->status != EX_IOERR)
		loader->status = EX_CONFIG;
}

/* It may have its time to itself, and not share it with all who go before it. */
static bool may_go_on(struct loader *loader, uint64_t now_us)
{
	uint64_t most_us = (uint64_t)LIMIT_S * CLOCK_S + priority_waited_us(loader->pid);

	loader->deadline_us = loader->began_us + clock_earlier(most_us, (uint64_t)LONGEST_S * CLOCK_S);
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

int loader_finish(struct loader *loader, struct snapshot *snapshot)
{
	int status = loader->status;

	if (status == 0 && snapshot_map(snapshot, loader->memfd) < 0) {
		add_error(loader, "the configuration could not be mapped");
		status = EX_OSERR;
	}
	loader_cancel(loader);
	return status;
}

void loader_cancel(struct loader *loader)
{
	/* one that a dead file system holds does not end even then: it is reaped with the others, when it does */
	if (loader->pid > 0)
		kill(loader->pid, SIGKILL);
	if (loader->lines >= 0)
		close(loader->lines);
	if (loader->memfd >= 0)
		close(loader->memfd);
	loader->pid = 0;
	loader->lines = loader->memfd = -1;
}
