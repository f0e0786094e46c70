/*
 * supervisor_metrics.c - the metrics in a file, for a monitor that reads files.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aphorismd/supervisor_parts.h"
#include "common/clock.h"
#include "common/compat.h"
#include "common/folder.h"
#include "common/log.h"

enum { WRITE_US = 10 * CLOCK_S };

/* NULL: nowhere; while an elder serves, the file is its. */
static const char *path_of(const struct supervisor *s)
{
	return s->current && !s->claims && s->current->image.config->metrics[0] ? s->current->image.config->metrics
	                                                                        : NULL;
}

/*
 * Whoever reads the file sees all of the old one or all of the new one.  Returns 0, or an errno; in a process that ends
 * with that.
 */
static int replace(const char *path, const char *text, size_t len)
{
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

/* NULL with errno; to be freed. */
static char *render(const struct supervisor *s, size_t *len)
{
	struct figures figures;
	char *text = NULL;
	FILE *to = open_memstream(&text, len);

	if (!to)
		return NULL;
	supervisor_figures(s, &figures);
	figures_print_metrics(&figures, to);
	if (fclose(to) == 0)
		return text;
	free(text);
	return NULL;
}

static void begin(struct supervisor *s, const char *path, uint64_t now_us)
{
	static struct log_limit limit;
	size_t len;
	char *text = render(s, &len);
	pid_t pid = text ? fork() : -1;

	if (pid == 0) {
		compat_close_from(STDERR_FILENO + 1);     /* it may outlive us, and is to hold no listener */
		_exit(privileges_keep_none() ? replace(path, text, len) : errno);
	}
	if (pid < 0)
		log_limited(&limit, LOG_WARNING, "metrics.file: can't write %s: %s", path, strerror(errno));
	s->metrics.pid = pid > 0 ? pid : 0;
	s->metrics.due_us = now_us + WRITE_US;
	free(text);
}

void supervisor_renew_metrics(struct supervisor *s)
{
	s->metrics.error = 0;
	s->metrics.renewed = s->metrics.pid > 0;
	if (!s->metrics.renewed)
		s->metrics.due_us = 0;
}

bool supervisor_metrics_reaped(struct supervisor *s, pid_t pid, int status)
{
	static struct log_limit limit;
	const char *path = path_of(s);

	if (pid != s->metrics.pid)
		return false;
	s->metrics.pid = 0;
	if (s->metrics.renewed) {         /* what it wrote is of the configuration before */
		supervisor_renew_metrics(s);
		return true;
	}
	s->metrics.due_us = clock_now_us() + (path ? (uint64_t)s->current->image.config->metrics_interval_us : 0);
	s->metrics.error = WIFEXITED(status) ? WEXITSTATUS(status) : ETIMEDOUT;
	if (path && s->metrics.error != 0)
		log_limited(&limit, LOG_WARNING, "metrics.file: can't write %s: %s", path, strerror(s->metrics.error));
	return true;
}

void supervisor_mend_metrics(const struct supervisor *s, char *mend, size_t size)
{
	const char *path = path_of(s), *slash = strrchr(s->control_path, '/');
	int len = slash ? (int)(slash - s->control_path) : 0;
	bool is_there = path && strncmp(path, s->control_path, (size_t)len + 1) == 0 && !strchr(path + len + 1, '/');

	if (s->metrics.error == ENOSPC || s->metrics.error == EDQUOT)
		snprintf(mend, size, "room in its file system");
	else if (slash && !is_there)
		snprintf(mend, size, "metrics = { file = \"%.*s/aphorismd.prom\"; };", len, s->control_path);
	else
		snprintf(mend, size, "a folder that whoever starts the daemon may write to");
}

uint64_t supervisor_metrics_due_us(const struct supervisor *s)
{
	if (s->stopping || s->upgrade.step == UPGRADE_DONE)
		return UINT64_MAX;        /* nobody tends them any more */
	return s->metrics.pid > 0 || path_of(s) ? s->metrics.due_us : UINT64_MAX;
}

void supervisor_tend_metrics(struct supervisor *s, uint64_t now_us)
{
	const char *path = path_of(s);

	if (now_us < s->metrics.due_us)
		return;
	if (s->metrics.pid > 0) {
		kill(s->metrics.pid, SIGKILL);
		s->metrics.due_us = now_us + WRITE_US;
	} else if (path && !s->stopping) {
		begin(s, path, now_us);
	}
}
