/*
 * log.c - messages to syslog or to standard error.
 */
#include "common/log.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/plain.h"

enum { LINE = 2048, PREFIX = 64, LIMIT_US = 10 * CLOCK_S };

static struct {
	const char *name;
	enum log_target target;
	int facility, level;
	const _Atomic int *followed;      /* the level, in place of our own; NULL: it is our own */
	int syslog_fd;                    /* -1: not opened yet */
	int stderr_fd;                    /* our own opening of standard error, or 2 */
	bool own;                         /* it is our own: nobody else can have a write of ours wait */
	bool journal;                     /* standard error is systemd's journal, which takes levels */
	struct sockaddr_un address;
	char prefix[PREFIX];
} state = {
	.name = "aphorismd", .facility = LOG_DAEMON, .level = LOG_NOTICE,
	.syslog_fd = -1, .stderr_fd = STDERR_FILENO,
	.address = { .sun_family = AF_UNIX, .sun_path = "/dev/log" },
};
static _Atomic uint64_t own_dropped, *dropped = &own_dropped;

static int open_syslog(void)
{
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

/*
 * Standard error for ourselves alone: O_NONBLOCK belongs to the open file, which we share with the shell and
 * with whoever else writes there, so it is set on a second opening; so does the position in a file, which would be
 * another one than theirs, unless all append.  Sockets can't be opened anew, but sent to without waiting.  -1: there is
 * none.
 */
static int open_stderr(void)
{
	int flags = fcntl(STDERR_FILENO, F_GETFL);
	struct stat status;

	if (flags < 0 || fstat(STDERR_FILENO, &status) < 0 ||
	    !(S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode) || (S_ISREG(status.st_mode) && flags & O_APPEND)))
		return -1;
	return open("/proc/self/fd/2", O_WRONLY | (flags & O_APPEND) | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

/* JOURNAL_STREAM says which file was the journal when we were started; standard error may be another one by now. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat status;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &status) == 0 &&
	       status.st_dev == device && status.st_ino == inode;
}

void log_open(const char *name, enum log_target target, int facility, int level)
{
	int saved = errno;

	if (target == LOG_TO_SYSLOG && state.syslog_fd < 0) {
		state.syslog_fd = open_syslog();
		tzset(); /* reads a file, which a worker may not do later */
	}
	if (target == LOG_TO_STDERR && !state.own) {
		int fd = open_stderr();

		state.own = fd >= 0;
		state.stderr_fd = state.own ? fd : STDERR_FILENO;
	}
	state.journal = target == LOG_TO_STDERR && is_journal();
	/* A daemon must not hold its launcher's pipe open. */
	if (target == LOG_TO_SYSLOG && state.own) {
		close(state.stderr_fd);
		state.stderr_fd = STDERR_FILENO;
		state.own = false;
	}
	state.name = name;
	state.target = target;
	state.facility = facility;
	state.level = level;
	errno = saved;
}

bool log_part(int relay)
{
	int syslog_fd = state.syslog_fd < 0 ? -1 : open_syslog(), stderr_fd = open_stderr();
	bool done = (syslog_fd >= 0 || state.syslog_fd < 0) &&
	            dup2(stderr_fd >= 0 ? stderr_fd : relay, STDERR_FILENO) == STDERR_FILENO;

	if (stderr_fd >= 0)
		close(stderr_fd);
	if (!done) {
		if (syslog_fd >= 0)
			close(syslog_fd);
		return false;
	}
	if (state.syslog_fd >= 0)
		close(state.syslog_fd);
	if (state.own)
		close(state.stderr_fd);
	state.syslog_fd = syslog_fd;
	state.stderr_fd = STDERR_FILENO;
	state.own = stderr_fd >= 0;
	return true;
}

void log_level(int level)
{
	state.level = level;
}

void log_follow(const _Atomic int *level)
{
	state.followed = level;
}

void log_share_losses(void)
{
	void *at = mmap(NULL, sizeof *dropped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at != MAP_FAILED)
		dropped = at;     /* else each process tells its own, as far as it lives to tell */
}

void log_socket_path(const char *path)
{
	assert(strlen(path) < sizeof state.address.sun_path);
	strcpy(state.address.sun_path, path);
}

void log_prefix(const char *prefix)
{
	snprintf(state.prefix, sizeof state.prefix, "%s", prefix);
}

bool log_wants(int level)
{
	return (level & LOG_ALWAYS) ||
	       level <= (state.followed ? atomic_load_explicit(state.followed, memory_order_relaxed) : state.level);
}

/* Appends, printf-like, at *at in a line of LINE bytes of which the last is left for a newline. */
static void __attribute__((format(printf, 3, 0)))
append(char *line, size_t *at, const char *format, va_list arguments)
{
	int len = vsnprintf(line + *at, LINE - 1 - *at, format, arguments);

	if (len > 0)
		*at = *at + (size_t)len < LINE - 1 ? *at + (size_t)len : LINE - 2;
}

static void __attribute__((format(printf, 3, 4)))
append_text(char *line, size_t *at, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	append(line, at, format, arguments);
	va_end(arguments);
}

