/*
 * report.h - why a start or a reload fails, or the daemon ends: to the log, to whoever waits for the start, and to the
 * predecessor.
 */
#ifndef APHORISMD_REPORT_H
#define APHORISMD_REPORT_H

#include <stdbool.h>

extern struct report {
	bool to_syslog;                   /* messages do not reach the terminal */
	int status;                       /* to exit with, 0 for success */
	int error;                        /* the errno behind it, where there is one */
	char reason[1024];                /* the first since a start or a reload began, or of the end; "": none */
} report;

/*
 * Logs an error.  Before the daemon is ready somebody may wait at a terminal for the reason, even if messages go to
 * syslog already: then also there, and the status is to exit with.  Returns it.
 */
int report_complain(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What the loader found, as it put it: to the log, and to a terminal as it is. */
void report_tell(const char *text);

/* Why the daemon ends that has served: logged, and in place of reasons before. */
void report_end(int status, const char *reason);

/* The last word to the service manager, which stays in sight when the service has failed. */
void report_failure(void);

#endif
