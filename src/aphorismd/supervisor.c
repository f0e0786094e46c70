/*
 * supervisor.c - start, reload, stop.
 *
 * A start is the first reload: load, then open what is new, then start a generation, then, once it is ready, let it take the
 * place of the one before.  Whatever fails on the way leaves everything as it was.  One loop waits for all events; signals
 * come through a descriptor, so no handler runs in this process.
 */
#include "aphorismd/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/control.h"
#include "aphorismd/daemonize.h"
#include "aphorismd/generation.h"
#include "aphorismd/loader.h"
#include "aphorismd/pidfile.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/proctitle.h"

/* How far a reload has come. */
enum step {
	STEP_NONE,
	STEP_LOADS,                       /* the loader is reading */
	STEP_WAITS,                       /* the generation before last has not left yet */
	STEP_STARTS,                      /* the new generation is starting */
};

enum { STOP_AT_ONCE = 2, LONGEST_WAIT_MS = 60 * 1000 };

static struct {
	const struct options *options;
	int launcher, devnull, signals, told, pidfile;
	char pidfile_path[PATH_MAX], control_path[CONFIG_ADDRESS];
	struct privileges privileges;
	struct surroundings surroundings;
	uint64_t started_us;
	bool to_syslog;                   /* messages do not reach the terminal */

	enum step step;
	bool again;                       /* another reload was asked for meanwhile */
	bool look;                        /* a worker has ceased to listen: see worker_listens_no_more() */
	struct loader loader;
	struct image image;               /* loaded, not yet a generation's */
	struct generation *next, *current, *old;
	struct listener *listeners[2 * CONFIG_LISTENERS];     /* all that are open */
	size_t listener_count;
	uint32_t generations, reloads, failed_reloads;
	struct scoreboard_totals before;  /* of generations that have left */

	int stopping;                     /* how many times we were told, or STOP_AT_ONCE */
	int status;                       /* to exit with */
} s = { .launcher = -1, .pidfile = -1, .loader = { .lines = -1, .memfd = -1 } };

/* ---- telling people ---- */

/* Before the daemon is ready somebody may wait at a terminal for the reason, even if messages go to syslog already. */
static void __attribute__((format(printf, 2, 3))) complain(int status, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	log_error("%s", text);
	if (!s.current && s.to_syslog)
		fprintf(stderr, "aphorismd: %s\n", text);
	if (!s.current)
		s.status = status;
}

/* What the loader found: to the log, and to a terminal as it is. */
static void tell_reports(void)
{
	char *text = strdup(s.loader.text), *rest = text, *line;

	while (text && (line = strsep(&rest, "\n")) != NULL) {
		bool error = strncmp(line, "error ", 6) == 0;
		const char *what = strchr(line, ' ');

		if (!what)
			continue;
		log_message(error ? LOG_ERR : LOG_NOTICE, "%s", what + 1);
		if (!s.current && s.to_syslog)
			fprintf(stderr, "%s\n", what + 1);
	}
	free(text);
}

static void open_log(const struct config *config)
{
	s.to_syslog = config->log_target == TARGET_SYSLOG || !s.options->foreground;
	log_open("aphorismd", s.to_syslog ? LOG_TO_SYSLOG : LOG_TO_STDERR, config_syslog_facility(config),
	         config_syslog_level(config));
}

/* ---- listeners ---- */

static bool is_listed(const struct generation *generation, const struct listener *listener)
{
	if (generation)
		for (int64_t i = 0; i < generation->image.config->listeners; i++)
			if (generation->listeners[i] == listener)
				return true;
	return false;
}

/* O_NONBLOCK belongs to the open socket: set while any generation needs it, cleared when the last of those has left. */
static void set_blocking(void)
{
	const struct generation *generations[] = { s.next, s.current, s.old };

	for (size_t i = 0; i < s.listener_count; i++) {
		bool nonblocking = false;

		for (size_t k = 0; k < 3; k++)
			nonblocking |= is_listed(generations[k], s.listeners[i]) &&
			               (generations[k]->model->nonblocking || generations[k]->image.config->listeners > 1);
		listener_nonblocking(s.listeners[i]->fd, nonblocking);
	}
}

