/*
 * log.h - messages to syslog or to standard error.
 *
 * Nothing here blocks: syslog is an unconnected datagram to /dev/log with MSG_DONTWAIT, since syslog(3) stops
 * the whole process when the reader of that socket hangs.  What could not be sent is counted, and the count is
 * told as soon as a message gets through again.  Safe in threads; never to be called from a signal handler.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h>

/* Names of the levels that there are, the most urgent first. */
#define LOG_LEVELS "error|warning|notice|info|debug"

enum log_target { LOG_TO_STDERR, LOG_TO_SYSLOG };

/* Room that log_escape() needs for a client's bytes: LOG_ESCAPED bytes of output hold a quoted, capped rendering. */
enum { LOG_ESCAPED = 160 };

/*
 * Chooses where messages go from now on, the syslog facility (LOG_DAEMON ...) and the least urgent level that is
 * written (LOG_ERR ... LOG_DEBUG).  May be called again after a reload.  The name stands in front of each message;
 * it is not copied.  Before the first call, messages go to standard error at LOG_NOTICE.  Where that is systemd's
 * journal (JOURNAL_STREAM), each begins with its level: "<3>".
 */
void log_open(const char *name, enum log_target, int facility, int level);

/* Another level; or that which somebody else keeps there from now on. */
void log_level(int level);
void log_follow(const _Atomic int *level);

/*
 * From now on this process and those that it forks count lost messages together, and whoever gets through first tells
 * of all: most of a daemon's processes end before they could tell of theirs.  Once, before the first fork.
 */
void log_share_losses(void);

/*
 * In a process that was just forked, and that somebody may take over one day: parts it from whatever its parent writes
 * messages to, since who holds the same open file may change its flags, shut it down or fill it.  It gets a socket to
 * syslog and an opening of standard error of its own; where the latter can't be had (a socket, a file that is not
 * appended to, no /proc, no right), `relay` takes its place: a pipe of which the reader passes lines on by log_pass().
 * Standard error is something else from then on.  False with errno when there is no descriptor for that; then nothing
 * has changed.
 */
bool log_part(int relay);

/* A line, without its newline, of a process that has no log of its own; cut at 2 KiB. */
void log_pass(const char *line, size_t len);

/* Another socket than /dev/log, for tests; copied, shorter than sun_path. */
void log_socket_path(const char *);

/* What stands in front of every message of this process, e.g. "prefork 3: "; copied, at most 63 bytes. */
void log_prefix(const char *);

/* One message, without a newline, printf-like.  LOG_ALWAYS | level is written whatever the level. */
enum { LOG_ALWAYS = 0x10000 };
void log_message(int level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_message(LOG_ERR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, __VA_ARGS__)
#define log_notice(...) log_message(LOG_NOTICE, __VA_ARGS__)
#define log_info(...) log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_DEBUG, __VA_ARGS__)

/* True when a message of that level would be written: lets a caller skip preparing its arguments. */
bool log_wants(int level);

/* One message at most per 10 s and limit; the next one that is written tells how many were held back. */
struct log_limit {
	_Atomic uint64_t next_us;
	_Atomic uint32_t held;
};
void log_limited(struct log_limit *, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));

/*
 * Renders bytes that a client chose for a log line: quoted, everything outside 0x20-0x7e, the quote and the
 * backslash escaped (\n, \r, \t, \xNN), cut with "..." so that it fits size.  Returns `to`.
 */
const char *log_escape(char *to, size_t size, const void *bytes, size_t len);

/* Makes a line of somebody else's text: '?' for each byte that is not plain (plain.h), in place.  Returns it. */
char *log_clean(char *text);

#endif
