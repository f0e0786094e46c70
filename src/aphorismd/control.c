/*
 * control.c - clients of the control socket.
 */
#include "aphorismd/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/inherited.h"
#include "common/clock.h"
#include "common/log.h"
#include "server/listener.h"

enum {
	LINE = 256, FIRST_ANSWER = 1024, LONGEST_ANSWER = 1 << 20,
	COMMAND_US = 5 * CLOCK_S, RETRY_US = 100 * CLOCK_MS,
	GROUPS = 1024, BACKLOG = 128,
};

struct client {
	int fd;                           /* 0: none */
	enum control_wait waits;
	uint32_t number;                  /* of what it waits for */
	uint64_t deadline_us;             /* of its command; UINT64_MAX while it waits */
	size_t len;
	char line[LINE];
	char *said;                       /* what it has not taken yet, from `taken` on; NULL: nothing */
	size_t said_len, said_size, taken;
	bool ended;                       /* when it has taken that it is done */
	bool silent;                      /* it says no more, and waits all the same */
};

static struct listener *listener;
static gid_t allowed_group;
static struct client clients[CONTROL_CLIENTS];
static uint64_t served_us;                /* when clients were last looked at */
static bool deaf;                         /* somebody else still takes the clients */
static uint64_t retry_us;                 /* 0, or when to take clients again after a shortage */

/* The inherited socket, if it is the one that is wanted and still to be found. */
static struct listener *adopt(const struct config_listen *at, int inherited)
{
	struct listener *adopted = inherited >= 0 ? listener_adopt(inherited, at->address, false) : NULL;

	if (adopted) {
		adopted->theirs = true;
		inherited_note_file(adopted);
		if (strcmp(adopted->address, at->address) == 0 && !listener_is_lost(adopted))
			return adopted;
		listener_close(adopted);
	} else if (inherited >= 0)
		close(inherited);
	return NULL;
}

int control_open(const char *path, int inherited, gid_t group, char *reason)
{
	struct config_listen at = { .mode = 0660 };
	char why[LISTENER_REASON];
	int status;

	snprintf(at.address, sizeof at.address, "unix:%s", path);
	deaf = inherited >= 0;
	if (!(listener = adopt(&at, inherited)) && !(listener = listener_open(&at, BACKLOG, &status, why))) {
		snprintf(reason, CONTROL_REASON, "control socket: %s", why);
		return EX_CANTCREAT;
	}
	allowed_group = group;
	if (group != getegid() && (!listener_has_file(listener) || lchown(path, (uid_t)-1, group) < 0))
		log_warning("can't give %s to the daemon's group: %s", path, strerror(errno));
	if (!listener_nonblocking(listener->fd, true)) {
		snprintf(reason, CONTROL_REASON, "control socket: %s", strerror(errno));
		return EX_OSERR;
	}
	return 0;
}

void control_own(void)
{
	deaf = false;
	if (listener)
		listener->theirs = false;
}

const struct listener *control_listener(void)
{
	return listener;
}

bool control_is_theirs(void)
{
	return listener && listener->theirs;
}

void control_leave(bool left)
{
	if (listener && left)
		listener_forget(listener);
	else if (listener)
		listener_close(listener);
	listener = NULL;
}

bool control_is_busy(void)
{
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		if (clients[i].fd > 0)
			return true;
	return false;
}

static void drop(struct client *client)
{
	if (client->fd > 0)
		close(client->fd);
	free(client->said);
	*client = (struct client){ .fd = 0 };
}

void control_close(bool ours)
{
	control_leave(!ours);
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)     /* last: to some of them it says that all is gone */
		drop(&clients[i]);
}

int control_poll(struct pollfd *fds)
{
	int count = 0;

	if (listener)
		fds[count++] = (struct pollfd){ .fd = deaf || retry_us ? -1 : listener->fd, .events = POLLIN };
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		if (clients[i].fd > 0)
			fds[count++] = (struct pollfd){
				.fd = clients[i].fd,
				.events = clients[i].said ? POLLOUT : clients[i].silent ? 0 : POLLIN,
			};
	return count;
}

uint64_t control_due_us(void)
{
	uint64_t due_us = listener && retry_us ? retry_us : UINT64_MAX;

	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		if (clients[i].fd > 0 && clients[i].deadline_us < due_us)
			due_us = clients[i].deadline_us;
	return due_us;
}

/* The kernel's word on the groups of the process that connected; a name service might keep us waiting. */
static bool is_member(int fd, gid_t gid)
{
	gid_t groups[GROUPS];
	socklen_t len = sizeof groups;

	if (gid == allowed_group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof *groups; i++)
		if (groups[i] == allowed_group)
			return true;
	return false;
}

/* The socket's mode keeps others out where the file system does; this asks the kernel who it is in any case. */
static bool has_right(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	return peer.uid == 0 || peer.uid == geteuid() || is_member(fd, peer.gid);
}

/* ---- what is said ---- */

/*
 * What was sent beyond the command would make the close a reset.  Nothing more may come: who sends faster than we read
 * would hold us here.
 */
static void end(struct client *client)
{
	char unread[4096];

	shutdown(client->fd, SHUT_RD);
	while (recv(client->fd, unread, sizeof unread, MSG_DONTWAIT) > 0)
		;
	drop(client);
}

/* As much as goes without waiting. */
static void send_said(struct client *client)
{
	while (client->said) {
		ssize_t n = send(client->fd, client->said + client->taken, client->said_len - client->taken,
		                 MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOBUFS || errno == ENOMEM))
			return;
		if (n < 0) {
			drop(client);
			return;
		}
		client->taken += (size_t)n;
		if (client->taken < client->said_len)
			continue;
		free(client->said);
		client->said = NULL;
		client->said_len = client->said_size = client->taken = 0;
	}
	if (client->ended)
		end(client);
}

