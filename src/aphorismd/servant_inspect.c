/*
 * servant_inspect.c - what who serves may do, found out by asking the kernel in his name.
 *
 * Nothing is imitated: what owners, modes, links, lists of access and settings of the kernel come to, the kernel knows.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aphorismd/privileges.h"
#include "aphorismd/servant.h"
#include "common/clock.h"
#include "common/dial.h"
#include "common/folder.h"
#include "common/regular.h"
#include "net/listener.h"

#define DEFAULT_FOLDER RUNSTATEDIR "/aphorismd"
#define MEND_FILE "a file that he sees and may read, such as one in " SYSCONFDIR "/aphorismd"
#define MEND_PORT "a port from 1024 on, or the unit's drop-in for CAP_NET_BIND_SERVICE that aphorismd(8) shows"
#define UNIX "unix:"
enum { LIMIT_S = 10 };

struct inspection {
	const struct servant *servant;
	const struct config *config;
	const struct doctor_ear *ear;
	enum doctor_level grave;          /* of what a start would fail at */
	char whom[SERVANT_WORDS];         /* "; it runs as user NAME": what root may do himself does not mislead him */
};

/* ---- addresses ---- */

static bool is_file(const char *address)
{
	return strncmp(address, UNIX, strlen(UNIX)) == 0;
}

static bool is_low(void *arg, const char *capability)
{
	(void)arg;
	return strcasecmp(capability, "CAP_NET_BIND_SERVICE") == 0;
}

/* One of a user namespace of its own says nothing about the machine's ports. */
static bool may_bind_low(const struct unit *unit)
{
	return unit_any(unit, UNIT_CAPABILITIES, is_low, NULL) && !unit->value[UNIT_PRIVATE_USERS][0] &&
	       (!unit->bounded || unit_any(unit, UNIT_BOUNDING, is_low, NULL));
}

/* Whether an address is in use is not asked: by the daemon that runs it is.  One that is missing may be there later. */
static void inspect_address(const struct inspection *inspection, const struct config_listen *listen_at)
{
	int error = listener_try(listen_at);
	bool denied = error == EACCES;

	if (error == 0 || (denied && inspection->servant->by_unit && may_bind_low(&inspection->servant->unit)))
		return;
	doctor_find(inspection->ear, denied ? inspection->grave : DOCTOR_WARNING, "listen",
	            denied ? MEND_PORT : "ip address add before the start, or another address",
	            "%s: %s%s", listen_at->address, listener_reason(listen_at->address, error),
	            denied ? inspection->whom : "");
}

/* ---- folders ---- */

/* A folder by its name without links, as far as it is there: what the unit makes at a start may not be. */
static void name_folder(char to[PATH_MAX], const char *folder)
{
	char above[PATH_MAX], real[PATH_MAX];
	const char *slash;
	size_t len;

	snprintf(to, PATH_MAX, "%s", folder);
	for (len = strlen(to); len > 1 && to[len - 1] == '/'; len--)
		to[len - 1] = '\0';
	slash = strrchr(to, '/');
	snprintf(above, sizeof above, "%.*s/", (int)(slash ? slash - to : 0), to);
	if (realpath(to, real))
		snprintf(to, PATH_MAX, "%s", real);
	else if (slash && realpath(above, real) && strlen(real) + strlen(slash) < PATH_MAX) {
		memmove(to + strlen(real), slash, strlen(slash) + 1);
		memcpy(to, real, strlen(real));
	}
}