/* Closes what neither the present nor the coming generation lists.  The old one holds its own descriptors. */
static void close_unlisted(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < s.listener_count; i++) {
		if (is_listed(s.current, s.listeners[i]) || is_listed(s.next, s.listeners[i]))
			s.listeners[kept++] = s.listeners[i];
		else
			listener_close(s.listeners[i]);
	}
	s.listener_count = kept;
}

static struct listener *find_listener(const struct config_listen *at, struct listener *const *taken, int64_t count)
{
	for (size_t i = 0; i < s.listener_count; i++) {
		bool is_taken = false;

		for (int64_t k = 0; k < count; k++)
			is_taken |= taken[k] == s.listeners[i];
		if (!is_taken && listener_serves(s.listeners[i], at))
			return s.listeners[i];
	}
	return NULL;
}

/* A listener for each entry of the configuration: the one that is open already, or a new one.  0 or a sysexits code. */
static int open_listeners(const struct config *config, struct listener **listeners)
{
	char reason[LISTENER_REASON];
	int status;

	for (int64_t i = 0; i < config->listeners; i++) {
		listeners[i] = find_listener(&config->listen[i], listeners, i);
		if (listeners[i])
			continue;
		listeners[i] = listener_open(&config->listen[i], (int)config->backlog, &status, reason);
		if (!listeners[i]) {
			complain(status, "%s", reason);
			snprintf(s.loader.text, sizeof s.loader.text, "error %s\n", reason);
			return status;
		}
		s.listeners[s.listener_count++] = listeners[i];
	}
	return 0;
}

/* ---- what a start does once ---- */

/*
 * A file of ours: where it was asked for; else at its default place, in a folder that is made if only that is missing, and
 * that an ordinary user has under XDG_RUNTIME_DIR.  "" is nowhere.
 */
static void place(char *to, size_t size, const char *value, bool is_set, const char *name, const char *what)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char folder[PATH_MAX];
	int len;

	if (is_set) {
		snprintf(to, size, "%s", value);
		return;
	}
	len = geteuid() == 0 ? snprintf(to, size, "%s", value)
	                     : snprintf(to, size, "%s/aphorismd/%s", runtime ? runtime : "", name);
	if (len < 0 || (size_t)len >= size || (geteuid() != 0 && (!runtime || *runtime != '/'))) {
		*to = '\0';
		log_notice("no %s: XDG_RUNTIME_DIR is not set, or too long", what);
		return;
	}
	snprintf(folder, sizeof folder, "%.*s", (int)(strrchr(to, '/') - to), to);
	if (mkdir(folder, geteuid() == 0 ? 0755 : 0700) < 0 && errno != EEXIST)
		log_warning("can't make the folder %s: %s", folder, strerror(errno));
}

static int lock_pidfile(const struct config *config)
{
	char reason[PIDFILE_REASON];

	if (s.options->foreground && !config->set.pidfile)
		return 0;
	place(s.pidfile_path, sizeof s.pidfile_path, config->pidfile, config->set.pidfile, "aphorismd.pid", "pidfile");
	if (s.pidfile_path[0] == '\0')
		return 0;
	if ((s.pidfile = pidfile_lock(s.pidfile_path, reason)) >= 0)
		return 0;
	complain(EX_CANTCREAT, "%s", reason);
	return EX_CANTCREAT;
}

static int open_control(const struct config *config)
{
	char reason[CONTROL_REASON];
	int status;

	place(s.control_path, sizeof s.control_path, config->control, config->set.control, "control", "control socket");
	if (s.control_path[0] == '\0')
		return 0;
	status = control_open(s.control_path, s.privileges.gid, reason);
	if (status != 0)
		complain(status, "%s", reason);
	return status;
}

static int set_up(const struct config *config)
{
	char reason[PRIVILEGES_REASON];
	int status = privileges_resolve(&s.privileges, config, reason);

	if (status != 0) {
		complain(status, "%s", reason);
		return status;
	}
	if ((status = lock_pidfile(config)) != 0)
		return status;
	open_log(config);
	return open_control(config);
}

