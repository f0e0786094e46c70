/*
 * calendar.h - the time of day as text, in the local zone.
 */
#ifndef COMMON_CALENDAR_H
#define COMMON_CALENDAR_H

#include <stdint.h>

enum { CALENDAR_TEXT = 24 };              /* bytes: "Sun Sep  6 14:10:08 2026" */

/*
 * Reads what the local zone is (TZ, else /etc/localtime), once for all texts that follow: to be called before the
 * sandbox, which would deny it.  It waits for files.
 */
void calendar_open(void);

/* Writes a time in us since 1970, in the form of ctime(3) without its newline; no NUL.  Opens no file, never blocks. */
void calendar_write(char text[CALENDAR_TEXT], uint64_t wall_us);

#endif