static bool is_above(const char *folder, const char *path)
{
	size_t len = strcmp(folder, "/") == 0 ? 0 : strlen(folder);

	return strncmp(folder, path, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

static bool is_word_above(void *path, const char *word)
{
	char folder[PATH_MAX];

	name_folder(folder, word + strspn(word, "-+"));
	return is_above(folder, path);
}

/* Is it in a folder that the unit makes, or is that?  Shortens the path. */
static bool is_made(const struct unit *unit, char *path)
{
	char *slash = path;

	while (slash && !unit_makes(unit, path))
		if ((slash = strrchr(path, '/')) != NULL)
			*slash = '\0';
	return slash != NULL;
}

static bool is_among(const char *const *folders, const char *path)
{
	while (*folders && !is_above(*folders, path))
		folders++;
	return *folders != NULL;
}

/* Two keys wall off a part each; and a /tmp of its own is not among that. */
static bool is_walled_off(const struct unit *unit, const char *path)
{
	static const char *const homes[] = { "/home", "/root", "/run/user", NULL };
	static const char *const others[] = { "/dev", "/proc", "/sys", NULL };
	static const char *const temporary[] = { "/tmp", "/var/tmp", NULL };

	if (is_among(homes, path))
		return strcmp(unit->value[UNIT_HOME], "read-only") == 0;
	return strcmp(unit->value[UNIT_SYSTEM], "strict") == 0 && !is_among(others, path) &&
	       !(unit->value[UNIT_TMP][0] && is_among(temporary, path));
}

/* But for what the unit names, and what it makes. */
static bool is_read_only(const struct servant *servant, const struct folder *folder)
{
	const struct unit *unit = &servant->unit;
	char link[64], path[PATH_MAX];
	ssize_t len;

	snprintf(link, sizeof link, "/proc/self/fd/%d", folder->fd);
	if (!servant->by_unit || (len = readlink(link, path, sizeof path - 1)) < 0)
		return false;
	path[len] = '\0';
	return is_walled_off(unit, path) && !unit_any(unit, UNIT_WRITABLE, is_word_above, path) &&
	       !is_made(unit, path);
}

/* What is in the way of a new file there, or 0.  Of somebody else than root nobody knows as whom he means to serve. */
static int obstacle(const struct inspection *inspection, const char *path, bool at_start)
{
	struct folder folder;
	int error = 0;

	if (!folder_open(&folder, path)) {
		error = errno;
		return inspection->servant->by_root || error == ENOENT || error == ENOTDIR ? error : 0;
	}
	if (faccessat(folder.fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		error = errno;
	if (error == 0 && is_read_only(inspection->servant, &folder))
		error = EROFS;
	folder_close(&folder);
	/* at a start root's daemon overrides permissions */
	return !inspection->servant->by_root ||
	       (error == EACCES && at_start && !inspection->servant->by_unit) ? 0 : error;
}

/* at_start: then alone the file is made.  It is shown as the configuration has it, with unix: in front. */
static void inspect_folder(const struct inspection *inspection, enum doctor_level level, const char *about,
                           const char *file, bool at_start)
{
	const char *path = file + (is_file(file) ? strlen(UNIX) : 0);
	char folder[PATH_MAX], real[PATH_MAX], mend[PATH_MAX + 64];
	const char *slash = strrchr(path, '/');
	int error;

	snprintf(folder, sizeof folder, "%.*s", (int)(slash ? slash - path : 0), path);
	name_folder(real, folder);
	if (inspection->servant->by_unit && unit_makes(&inspection->servant->unit, real))
		return;
	error = obstacle(inspection, path, at_start);
	if (error == ENOENT && strcmp(real, DEFAULT_FOLDER) == 0) {
		doctor_find(inspection->ear, DOCTOR_NOTE, about, "",
		            "%s: its folder isn't there now; the units and the init script make it", file);
		return;
	}
	if (error == ENOENT)
		snprintf(mend, sizeof mend, "mkdir %s, or another folder", folder);
	else
		snprintf(mend, sizeof mend, "another folder: " DEFAULT_FOLDER);
	if (error != 0)
		doctor_find(inspection->ear, level, about, mend, "%s: its folder: %s%s", file, strerror(error),
		            error == ENOENT ? "" : inspection->whom);
}

/* The daemon serves without its metrics; without its pidfile, or a socket, it does not. */
static void inspect_folders(const struct inspection *inspection)
{
	const struct config *config = inspection->config;

	if (config->set.pidfile && config->pidfile[0])
		inspect_folder(inspection, inspection->grave, "process.pidfile", config->pidfile, true);
	if (config->set.control && config->control[0])
		inspect_folder(inspection, inspection->grave, "control.socket", config->control, true);
	if (config->metrics[0])
		inspect_folder(inspection, DOCTOR_WARNING, "metrics.file", config->metrics, false);
}

/* Takes a UNIX listener's address apart: its folder by its name without links, and the name in there. */
static const char *take_apart(const char *address, char folder[PATH_MAX])
{
	const char *path = address + strlen(UNIX), *slash = strrchr(path, '/');
	char named[PATH_MAX];

	snprintf(named, sizeof named, "%.*s/", (int)(slash - path), path);
	name_folder(folder, named);
	return slash + 1;
}

static bool is_same_file(const char *address, const char *other)
{
	char folder[PATH_MAX], other_folder[PATH_MAX];
	const char *name = take_apart(address, folder), *other_name = take_apart(other, other_folder);

	return strcmp(folder, other_folder) == 0 && strcmp(name, other_name) == 0;
}

/* Whom it is to belong to, and whether one before it in the list is the same by another name. */
static void inspect_file(const struct inspection *inspection, int64_t i)
{
	const struct config_listen *all = inspection->config->listen;
	const char *why = inspection->servant->by_root ? listener_cant_give(&all[i]) : NULL;

	inspect_folder(inspection, inspection->grave, "listen", all[i].address, true);
	if (why)
		doctor_find(inspection->ear, inspection->grave, "listen",
		            "no user, and a group of the unit's SupplementaryGroups=", "%s: %s%s", all[i].address,
		            why, inspection->whom);
	for (int64_t k = 0; k < i; k++)
		if (is_file(all[k].address) && is_same_file(all[k].address, all[i].address))
			doctor_find(inspection->ear, inspection->grave, "listen", "", "%s is the same file as %s",
			            all[i].address, all[k].address);
}

static void inspect_listeners(const struct inspection *inspection)
{
	const struct config *config = inspection->config;

	for (int64_t i = 0; i < config->listeners; i++) {
		if (is_file(config->listen[i].address))
			inspect_file(inspection, i);
		else
			inspect_address(inspection, &config->listen[i]);
	}
}

/* ---- files, and who he is ---- */

/* Of the configuration itself nothing is to be known here: it is another one that the service reads. */
static void inspect_table(const struct inspection *inspection)
{
	const char *path = inspection->config->aphorisms, *reason;
	char who[SERVANT_WORDS];
	struct stat st;
	int fd = *path ? regular_open(path, &st, &reason) : 0;

	if (fd < 0)
		doctor_find(inspection->ear, inspection->grave, "aphorisms", MEND_FILE, "%s: %s, to %s", path, reason,
		            servant_who(inspection->servant, who));
	if (fd > 0)
		close(fd);
}

static void inspect_user(const struct inspection *inspection)
{
	char reason[PRIVILEGES_REASON], *colon;
	struct privileges privileges;

	if (privileges_resolve(&privileges, inspection->config, reason) == 0 || !(colon = strstr(reason, ": ")))
		return;
	*colon = '\0';
	doctor_find(inspection->ear, inspection->grave, reason, "User= in the unit, and not here", "%s%s", colon + 2,
	            inspection->whom);
}

/* A daemon that somebody else starts may have no pidfile, and another folder for it. */
static void inspect_pidfile(const struct inspection *inspection)
{
	const struct config *config = inspection->config;

	if (config->pidfile[0] && (config->set.pidfile || (geteuid() == 0 && access(config->pidfile, F_OK) == 0)))
		doctor_check_pidfile(config->pidfile, inspection->grave, inspection->ear);
}

static void inspect_all(const struct inspection *inspection)
{
	int blind;

	if (!servant_become(inspection->servant, &blind)) {
		doctor_find(inspection->ear, DOCTOR_NOTE, "service", "",
		            "user %s of %s: what he meets can't be known here: %s",
		            inspection->servant->unit.value[UNIT_USER], unit_name, strerror(errno));
		return;
	}
	if (blind != 0)
		doctor_find(inspection->ear, DOCTOR_NOTE, "service", "",
		            "what ProtectHome and PrivateTmp of %s hide can't be known here: %s", unit_name,
		            strerror(blind));
	if (inspection->servant->by_unit)
		inspect_user(inspection);
	if (!inspection->servant->reads)
		inspect_table(inspection);
	inspect_listeners(inspection);
	inspect_folders(inspection);
	inspect_pidfile(inspection);
}

/* ---- the child, and what it says ---- */

/* A record each. */
struct finding {
	enum doctor_level level;
	char about[64], what[2 * PATH_MAX], mend[PATH_MAX + 64];
};

static void send_finding(void *socket, enum doctor_level level, const char *about, const char *what, const char *mend)
{
	struct finding finding = { .level = level };

	snprintf(finding.about, sizeof finding.about, "%s", about);
	snprintf(finding.what, sizeof finding.what, "%s", what);
	snprintf(finding.mend, sizeof finding.mend, "%s", mend);
	send(*(const int *)socket, &finding, sizeof finding, MSG_NOSIGNAL);
}

static void run(struct inspection inspection, int socket)
{
	const struct doctor_ear ear = { send_finding, &socket };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	inspection.ear = &ear;
	inspect_all(&inspection);
	_exit(0);
}

/* Passes on all that comes until the end, or until it is late: then false. */
static bool hear(int socket, const struct doctor_ear *ear)
{
	const uint64_t until_us = clock_now_us() + (uint64_t)LIMIT_S * CLOCK_S;
	struct pollfd from = { .fd = socket, .events = POLLIN };
	struct finding finding;

	while (dial_wait(&from, 1, until_us) != 0) {
		if (recv(socket, &finding, sizeof finding, 0) != sizeof finding)
			return true;
		doctor_find(ear, finding.level, finding.about, finding.mend, "%s", finding.what);
	}
	return false;
}

void servant_inspect(const struct servant *servant, const struct config *config, const struct doctor_ear *ear)
{
	struct inspection inspection = { servant, config, ear, servant->certain ? DOCTOR_ERROR : DOCTOR_WARNING, "" };
	int ends[2] = { -1, -1 };
	pid_t pid = -1;

	if (servant->by_unit)
		snprintf(inspection.whom, sizeof inspection.whom, "; %s runs as user %.32s", unit_name,
		         servant->unit.value[UNIT_USER]);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0 && (pid = fork()) == 0)
		run(inspection, ends[1]);
	if (pid < 0) {
		doctor_find(ear, DOCTOR_NOTE, "service", "", "what it meets can't be looked at: %s", strerror(errno));
	} else {
		close(ends[1]);
		if (!hear(ends[0], ear)) {
			kill(pid, SIGKILL);   /* one that a dead file system holds is not waited for */
			doctor_find(ear, DOCTOR_NOTE, "service", "",
			            "what it meets could not be looked at within %d s", LIMIT_S);
		}
		waitpid(pid, NULL, WNOHANG);
	}
	if (ends[0] >= 0)
		close(ends[0]);
	if (servant->unsure[0])
		doctor_find(ear, DOCTOR_NOTE, "service", "", "whether %s is to serve this can't be known: %s%s",
		            unit_name, servant->unsure, inspection.whom);
}