/* ---- reload ---- */

static void stop(int urgency);

static void begin_reload(void)
{
	if (s.stopping)
		return;
	if (s.step != STEP_NONE) {
		s.again = true;           /* requests that come meanwhile are one */
		return;
	}
	s.again = false;
	if (loader_start(&s.loader, s.options, !s.current || s.current->image.config->aphorisms[0] == '\0') == 0)
		s.step = STEP_LOADS;
	else
		s.status = EX_OSERR;
}

static void end_reload(int status)
{
	s.step = STEP_NONE;
	image_unmap(&s.image);
	control_happened(CONTROL_RELOAD, s.loader.text, status);
	s.loader.text[0] = '\0';
	if (status == 0)
		s.reloads++;
	else
		s.failed_reloads++;
	if (status != 0 && !s.current)
		stop(STOP_AT_ONCE);       /* nothing to go on with: this was the start */
	else if (status != 0)
		log_error("reload failed: generation %u goes on with the old configuration", s.current->number);
	if (s.again)
		begin_reload();
}

static void fail_reload(int status)
{
	if (!s.current)
		s.status = status;
	end_reload(status);
}

/* Keys whose change only a restart can carry out; NULL when none has changed. */
static const char *restart_only(const struct config *old, const struct config *new)
{
	return strcmp(old->user, new->user) != 0 || old->set.user != new->set.user ? "process.user" :
	       strcmp(old->group, new->group) != 0     ? "process.group" :
	       strcmp(old->pidfile, new->pidfile) != 0 ? "process.pidfile" :
	       old->sandbox != new->sandbox            ? "process.sandbox" :
	       strcmp(old->control, new->control) != 0 ? "control.socket" : NULL;
}

static int object(const char *key, const char *why)
{
	snprintf(s.loader.text, sizeof s.loader.text, "error %s: %s\n", key, why);
	tell_reports();
	return EX_CONFIG;
}

static void take_image(void)
{
	const char *key;
	int status = loader_finish(&s.loader, &s.image);

	tell_reports();
	if (status == 0 && s.image.config->log_target == TARGET_STDERR && !s.options->foreground)
		status = object("log.target", "a daemon has no standard error");
	else if (status == 0 && s.current && (key = restart_only(s.current->image.config, s.image.config)) != NULL)
		status = object(key, "changes at a restart only");
	if (status == 0 && !s.current)
		status = set_up(s.image.config);
	if (status != 0)
		fail_reload(status);
	else
		s.step = STEP_WAITS;
}

static void start_generation(void)
{
	struct listener *listeners[CONFIG_LISTENERS];
	const struct config *config = s.image.config;
	int status = open_listeners(config, listeners);

	if (status == 0) {
		s.next = generation_new(++s.generations, &s.image, listeners, &s.surroundings);
		status = s.next ? 0 : EX_OSERR;
	}
	if (status != 0) {
		close_unlisted();
		fail_reload(status);
		return;
	}
	for (int64_t i = 0; i < config->listeners; i++)
		listener_tune(listeners[i], config, &config->listen[i]);
	set_blocking();
	open_log(config);
	s.step = STEP_STARTS;
}

/* Listeners that the new configuration does not have: their queues are the old generation's to finish. */
static void mark_removed(void)
{
	uint64_t removed = 0;

	for (int64_t i = 0; i < s.old->image.config->listeners; i++)
		if (!is_listed(s.current, s.old->listeners[i]))
			removed |= (uint64_t)1 << i;
	atomic_store(&s.old->board->removed, removed);
}

static void announce_listeners(void)
{
	for (int64_t i = 0; i < s.current->image.config->listeners; i++)
		if (!is_listed(s.old, s.current->listeners[i]))
			log_message(LOG_ALWAYS | LOG_NOTICE, "listening on %s", s.current->listeners[i]->address);
}

