/*
 * control.c - the client's side of the control protocol.
 */
#include "aphorismctl/control.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/dial.h"

const char *control_default_path(char *to)
{
	static const char system_wide[] = RUNSTATEDIR "/aphorismd/control";
	const char *own = getenv("XDG_RUNTIME_DIR");

	/* a folder that may not be looked into is there: connect then tells that a right is missing */
	if (geteuid() == 0 || access(system_wide, F_OK) == 0 || errno == EACCES)
		return system_wide;
	if (!own || own[0] != '/' ||
	    snprintf(to, CONTROL_PATH, "%s/aphorismd/control", own) >= CONTROL_PATH)
		return system_wide;
	return to;
}

/* Waits until fd is ready for what is asked.  Returns 0 or an errno. */
static int wait_for(int fd, short events, uint64_t deadline_us)
{
	struct pollfd polled = { .fd = fd, .events = events };
	int ready = dial_wait(&polled, 1, deadline_us);

	return ready > 0 ? 0 : ready < 0 ? errno : ETIMEDOUT;
}

/* Receives something.  Returns 0, or an errno; ECONNRESET for the end of the stream too. */
static int receive(int fd, char *to, size_t room, size_t *got, uint64_t deadline_us)
{
	for (;;) {
		int error = wait_for(fd, POLLIN, deadline_us);
		ssize_t len;

		if (error != 0)
			return error;
		len = recv(fd, to, room, 0);
		if (len > 0) {
			*got = (size_t)len;
			return 0;
		}
		if (len == 0)
			return ECONNRESET;
		if (errno != EAGAIN && errno != EINTR)
			return errno;
	}
}

/* Takes in a line, without its newline.  Returns 0 to go on, EPROTO, or -1 when this was the last one. */
static int take_line(struct reply *reply, char *line)
{
	char *space = strchr(line, ' '), *end;
	struct line *taken = &reply->lines[reply->count];

	if (reply->count == REPLY_LINES)
		return EPROTO;
	if (space)
		*space = '\0';
	*taken = (struct line){ .key = line, .value = space ? space + 1 : "" };
	if (strcmp(line, "end") != 0) {
		reply->count++;
		return 0;
	}
	reply->status = (int)strtol(taken->value, &end, 10);
	return end > taken->value && *end == '\0' && reply->status >= 0 && reply->status <= 255 ? -1 : EPROTO;
}

/* What this program asks for, a daemon of its own version knows. */
static void explain_unknown(struct reply *reply)
{
	for (size_t i = 0; i < reply->count; i++)
		if (strcmp(reply->lines[i].key, "error") == 0 && strcmp(reply->lines[i].value, "unknown command") == 0)
			reply->lines[i].value = "unknown to this daemon, which is of another version than aphorismctl "
			                        PACKAGE_VERSION;
}

int control_ask(int fd, const char *line, struct reply *reply, uint64_t deadline_us)
{
	char *begin = reply->text, *const limit = reply->text + sizeof reply->text, *filled = begin;
	int error = wait_for(fd, POLLOUT, deadline_us);

	reply->count = 0;
	/* a line is shorter than any socket's buffer, so it goes as a whole; a lost peer shows in receive */
	if (error == 0 && send(fd, line, strlen(line), MSG_NOSIGNAL) < 0 && errno != EPIPE)
		error = errno;
	while (error == 0) {
		size_t got = 0;
		char *end;

		if (filled == limit)
			return EPROTO;
		error = receive(fd, filled, (size_t)(limit - filled), &got, deadline_us);
		filled += got;
		while (error == 0 && (end = memchr(begin, '\n', (size_t)(filled - begin)))) {
			*end = '\0';
			error = take_line(reply, begin);
			begin = end + 1;
		}
	}
	if (error < 0 && reply->status == EX_USAGE)
		explain_unknown(reply);
	return error < 0 ? 0 : error;
}

int control_wait_for_exit(int fd, uint64_t deadline_us)
{
	char ignored[256];
	size_t len;
	int error;

	do
		error = receive(fd, ignored, sizeof ignored, &len, deadline_us);
	while (error == 0);
	return error == ETIMEDOUT ? error : 0;
}
