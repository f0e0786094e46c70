/*
 * report.c - reasons, and where they are to be heard.
 */
#include "aphorismd/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "aphorismd/generations.h"
#include "aphorismd/loader.h"
#include "aphorismd/notify.h"
#include "aphorismd/predecessor.h"
#include "aphorismd/upgrade_talk.h"
#include "common/log.h"
#include "common/plain.h"

struct report report;

/* Before the daemon serves somebody waits for it to. */
static void say(bool error, const char *before, const char *text)
{
	char line[1100];

	log_message(error ? LOG_ERR : LOG_NOTICE, "%s", text);
	if (error && report.reason[0] == '\0')
		snprintf(report.reason, sizeof report.reason, "%s", text);
	if (generations.current)
		return;
	if (report.to_syslog)
		plain_say(stderr, "%s%s", before, text);
	snprintf(line, sizeof line, "%s %.*s\n", error ? "error" : "notice", (int)strcspn(text, "\n"), text);
	if (predecessor.owns)
		upgrade_talk_say(predecessor.fd, line);
}

int report_complain(int status, const char *format, ...)
{
	char text[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	say(true, "aphorismd: ", log_clean(text));
	if (!generations.current)
		report.status = status;
	return status;
}

static void tell(void *nothing, bool error, const char *line)
{
	(void)nothing;
	say(error, "", line);
}

void report_tell(const char *text)
{
	loader_each_report(text, tell, NULL);
}

void report_end(int status, const char *reason)
{
	snprintf(report.reason, sizeof report.reason, "%s", reason);
	log_error("%s: the daemon ends", reason);
	report.status = status;
	report.error = 0;
}

void report_failure(void)
{
	char said[64];

	if (report.error != 0)
		snprintf(said, sizeof said, "EXIT_STATUS=%d\nERRNO=%d\n", report.status, report.error);
	else
		snprintf(said, sizeof said, "EXIT_STATUS=%d\n", report.status);
	notify_say(said, "%s", report.reason);
}