static void replace_generation(uint64_t now_us)
{
	s.old = s.current;
	s.current = s.next;
	s.next = NULL;
	announce_listeners();
	if (s.old) {
		mark_removed();
		generation_end(s.old, SIGNAL_DRAIN, now_us);
		close_unlisted();
		log_notice("reloaded: generation %u, model %s", s.current->number, s.current->model->name);
	} else {
		log_info("generation %u, model %s", s.current->number, s.current->model->name);
		if (s.privileges.drop)
			privileges_reduce();
		if (s.launcher >= 0)
			daemonize_detach(s.devnull);
		daemonize_ready(s.launcher, 0);
		s.launcher = -1;
	}
	end_reload(0);
}

static void discard_next(void)
{
	int status = s.next->status;

	complain(status, "generation %u: its workers can't start (status %d)", s.next->number, status);
	snprintf(s.loader.text, sizeof s.loader.text, "error the workers of the new configuration can't start: see the log\n");
	generation_kill(s.next, clock_now_us());
	s.old = s.next;                   /* it goes the way of all that drain; the step before made sure there is none */
	s.next = NULL;
	close_unlisted();
	if (s.current) {                  /* its sockets must be as it left them */
		const struct config *config = s.current->image.config;

		for (int64_t i = 0; i < config->listeners; i++)
			listener_tune(s.current->listeners[i], config, &config->listen[i]);
		open_log(config);
	}
	fail_reload(status);
}

/* ---- stop ---- */

static void stop(int urgency)
{
	struct generation *generations[] = { s.next, s.current, s.old };
	uint64_t now_us = clock_now_us();

	s.stopping = s.stopping + urgency > STOP_AT_ONCE ? STOP_AT_ONCE : s.stopping + urgency;
	loader_cancel(&s.loader);
	if (s.step == STEP_LOADS || s.step == STEP_WAITS)
		s.step = STEP_NONE;
	for (size_t i = 0; i < 3; i++) {
		if (generations[i] && s.stopping == STOP_AT_ONCE)
			generation_kill(generations[i], now_us);
		else if (generations[i])
			generation_end(generations[i], SIGNAL_STOP, now_us);
	}
	if (s.stopping == 1)
		log_notice("stopping");
	control_happened(CONTROL_RELOAD, "error the daemon is stopping\n", EX_UNAVAILABLE);
}

/* ---- events ---- */

static void sum_up(struct scoreboard_totals *totals)
{
	const struct generation *generations[] = { s.next, s.current, s.old };

	*totals = s.before;
	for (size_t i = 0; i < 3; i++)
		if (generations[i])
			scoreboard_sum(generations[i]->board, totals);
}

static void log_statistics(void)
{
	struct scoreboard_totals totals;
	int all = 0, idle = 0;

	sum_up(&totals);
	if (s.current)
		generation_count(s.current, &all, &idle);
	log_message(LOG_ALWAYS | LOG_NOTICE,
	            "statistics: model %s, generation %u, %d workers, %d idle, %u connections open, %llu served, "
	            "%llu questions, %llu time-outs, %llu refused, %llu denied, %u reloads, %u failed",
	            s.current ? s.current->model->name : "none", s.current ? s.current->number : 0, all, idle,
	            totals.seated, (unsigned long long)totals.connections, (unsigned long long)totals.questions,
	            (unsigned long long)totals.timeouts, (unsigned long long)totals.refused,
	            (unsigned long long)totals.denied, s.reloads > 0 ? s.reloads - 1 : 0, s.failed_reloads);
}

static void say_status(unsigned client)
{
	const struct generation *current = s.current;
	struct scoreboard_totals totals;
	int all = 0, idle = 0;

	sum_up(&totals);
	if (current)
		generation_count(current, &all, &idle);
	control_say(client, "version " PACKAGE_VERSION);
	control_say(client, "pid %d", (int)getpid());
	control_say(client, "state %s", s.stopping ? "stopping" : !current ? "starting" :
	            s.step != STEP_NONE ? "reloading" : s.old ? "draining" : "serving");
	control_say(client, "uptime_seconds %llu", (unsigned long long)((clock_now_us() - s.started_us) / CLOCK_S));
	control_say(client, "model %s", current ? current->model->name : "none");
	control_say(client, "generation %u", current ? current->number : 0);
	control_say(client, "workers %d", all);
	control_say(client, "workers_idle %d", idle);
	control_say(client, "connections_open %u", totals.seated);
	control_say(client, "connections %llu", (unsigned long long)totals.connections);
	control_say(client, "questions %llu", (unsigned long long)totals.questions);
	control_say(client, "timeouts %llu", (unsigned long long)totals.timeouts);
	control_say(client, "refused %llu", (unsigned long long)totals.refused);
	control_say(client, "denied %llu", (unsigned long long)totals.denied);
	control_say(client, "reloads %u", s.reloads > 0 ? s.reloads - 1 : 0);
	control_say(client, "failed_reloads %u", s.failed_reloads);
	for (int64_t i = 0; current && i < current->image.config->listeners; i++)
		control_say(client, "listening %s", current->listeners[i]->address);
	control_end(client, EX_OK);
}

