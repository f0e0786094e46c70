/*
 * elder.c - the socket to the process whose place this one takes.
 */
#include "aphorismd/elder.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "aphorismd/inherited.h"

static struct {
	int fd;                           /* -1: there is none, or it has gone */
	pid_t pid;
	bool owns;                        /* what it has is not ours yet */
} elder = { .fd = -1 };

int elder_meet(void)
{
	struct ucred peer = { .pid = 0 };
	socklen_t len = sizeof peer;
	int control;

	elder.fd = inherited_elder(&control);
	elder.owns = elder.fd >= 0;
	if (elder.owns && getsockopt(elder.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		elder.pid = peer.pid;
	return control;
}

bool elder_is_there(void)
{
	return elder.fd >= 0;
}

bool elder_is_owner(void)
{
	return elder.owns;
}

void elder_succeed(void)
{
	elder.owns = false;
}

pid_t elder_pid(void)
{
	return elder.pid;
}

void elder_say(const char *line)
{
	if (elder.fd >= 0)
		send(elder.fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void elder_tell(bool error, const char *text)
{
	char line[1100];

	snprintf(line, sizeof line, "%s %.*s\n", error ? "error" : "notice", (int)strcspn(text, "\n"), text);
	if (elder.owns)
		elder_say(line);
}

int elder_hear(char *line, size_t size)
{
	ssize_t n = elder.fd < 0 ? 0 : recv(elder.fd, line, size - 1, MSG_DONTWAIT);

	/* ECONNRESET: it has gone with words of ours unread, and its own last ones are still to come */
	if (elder.fd < 0 || (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNRESET)))
		return 0;
	if (n <= 0) {
		close(elder.fd);
		elder.fd = -1;
		return -1;
	}
	line[n] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return 1;
}

int elder_list(struct pollfd *fds)
{
	*fds = (struct pollfd){ .fd = elder.fd, .events = POLLIN };
	return 1;
}

void elder_forget(void)
{
	if (elder.fd >= 0)
		close(elder.fd);
}
