/*
 * notify.c - datagrams to NOTIFY_SOCKET.
 */
#include "aphorismd/notify.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/options.h"

enum { MESSAGE = 2048, AGAIN_US = 100 * CLOCK_MS };

static struct sockaddr_un address = { .sun_family = AF_UNIX };
static socklen_t address_len;             /* 0: nobody listens */
static uint64_t watchdog_us, watchdog_due_us = UINT64_MAX, again_us = UINT64_MAX;
static char message[MESSAGE];             /* the last one */
static bool passed;                       /* another process speaks now */

static void open_watchdog(void)
{
	const char *pid = getenv("WATCHDOG_PID"), *usec = getenv("WATCHDOG_USEC");

	if (!usec || (pid && options_number(pid, INT32_MAX) != (uint64_t)getpid()))
		return;
	watchdog_us = options_number(usec, UINT64_MAX) / 2;
	if (watchdog_us > 0)
		watchdog_due_us = 0;
}

void notify_open(void)
{
	const char *to = getenv("NOTIFY_SOCKET");
	size_t len = to ? strlen(to) : 0;

	if (len == 0)
		return;
	if ((*to != '/' && *to != '@') || len < 2 || len >= sizeof address.sun_path) {
		log_warning("NOTIFY_SOCKET: neither an absolute path nor an abstract name: the service manager is told "
		            "nothing");
		return;
	}
	memcpy(address.sun_path, to, len + 1);
	address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	if (*to == '@') {
		address.sun_path[0] = '\0';
		address_len--;    /* all bytes of an abstract name count: the last NUL is none of it */
	}
	open_watchdog();
}

/* False when it could be taken later. */
static bool deliver(const char *text)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	size_t len = strlen(text);
	bool later = false;

	if (fd < 0 || sendto(fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&address,
	                     address_len) != (ssize_t)len) {
		later = errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM || errno == EMFILE || errno == ENFILE;
		log_debug("can't notify the service manager: %s", strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	return !later;
}

void notify_say(const char *assignments, const char *format, ...)
{
	int len, saved = errno;
	va_list arguments;

	if (address_len == 0 || passed)
		return;
	len = snprintf(message, sizeof message, "%sSTATUS=", assignments);
	va_start(arguments, format);
	vsnprintf(message + len, sizeof message - (size_t)len, format, arguments);
	va_end(arguments);
	/* systemd takes no status that is not UTF-8, and a name in it may be of any bytes, newlines too */
	for (char *at = message + len; *at; at++)
		if ((unsigned char)*at < ' ' || (unsigned char)*at > '~')
			*at = '?';
	again_us = deliver(message) ? UINT64_MAX : clock_now_us() + AGAIN_US;
	errno = saved;
}

void notify_pass(int pid)
{
	if (address_len == 0)
		return;
	snprintf(message, sizeof message, "MAINPID=%d\n", pid);
	again_us = deliver(message) ? UINT64_MAX : clock_now_us() + AGAIN_US;
	watchdog_due_us = UINT64_MAX;
	passed = true;
}

void notify_tend(uint64_t now_us)
{
	if (now_us >= again_us)
		again_us = deliver(message) ? UINT64_MAX : now_us + AGAIN_US;
	if (now_us < watchdog_due_us)
		return;
	deliver("WATCHDOG=1");
	watchdog_due_us = now_us + watchdog_us;
}

uint64_t notify_due_us(void)
{
	return clock_earlier(again_us, watchdog_due_us);
}