static void obey(unsigned client, const char *command)
{
	if (strcmp(command, "ping") == 0) {
		control_say(client, "pong");
		control_end(client, EX_OK);
	} else if (strcmp(command, "version") == 0) {
		control_say(client, "version " PACKAGE_VERSION);
		control_end(client, EX_OK);
	} else if (strcmp(command, "status") == 0) {
		say_status(client);
	} else if (strcmp(command, "reload") == 0 && !s.stopping) {
		control_keep(client, CONTROL_RELOAD);
		begin_reload();
	} else if (strcmp(command, "stop") == 0 || strcmp(command, "stop now") == 0) {
		control_say(client, "stopping");
		control_say(client, "end 0");
		control_keep(client, CONTROL_EXIT);
		stop(strcmp(command, "stop") == 0 && !s.stopping ? 1 : STOP_AT_ONCE);
	} else {
		control_say(client, "error %s", s.stopping ? "the daemon is stopping" : "unknown command");
		control_end(client, s.stopping ? EX_UNAVAILABLE : EX_USAGE);
	}
}

static void take_signals(void)
{
	struct signalfd_siginfo info;

	while (read(s.signals, &info, sizeof info) == sizeof info) {
		switch (info.ssi_signo) {
		case SIGTERM:
		case SIGINT:
			stop(1);
			break;
		case SIGQUIT:
			stop(STOP_AT_ONCE);
			break;
		case SIGHUP:
			begin_reload();
			break;
		case SIGUSR1:
			log_statistics();
			break;
		case SIGUSR2:
			log_notice("a binary upgrade is not part of this version: restart instead");
			break;
		default:
			break;    /* SIGCHLD only wakes us */
		}
	}
}

/* Until there is none left, on every wake-up: signals that come together are one. */
static void reap(uint64_t now_us)
{
	struct generation *generations[] = { s.next, s.current, s.old };
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == s.loader.pid) {
			loader_ended(&s.loader, status);
			continue;
		}
		for (size_t i = 0; i < 3; i++)
			if (generations[i] && generation_reaped(generations[i], pid, status, now_us))
				s.look = true;
	}
}

static bool discard(struct generation **generation)
{
	if (!*generation || !generation_is_gone(*generation))
		return false;
	scoreboard_sum((*generation)->board, &s.before);
	s.before.seated = 0;
	generation_free(*generation);
	*generation = NULL;
	return true;
}

/* Moves on whatever can move on. */
static void advance(uint64_t now_us)
{
	struct generation *generations[] = { s.next, s.current, s.old };

	for (size_t i = 0; i < 3; i++)
		if (generations[i])
			generation_tend(generations[i], now_us);
	if (s.look && s.current && !s.stopping)
		generation_look(s.current);
	s.look = false;
	if (discard(&s.old) && !s.stopping)
		set_blocking();
	if (s.stopping) {
		discard(&s.next);
		discard(&s.current);
		return;
	}
	loader_check(&s.loader, now_us);
	if (s.step == STEP_LOADS && s.loader.ended && !loader_read(&s.loader))
		take_image();
	if (s.step == STEP_WAITS && !s.old)
		start_generation();
	if (s.step == STEP_STARTS) {
		generation_tend(s.next, now_us);
		if (s.next->state == GENERATION_SERVES)
			replace_generation(now_us);
		else if (s.next->state == GENERATION_FAILED)
			discard_next();
	}
	if (!s.current && s.step == STEP_NONE && !s.stopping)
		stop(STOP_AT_ONCE);
}

