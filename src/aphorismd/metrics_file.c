/*
 * metrics_file.c - the metrics in a file, at times and at once after a reload.
 *
 * A process of its own writes it: a file system may keep whoever writes waiting.
 */
#include "aphorismd/metrics_file.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aphorismd/generations.h"
#include "aphorismd/part.h"
#include "aphorismd/predecessor.h"
#include "aphorismd/setup.h"
#include "aphorismd/status.h"
#include "common/clock.h"
#include "common/compat.h"
#include "common/folder.h"
#include "common/log.h"

enum { WRITE_US = 10 * CLOCK_S };

static struct {
	uint32_t generation;              /* that it is of */
	pid_t pid;                        /* of the process that writes the file now; 0: none */
	uint64_t due_us;                  /* when that is killed; or when the next one begins */
	int error;                        /* of the last one: an errno, or 0 */
	bool renewed;                     /* there has been a reload since it began */
} metrics;

/* NULL: nowhere; while a predecessor serves, the file is its. */
static const char *find_path(void)
{
	const struct generation *current = predecessor.owns ? NULL : generations.current;

	return current && current->snapshot.config->metrics[0] ? current->snapshot.config->metrics : NULL;
}

/*
 * Whoever reads the file sees all of the old one or all of the new one.  Returns 0, or an errno; in a process that ends
 * with that.
 */
static int replace(const char *path, const char *text)
{
	size_t len = strlen(text);
	char next[PATH_MAX + 8];
	struct folder folder;
	struct stat st;
	ssize_t n;
	int fd, error;

	if (!folder_open(&folder, path))
		return errno;
	/* what root asks to be written to /dev/null is not to take its place */
	if (fstatat(folder.fd, folder.name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode) &&
	    !S_ISLNK(st.st_mode) && !S_ISDIR(st.st_mode))
		return EEXIST;
	snprintf(next, sizeof next, "%s.tmp", folder.name);
	/* of one that was killed, or a link of somebody's: this one is to be our own */
	unlinkat(folder.fd, next, 0);
	fd = openat(folder.fd, next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return errno;
	n = write(fd, text, len);
	if (n == (ssize_t)len && fchmod(fd, 0644) == 0 && close(fd) == 0 &&
	    renameat(folder.fd, next, folder.fd, folder.name) == 0)
		return 0;
	error = n >= 0 && n < (ssize_t)len ? ENOSPC : errno;
	unlinkat(folder.fd, next, 0);
	return error;
}

static void begin(const char *path, uint64_t now_us)
{
	static struct log_limit limit;
	char *text = status_text(figures_print_metrics);
	pid_t pid = text ? fork() : -1;

	if (pid == 0) {
		compat_close_from(STDERR_FILENO + 1);     /* it may outlive us, and is to hold no listener */
		_exit(privileges_keep_none() ? replace(path, text) : errno);
	}
	if (pid < 0)
		log_limited(&limit, LOG_WARNING, "metrics.file: can't write %s: %s", path, strerror(errno));
	metrics.pid = pid > 0 ? pid : 0;
	metrics.due_us = now_us + WRITE_US;
	free(text);
}

/* After a reload: it is due at once, wherever it goes to now. */
static void renew(void)
{
	metrics.error = 0;
	metrics.renewed = metrics.pid > 0;
	if (!metrics.renewed)
		metrics.due_us = 0;
}

static bool reaped(pid_t pid, int status, uint64_t now_us)
{
	static struct log_limit limit;
	const char *path = find_path();

	if (pid != metrics.pid)
		return false;
	metrics.pid = 0;
	if (metrics.renewed) {            /* what it wrote is of the configuration before */
		renew();
		return true;
	}
	metrics.due_us = now_us + (path ? (uint64_t)generations.current->snapshot.config->metrics_interval_us : 0);
	metrics.error = WIFEXITED(status) ? WEXITSTATUS(status) : ETIMEDOUT;
	if (path && metrics.error != 0)
		log_limited(&limit, LOG_WARNING, "metrics.file: can't write %s: %s", path, strerror(metrics.error));
	return true;
}

/* A file in the folder of the control socket: we have made that already, and the units let us write to it. */
static void mend(char *to, size_t size)
{
	const char *path = find_path(), *control = setup.control_path, *slash = strrchr(control, '/');
	int len = slash ? (int)(slash - control) : 0;
	bool is_there = path && strncmp(path, control, (size_t)len + 1) == 0 && !strchr(path + len + 1, '/');

	if (metrics.error == ENOSPC || metrics.error == EDQUOT)
		snprintf(to, size, "room in its file system");
	else if (slash && !is_there)
		snprintf(to, size, "metrics = { file = \"%.*s/aphorismd.prom\"; };", len, control);
	else
		snprintf(to, size, "a folder that whoever starts the daemon may write to");
}

void metrics_file_check(const struct doctor_ear *ear)
{
	char mended[CONFIG_ADDRESS + 64];

	if (metrics.error == 0)
		return;
	mend(mended, sizeof mended);
	doctor_find(ear, DOCTOR_ERROR, "metrics.file", mended, "it can't be written: %s", strerror(metrics.error));
}

/* ---- as the loop asks ---- */

static uint64_t due_us(void)
{
	return metrics.pid > 0 || find_path() ? metrics.due_us : UINT64_MAX;
}

static void tend(uint64_t now_us)
{
	const char *path = find_path();

	if (generations.current && metrics.generation != generations.current->number) {
		metrics.generation = generations.current->number;
		renew();
	}
	if (now_us < metrics.due_us)
		return;
	if (metrics.pid > 0) {
		kill(metrics.pid, SIGKILL);
		metrics.due_us = now_us + WRITE_US;
	} else if (path) {
		begin(path, now_us);
	}
}

const struct part part_metrics_file = { .serves = true, .due_us = due_us, .reaped = reaped, .tend = tend };
