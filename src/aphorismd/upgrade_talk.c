/*
 * upgrade_talk.c - records on a socket, and what was heard of a successor that fails.
 */
#include "aphorismd/upgrade_talk.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/loader.h"

static char reports[8192];                /* lines of "error TEXT\n" and "notice TEXT\n" */
static char words[256];                   /* the first one of another kind: on its standard error */

bool upgrade_talk_say(int fd, const char *line)
{
	return fd >= 0 && send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)strlen(line);
}

int upgrade_talk_hear(int *fd, char *text, size_t size)
{
	ssize_t n = *fd < 0 ? 0 : recv(*fd, text, size - 1, MSG_DONTWAIT);

	/* ECONNRESET: it has gone with words of ours unread, and its own last ones are still to come */
	if (*fd < 0 || (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNRESET)))
		return 0;
	if (n <= 0) {
		close(*fd);
		*fd = -1;
		return -1;
	}
	text[n] = '\0';
	return 1;
}

/* ---- what the successor has said ---- */

void upgrade_talk_clear(void)
{
	reports[0] = words[0] = '\0';
}

void upgrade_talk_take(const char *line, bool stray)
{
	size_t len = strlen(reports);
	bool is_report = strncmp(line, "error ", 6) == 0 || strncmp(line, "notice ", 7) == 0;

	if (is_report && len + strlen(line) + 2 <= sizeof reports)
		snprintf(reports + len, sizeof reports - len, "%s\n", line);
	else if (!is_report && stray && words[0] == '\0')
		snprintf(words, sizeof words, "%s", line);
}

const char *upgrade_talk_add(const char *reason)
{
	size_t len = strlen(reports);

	if (loader_first_error(reports))
		return reports;
	if (len + strlen(reason) + strlen("error \n") >= sizeof reports)
		len = 0;
	snprintf(reports + len, sizeof reports - len, "error %s\n", reason);
	return reports;
}

int upgrade_talk_explain(int status, char *to, size_t size)
{
	const char *error = loader_first_error(reports), *own = error ? error : words;
	int len = (int)strcspn(own, "\n");

	if (WIFSIGNALED(status))
		snprintf(to, size, "%.*s%sthe new process was ended by a signal: %s", len, own, len > 0 ? "; " : "",
		         strsignal(WTERMSIG(status)));
	else if (len > 0)
		snprintf(to, size, "%.*s (status %d)", len, own, WEXITSTATUS(status));
	else
		snprintf(to, size, "the new process ended with status %d before it was ready", WEXITSTATUS(status));
	return WIFEXITED(status) && WEXITSTATUS(status) >= EX__BASE && WEXITSTATUS(status) <= EX__MAX
	       ? WEXITSTATUS(status) : EX_OSERR;
}