/* What stands in front of a message.  The months are not strftime's, which go by the locale. */
static void append_head(char *line, size_t *at, int level)
{
	static const char months[12][4] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
	};
	time_t now = time(NULL);
	struct tm tm;

	if (state.target == LOG_TO_STDERR) {
		if (state.journal)
			append_text(line, at, "<%d>", level);
		append_text(line, at, "%s: %s", state.name, state.prefix);
		return;
	}
	localtime_r(&now, &tm);
	append_text(line, at, "<%d>%s %2d %02d:%02d:%02d %s[%d]: %s", state.facility | level,
	            months[tm.tm_mon], tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, state.name, (int)getpid(),
	            state.prefix);
}

/*
 * A pipe or terminal of somebody else's (a container's, say) can't be opened a second time and makes a writer wait.
 * One that has any room has it for a line.
 */
static bool has_room(void)
{
	struct pollfd out = { .fd = state.stderr_fd, .events = POLLOUT };

	return state.own || (poll(&out, 1, 0) == 1 && out.revents & POLLOUT);
}

/* Sends one line, or fails at once.  A tty may take a part of it: that is a loss too. */
static bool deliver(char *line, size_t len)
{
	ssize_t sent;

	plain_clean(line, len, ' ');
	if (state.target == LOG_TO_SYSLOG)
		return sendto(state.syslog_fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL,
		              (const struct sockaddr *)&state.address, sizeof state.address) == (ssize_t)len;
	line[len++] = '\n';
	sent = send(state.stderr_fd, line, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno == ENOTSOCK)
		sent = has_room() ? write(state.stderr_fd, line, len) : -1;
	return sent == (ssize_t)len;
}

void log_pass(const char *line, size_t len)
{
	char copy[LINE];

	if (state.target == LOG_TO_SYSLOG) {      /* it was begun for another target */
		log_warning("%.*s", (int)(len < LINE ? len : LINE), line);
		return;
	}
	len = len < LINE - 1 ? len : LINE - 2;
	memcpy(copy, line, len);
	if (!deliver(copy, len))
		atomic_fetch_add(dropped, 1);
}

/* Tells of the messages that did not get through; when that does not either, they stay counted. */
static void deliver_dropped(void)
{
	uint64_t lost = atomic_exchange(dropped, 0);
	char line[LINE];
	size_t len = 0;

	if (lost == 0)
		return;
	append_head(line, &len, LOG_WARNING);
	append_text(line, &len, "the reader of the log was too slow or away: %" PRIu64 " messages are lost", lost);
	if (!deliver(line, len))
		atomic_fetch_add(dropped, lost);
}

static void __attribute__((format(printf, 3, 0)))
message(int level, uint32_t held, const char *format, va_list arguments)
{
	int saved = errno;
	char line[LINE];
	size_t len = 0;

	if (atomic_load(dropped) > 0)
		deliver_dropped();
	append_head(line, &len, LOG_PRI(level));
	errno = saved; /* for %m */
	append(line, &len, format, arguments);
	if (held > 0)
		append_text(line, &len, " (and %u more like it before)", held);
	if (!deliver(line, len))
		atomic_fetch_add(dropped, 1);
	errno = saved;
}

void log_message(int level, const char *format, ...)
{
	va_list arguments;

	if (!log_wants(level))
		return;
	va_start(arguments, format);
	message(level, 0, format, arguments);
	va_end(arguments);
}

void log_limited(struct log_limit *limit, int level, const char *format, ...)
{
	uint64_t now_us = clock_now_us(), next_us = atomic_load(&limit->next_us);
	va_list arguments;

	if (!log_wants(level))
		return;
	/* Of several threads at once the one that moves the time on writes. */
	if (now_us < next_us ||
	    !atomic_compare_exchange_strong(&limit->next_us, &next_us, now_us + LIMIT_US)) {
		atomic_fetch_add(&limit->held, 1);
		return;
	}
	va_start(arguments, format);
	message(level, atomic_exchange(&limit->held, 0), format, arguments);
	va_end(arguments);
}

/* Renders one byte into at most 4 characters and a NUL; returns their number. */
static size_t escape(char to[5], unsigned char byte)
{
	if (byte >= 0x20 && byte <= 0x7e)
		return (size_t)snprintf(to, 5, byte == '"' || byte == '\\' ? "\\%c" : "%c", byte);
	return plain_escape(to, byte);
}

const char *log_escape(char *to, size_t size, const void *bytes, size_t len)
{
	static const char cut[] = "\"...";
	const unsigned char *byte = bytes, *end = byte + len;
	size_t at = 0;

	assert(size > sizeof cut);
	to[at++] = '"';
	for (; byte < end; byte++) {
		char text[5];
		size_t text_len = escape(text, *byte);

		if (at + text_len + sizeof cut > size)
			break;
		memcpy(to + at, text, text_len);
		at += text_len;
	}
	strcpy(to + at, byte < end ? cut : "\"");
	return to;
}

char *log_clean(char *text)
{
	return plain_clean(text, strlen(text), '?');
}
