/*
 * upgrade_talk.c - the elder's end of the socket, and what it has heard there.
 */
#include "aphorismd/upgrade_talk.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

static int channel = -1;                  /* -1: there is none */
static char reports[8192];                /* lines of "error TEXT\n" and "notice TEXT\n" */
static char words[256];                   /* the first one of another kind: on its standard error */

void upgrade_talk_begin(int fd)
{
	channel = fd;
	reports[0] = words[0] = '\0';
}

bool upgrade_talk_say(const char *line)
{
	return channel >= 0 &&
	       send(channel, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)strlen(line);
}

void upgrade_talk_end(void)
{
	if (channel >= 0)
		close(channel);
	channel = -1;
}

bool upgrade_talk_hear(char *text, size_t size)
{
	ssize_t n = channel >= 0 ? recv(channel, text, size - 1, MSG_DONTWAIT) : -1;

	if (n == 0)
		upgrade_talk_end();
	if (n <= 0)
		return false;
	text[n] = '\0';
	return true;
}

int upgrade_talk_fd(void)
{
	return channel;
}

/* ---- what was heard ---- */

void upgrade_talk_take(const char *line, bool stray)
{
	size_t len = strlen(reports);
	bool is_report = strncmp(line, "error ", 6) == 0 || strncmp(line, "notice ", 7) == 0;

	if (is_report && len + strlen(line) + 2 <= sizeof reports)
		snprintf(reports + len, sizeof reports - len, "%s\n", line);
	else if (!is_report && stray && words[0] == '\0')
		snprintf(words, sizeof words, "%s", line);
}

/* A line, that is: notices may have the word in them. */
static const char *first_error(void)
{
	const char *line = reports;

	while (*line && strncmp(line, "error ", strlen("error ")) != 0)
		line += strcspn(line, "\n") + 1;         /* each ends in a newline */
	return *line ? line : NULL;
}

void upgrade_talk_add(const char *reason)
{
	size_t len = strlen(reports);

	if (first_error())
		return;
	if (len + strlen(reason) + strlen("error \n") >= sizeof reports)
		len = 0;
	snprintf(reports + len, sizeof reports - len, "error %s\n", reason);
}

const char *upgrade_talk_reports(void)
{
	return reports;
}

int upgrade_talk_explain(int status, char *to, size_t size)
{
	const char *error = first_error();
	const char *own = error ? error + strlen("error ") : words;
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
