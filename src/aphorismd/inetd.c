/*
 * inetd.c - one conversation, with whoever is standard input.
 */
#include "aphorismd/inetd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/inherited.h"
#include "aphorismd/loader.h"
#include "aphorismd/privileges.h"
#include "common/log.h"
#include "metrics/scoreboard.h"
#include "net/descriptor.h"
#include "worker/pump.h"

static enum descriptor_kind kind;
static const char *what;
bool inetd_mute;

bool inetd_is_asked(char *const *argv)
{
	while (*++argv && strcmp(*argv, "--") != 0)
		if (strncmp(*argv, "--i", 3) == 0)        /* options_read() takes abbreviations */
			return true;
	return false;
}

static bool is_same(const struct stat *st, int fd)
{
	struct stat other;

	return fstat(fd, &other) == 0 && other.st_dev == st->st_dev && other.st_ino == st->st_ino;
}

/* What is a socket, and the same in 1 and 2: a client's, where nothing may be written that is no answer. */
static bool hide_socket(const struct stat *st)
{
	int devnull = open("/dev/null", O_RDWR);

	if (devnull >= 0 && devnull <= INHERITED_FIRST)
		devnull = fcntl(devnull, F_DUPFD, INHERITED_FIRST + 1);
	if (devnull < 0 || dup2(STDIN_FILENO, INHERITED_FIRST) < 0 ||
	    fcntl(INHERITED_FIRST, F_SETFD, FD_CLOEXEC) < 0)
		return false;
	for (int fd = STDERR_FILENO; fd >= STDIN_FILENO; fd--)
		if (is_same(st, fd) && dup2(devnull, fd) < 0)
			return false;
	return true;
}

int inetd_take(void)
{
	struct stat st;

	kind = descriptor_kind(STDIN_FILENO, &what);
	if (fstat(STDIN_FILENO, &st) < 0 || !S_ISSOCK(st.st_mode))
		return 0;
	inetd_mute = is_same(&st, STDERR_FILENO);
	if (!hide_socket(&st)) {
		kind = DESCRIPTOR_OTHER;
		what = "a socket, and /dev/null can't take its place";
	}
	if (kind == DESCRIPTOR_OTHER)
		return 0;
	inherited_set(kind == DESCRIPTOR_CONNECTION);
	return 1;
}

static void report(void *arg, bool error, const char *line)
{
	(void)arg;
	log_message(error ? LOG_ERR : LOG_NOTICE, "%s", line);
}

/* Rights go before the first byte is read.  The process that started us is nobody to follow: it may end before us. */
static int open_worker(struct worker *worker, const struct snapshot *snapshot, int fd,
                       const struct privileges *privileges)
{
	socklen_t len = sizeof worker->listeners[0].family;
	int status;

	worker->config = snapshot->config;
	worker->model = "inetd";
	worker->board = scoreboard_new(1, 1, 1);
	worker->devnull = worker->notices = -1;
	worker->listeners[0].service = snapshot_service(snapshot, &snapshot->config->listen[0]);
	if (!worker->board || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &worker->listeners[0].family, &len) < 0 ||
	    (worker->listeners[0].family != AF_UNIX && !listener_set_tcp(fd)) ||
	    !listener_set_timeouts(fd, snapshot->config) || chdir("/") < 0) {
		log_error("--inetd: can't serve the connection: %s", strerror(errno));
		return EX_OSERR;
	}
	worker->board->least_idle = INT32_MIN;            /* there is no supervisor to tell of a want of workers */
	status = privileges_drop(privileges);
	return status != 0 ? status : worker_open(worker, 1, 1);
}

static int converse(const struct options *options)
{
	static struct worker worker;      /* the signal handlers need it as long as the process lives */
	static struct loader loader;
	char reason[PRIVILEGES_REASON];
	struct connection connection;
	struct privileges privileges;
	struct snapshot snapshot = { .at = NULL };
	int status = loader_run(&loader, options, NULL, &snapshot);

	if (status == 0)
		options_open_log(options, snapshot.config);
	loader_each_report(loader.text, report, NULL);
	if (status == 0 && (status = privileges_resolve(&privileges, snapshot.config, reason)) != 0)
		log_error("%s", reason);
	if (status == 0)
		privileges_warn(&privileges, snapshot.config);
	if (status == 0)
		status = open_worker(&worker, &snapshot, INHERITED_FIRST, &privileges);
	if (status != 0 || !worker_admit(&worker, INHERITED_FIRST, &connection))
		return status;
	if ((status = privileges_confine(&worker, 0, false)) == 0)
		pump_converse(&connection, 0, 0);
	worker_close(&worker, &connection);
	return status;
}

int inetd_run(const struct options *options)
{
	if (kind == DESCRIPTOR_OTHER) {
		log_error("--inetd: standard input must be a connection or a listening socket, but is %s", what);
		return EX_USAGE;
	}
	return kind == DESCRIPTOR_LISTENER ? -1 : converse(options);
}