static int wait_ms(uint64_t now_us)
{
	const struct generation *generations[] = { s.next, s.current, s.old };
	uint64_t due_us = control_due_us();

	if (s.loader.pid > 0 && !s.loader.late && s.loader.deadline_us < due_us)
		due_us = s.loader.deadline_us;
	for (size_t i = 0; i < 3; i++) {
		uint64_t own_us = generations[i] ? generation_due_us(generations[i], now_us) : UINT64_MAX;

		due_us = own_us < due_us ? own_us : due_us;
	}
	if (due_us == UINT64_MAX)
		return -1;
	if (due_us <= now_us)
		return 0;
	due_us = (due_us - now_us + CLOCK_MS - 1) / CLOCK_MS;
	return due_us < LONGEST_WAIT_MS ? (int)due_us : LONGEST_WAIT_MS;
}

static void wait_for_events(void)
{
	struct pollfd fds[CONTROL_CLIENTS + 4];
	uint64_t told;
	int count = control_poll(fds);

	fds[count++] = (struct pollfd){ .fd = s.signals, .events = POLLIN };
	fds[count++] = (struct pollfd){ .fd = s.told, .events = POLLIN };
	if (s.loader.lines >= 0 && s.step == STEP_LOADS && !s.loader.ended)
		fds[count++] = (struct pollfd){ .fd = s.loader.lines, .events = POLLIN };
	poll(fds, (nfds_t)count, wait_ms(clock_now_us()));
	if (read(s.told, &told, sizeof told) > 0)
		s.look = s.old != NULL;
}

static bool is_over(void)
{
	return s.stopping && !s.next && !s.current && !s.old;
}

static void loop(void)
{
	while (!is_over()) {
		uint64_t now_us;

		wait_for_events();
		now_us = clock_now_us();
		take_signals();
		reap(now_us);
		if (s.step == STEP_LOADS && !s.loader.ended)
			loader_read(&s.loader);
		control_serve(now_us, obey);
		advance(now_us);
	}
}

/* ---- beginning and end ---- */

/* A listener that a worker of another generation held open would seem to be served, long after it was removed. */
static void forget(const struct generation *generation)
{
	close(s.signals);
	if (s.pidfile >= 0)
		close(s.pidfile);
	if (s.launcher >= 0) {
		daemonize_detach(s.devnull);
		close(s.launcher);
	}
	control_close(false);
	for (size_t i = 0; i < s.listener_count; i++)
		if (!is_listed(generation, s.listeners[i]))
			close(s.listeners[i]->fd);
}

static int open_signals(void)
{
	static const int wanted[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		signal(wanted[i], SIG_DFL);       /* an ignored signal would never show in the descriptor */
		sigaddset(&set, wanted[i]);
	}
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_SETMASK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int open_all(void)
{
	s.devnull = open("/dev/null", O_RDWR | O_CLOEXEC);
	s.told = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	s.signals = open_signals();
	if (s.devnull < 0 || s.told < 0 || s.signals < 0)
		return EX_OSERR;
	umask(022);
	if (chdir("/") < 0)
		return EX_OSERR;
	/* the children of a fork worker that died are to come to us, so that none is lost from sight */
	return prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 ? EX_OSERR : 0;
}

int supervisor_run(const struct options *options, int launcher)
{
	s.options = options;
	s.launcher = launcher;
	s.started_us = clock_now_us();
	if (open_all() != 0) {
		complain(EX_OSERR, "can't start: %s", strerror(errno));
	} else {
		s.surroundings = (struct surroundings){ &s.privileges, s.devnull, s.told, forget };
		proctitle_set("aphorismd: supervisor");
		begin_reload();
		if (s.step == STEP_LOADS)
			loop();
	}
	close_unlisted();
	control_close(true);
	pidfile_remove(s.pidfile_path, s.pidfile);
	if (s.status == 0)
		log_notice("stopped");
	daemonize_ready(s.launcher, s.status == 0 ? EX_OSERR : s.status);
	return s.status;
}