/* Makes room for so much more; twice as much as there was, since lists come line by line. */
static bool has_room(struct client *client, size_t more)
{
	size_t size = client->said_size > 0 ? client->said_size : FIRST_ANSWER;
	char *said;

	if (client->said_len + more > LONGEST_ANSWER)
		return false;
	while (size < client->said_len + more)
		size *= 2;
	if (size == client->said_size)
		return true;
	if (!(said = realloc(client->said, size)))
		return false;
	client->said = said;
	client->said_size = size;
	return true;
}

void control_say_lines(unsigned i, const char *lines)
{
	struct client *client = &clients[i];
	size_t len = strlen(lines);

	if (client->fd == 0 || len == 0)
		return;
	if (!has_room(client, len)) {
		drop(client);     /* the end of the stream tells it that this is not all */
		return;
	}
	memcpy(client->said + client->said_len, lines, len);
	client->said_len += len;
}

/* ---- clients ---- */

static struct client *vacancy(void)
{
	struct client *oldest = NULL;

	for (unsigned i = 0; i < CONTROL_CLIENTS; i++) {
		if (clients[i].fd == 0)
			return &clients[i];
		if (clients[i].deadline_us < UINT64_MAX && (!oldest || clients[i].deadline_us < oldest->deadline_us))
			oldest = &clients[i];
	}
	if (oldest)
		drop(oldest);     /* who connects and says nothing must not keep others out */
	return oldest;
}

/* All have asked, and wait. */
static void turn_away(int fd)
{
	static const char words[] = "error too many commands are under way\nend 75\n";

	send(fd, words, sizeof words - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void take_clients(uint64_t now_us)
{
	for (int burst = 0; burst < CONTROL_CLIENTS; burst++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct client *client;

		if (fd < 0) {
			/* whoever is queued and can't be taken now would be reported again and again */
			retry_us = errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ? 0 : now_us + RETRY_US;
			return;
		}
		client = vacancy();
		if (!client) {
			turn_away(fd);
			continue;
		}
		*client = (struct client){ .fd = fd, .deadline_us = now_us + COMMAND_US };
		if (!has_right(fd)) {
			control_say((unsigned)(client - clients), "error permission denied");
			control_end((unsigned)(client - clients), EX_NOPERM);
		}
	}
}

/* Or does it only say no more, as what pipes a command into the socket does? */
static bool has_gone(int fd)
{
	struct pollfd polled = { .fd = fd };

	return poll(&polled, 1, 0) != 0;
}

static void read_command(unsigned i, control_command *command, void *arg)
{
	struct client *client = &clients[i];
	ssize_t n = recv(client->fd, client->line + client->len, sizeof client->line - 1 - client->len, 0);
	char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	client->silent = n == 0 && client->waits != CONTROL_NOTHING && !has_gone(client->fd);
	if (client->silent)
		return;
	if (n == 0 && client->waits == CONTROL_NOTHING && client->len > 0) {
		control_say(i, "error the command does not end in a newline");
		control_end(i, EX_USAGE);
		return;
	}
	if (n <= 0) {
		drop(client);
		return;
	}
	client->len += (size_t)n;
	if (client->waits != CONTROL_NOTHING) {
		client->len = 0;          /* one command is all; the rest is dropped */
	} else if ((end = memchr(client->line, '\n', client->len)) != NULL) {
		bool is_text = memchr(client->line, '\0', (size_t)(end - client->line)) == NULL;

		*end = '\0';
		if (end > client->line && end[-1] == '\r')
			end[-1] = '\0';
		client->len = 0;
		command(arg, i, is_text ? client->line : "");
	} else if (client->len == sizeof client->line - 1) {
		control_say(i, "error command too long");
		control_end(i, EX_USAGE);
	}
}

void control_serve(uint64_t now_us, control_command *command, void *arg)
{
	served_us = now_us;
	if (listener && !deaf && retry_us <= now_us)
		take_clients(now_us);
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++) {
		if (clients[i].said)
			send_said(&clients[i]);
		else if (clients[i].fd > 0)
			read_command(i, command, arg);
		if (clients[i].fd > 0 && clients[i].deadline_us <= now_us)
			drop(&clients[i]);
	}
}

void control_say(unsigned i, const char *format, ...)
{
	char line[1024];
	va_list arguments;
	int len;

	va_start(arguments, format);
	len = vsnprintf(line, sizeof line - 1, format, arguments);
	va_end(arguments);
	if (len < 0)
		return;
	if ((size_t)len > sizeof line - 2)
		len = sizeof line - 2;
	line[len] = '\n';
	line[len + 1] = '\0';
	control_say_lines(i, line);
}

void control_end(unsigned i, int status)
{
	control_say(i, "end %d", status);
	clients[i].ended = true;
	clients[i].deadline_us = served_us + COMMAND_US;
	if (clients[i].fd > 0)
		send_said(&clients[i]);
}

void control_keep(unsigned i, enum control_wait what, uint32_t number)
{
	clients[i].waits = what;
	clients[i].number = number;
	clients[i].deadline_us = UINT64_MAX;
	if (clients[i].said)
		send_said(&clients[i]);
}

void control_happened(enum control_wait what, uint32_t number, const char *lines, int status)
{
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++) {
		if (clients[i].fd == 0 || clients[i].waits != what || clients[i].number > number)
			continue;
		if (lines)
			control_say_lines(i, lines);
		control_end(i, status);
	}
}
