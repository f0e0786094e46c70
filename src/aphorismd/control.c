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
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/answer.h"
#include "aphorismd/inherited.h"
#include "common/clock.h"
#include "net/listener.h"

enum {
	LINE = 256,
	COMMAND_US = 5 * CLOCK_S, SILENCE_US = CLOCK_S, RETRY_US = 100 * CLOCK_MS,
	GROUPS = 1024,
	BACKLOG = 128,                    /* of whom 16 are heard, or turned away, each second: all within 10 s */
};

struct control_client {
	int fd;                           /* 0: none */
	enum command_right right;
	enum control_wait waits;
	uint32_t number;                  /* of what it waits for */
	uint64_t deadline_us;             /* of its command, or its answer; UINT64_MAX while it waits */
	uint64_t active_us;               /* when it last said or took something */
	size_t len;
	char line[LINE];
	struct answer answer;             /* what it has not taken yet */
	bool ended;                       /* when it has taken that it is done */
	bool silent;                      /* it says no more, and waits all the same */
};

static struct listener *listener;
static gid_t allowed_group;
static struct control_client clients[CONTROL_CLIENTS];
static uint64_t served_us;                /* when clients were last looked at */
static bool deaf;                         /* somebody else still takes the clients */
static uint64_t retry_us;                 /* 0, or when to take clients again after a shortage */

/* Has the inherited socket this address?  Of one that knows its name alone, its file tells. */
static bool is_at(struct listener *adopted, const char *address)
{
	if (!adopted->inside)
		return strcmp(adopted->address, address) == 0 && !listener_is_lost(adopted);
	snprintf(adopted->address, sizeof adopted->address, "%s", address);
	return listener_has_file(adopted);
}

/* The inherited socket, if it is the one that is wanted and still to be found. */
static struct listener *adopt(const struct config_listen *at, int inherited)
{
	struct listener *adopted = inherited >= 0 ? listener_adopt(inherited, at->address, false) : NULL;

	if (adopted) {
		adopted->theirs = true;
		inherited_note_file(adopted);
		if (is_at(adopted, at->address))
			return adopted;
		listener_close(adopted);
	} else if (inherited >= 0)
		close(inherited);
	return NULL;
}

int control_open(const char *path, int inherited, gid_t group, char *reason)
{
	struct config_listen at = { .mode = 0660, .group.id = group };
	const struct listener_owner ours = { geteuid(), group };
	char why[LISTENER_REASON];
	int status;

	snprintf(at.address, sizeof at.address, "unix:%s", path);
	deaf = inherited >= 0;
	if (group != getegid())
		snprintf(at.group.name, sizeof at.group.name, "%u", (unsigned)group);
	if ((listener = adopt(&at, inherited)) != NULL) {
		listener_set_file(listener, &at, &ours);
	} else if (!(listener = listener_open(&at, &ours, BACKLOG, &status, why)) && status == EX_NOPERM) {
		at.group.name[0] = '\0';       /* where nobody is named it is a warning that it can't be given away */
		listener = listener_open(&at, &ours, BACKLOG, &status, why);
	}
	if (!listener) {
		snprintf(reason, CONTROL_REASON, "control socket: %s", why);
		return EX_CANTCREAT;
	}
	allowed_group = group;
	if (!listener_nonblocking(listener->fd, true)) {
		snprintf(reason, CONTROL_REASON, "control socket: %s: %s", path, strerror(errno));
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

void control_close(bool ours)
{
	control_leave(!ours);
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)     /* last: to some of them it says that all is gone */
		if (clients[i].fd > 0)
			close(clients[i].fd);
}

/* For another client: a vacant one, else that of the one who has said and taken nothing for longest; NULL: all wait. */
static struct control_client *find_vacant(void)
{
	struct control_client *silent = NULL;

	for (unsigned i = 0; i < CONTROL_CLIENTS; i++) {
		if (clients[i].fd == 0)
			return &clients[i];
		if (clients[i].deadline_us < UINT64_MAX && (!silent || clients[i].active_us < silent->active_us))
			silent = &clients[i];
	}
	return silent;
}

/* Since when there is room for another client: 0 for ever, UINT64_MAX for not before one of those that wait is done. */
static uint64_t room_us(void)
{
	const struct control_client *vacant = find_vacant();

	return !vacant ? UINT64_MAX : vacant->fd == 0 ? 0 : vacant->active_us + SILENCE_US;
}

/*
 * Else newcomers are left in the queue, and not looked for: soon somebody is done, or has been silent for too long.
 * When all wait for something that may take minutes, they are not left there, but told.
 */
static bool may_take(void)
{
	uint64_t us = room_us();

	return listener && !deaf && retry_us <= served_us && (us <= served_us || us == UINT64_MAX);
}

int control_poll(struct pollfd *fds)
{
	int count = 0;

	if (listener)
		fds[count++] = (struct pollfd){ .fd = may_take() ? listener->fd : -1, .events = POLLIN };
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		if (clients[i].fd > 0)
			fds[count++] = (struct pollfd){
				.fd = clients[i].fd,
				.events = clients[i].answer.text ? POLLOUT : clients[i].silent ? 0 : POLLIN,
			};
	return count;
}

uint64_t control_due_us(void)
{
	uint64_t due_us = UINT64_MAX;

	if (listener && !deaf && !may_take())
		due_us = retry_us > served_us ? retry_us : room_us();
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		if (clients[i].fd > 0)
			due_us = clock_earlier(due_us, clients[i].deadline_us);
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
static enum command_right right_of(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof peer;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return COMMAND_BY_NOBODY;
	return peer.uid == 0 || peer.uid == geteuid() || is_member(fd, peer.gid) ? COMMAND_BY_GROUP : COMMAND_BY_NOBODY;
}

enum command_right control_right(unsigned i)
{
	return clients[i].right;
}

/* ---- what is said ---- */

/*
 * What was sent beyond the command would make the close a reset.  Nothing more may come: who sends faster than we read
 * would hold us here.
 */
static void hang_up(int fd)
{
	char unread[4096];

	shutdown(fd, SHUT_RD);
	while (recv(fd, unread, sizeof unread, MSG_DONTWAIT) > 0)
		;
	close(fd);
}

static void drop(struct control_client *client)
{
	hang_up(client->fd);
	answer_free(&client->answer);
	*client = (struct control_client){ .fd = 0 };
}

/* Nothing was said to it before, so it has room for that. */
static void tell_reason(int fd, const char *reason)
{
	char words[128];

	snprintf(words, sizeof words, "error %s\nend %d\n", reason, EX_TEMPFAIL);
	send(fd, words, strlen(words), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Whoever does not take its answer can't be told either. */
static void give_up(struct control_client *client, const char *reason)
{
	if (!client->answer.text)
		tell_reason(client->fd, reason);
	drop(client);
}

static void send_answer(struct control_client *client)
{
	size_t left = client->answer.len;
	int error = answer_send(&client->answer, client->fd);

	if (client->answer.len < left)
		client->active_us = served_us;
	if ((error != 0 && error != EAGAIN) || (error == 0 && client->ended))
		drop(client);
}

void control_say_lines(unsigned i, const char *lines)
{
	struct control_client *client = &clients[i];

	if (client->fd > 0 && !answer_add(&client->answer, lines))
		drop(client);     /* the end of the stream tells it that this is not all */
}

/* ---- clients ---- */

/* Or does it only say no more, as what pipes a command into the socket does? */
static bool has_gone(int fd)
{
	struct pollfd polled = { .fd = fd };

	return poll(&polled, 1, 0) != 0;
}

static void read_command(unsigned i, void (*command)(unsigned, const char *))
{
	struct control_client *client = &clients[i];
	ssize_t n = recv(client->fd, client->line + client->len, sizeof client->line - 1 - client->len,
	                 MSG_DONTWAIT);
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
	client->active_us = served_us;
	client->len += (size_t)n;
	if (client->waits != CONTROL_NOTHING) {
		client->len = 0;          /* one command is all; the rest is dropped */
	} else if ((end = memchr(client->line, '\n', client->len)) != NULL) {
		bool is_text = memchr(client->line, '\0', (size_t)(end - client->line)) == NULL;

		*end = '\0';
		if (end > client->line && end[-1] == '\r')
			end[-1] = '\0';
		client->len = 0;
		command(i, is_text ? client->line : "");
	} else if (client->len == sizeof client->line - 1) {
		control_say(i, "error command too long");
		control_end(i, EX_USAGE);
	}
}

static void take_clients(void (*command)(unsigned, const char *))
{
	for (int burst = 0; burst < CONTROL_CLIENTS && may_take(); burst++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		struct control_client *client;

		if (fd < 0) {
			/* whoever is queued and can't be taken now would be reported again and again */
			if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
				retry_us = 0;
			else
				retry_us = served_us + RETRY_US;
			return;
		}
		client = find_vacant();
		if (!client) {
			tell_reason(fd, "too many commands are under way");
			hang_up(fd);
			continue;
		}
		if (client->fd > 0)
			give_up(client, "others wait, and no command came within a second");
		*client = (struct control_client){
			.fd = fd, .right = right_of(fd), .deadline_us = served_us + COMMAND_US, .active_us = served_us,
		};
		if (client->right == COMMAND_BY_NOBODY) {
			control_say((unsigned)(client - clients), "error permission denied");
			control_end((unsigned)(client - clients), EX_NOPERM);
		} else {
			read_command((unsigned)(client - clients), command);
		}
	}
}

void control_serve(uint64_t now_us, void (*command)(unsigned, const char *))
{
	served_us = now_us;
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++) {
		if (clients[i].answer.text)
			send_answer(&clients[i]);
		else if (clients[i].fd > 0)
			read_command(i, command);
		if (clients[i].fd > 0 && clients[i].deadline_us <= now_us)
			give_up(&clients[i], "no command came within 5 seconds");
	}
	take_clients(command);     /* last: what we were too busy to hear is no silence */
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
	for (char *at = line; at < line + len; at++)       /* an address may be a path, with a newline in it */
		if ((unsigned char)*at < ' ' && *at != '\t')
			*at = '?';
	line[len] = '\n';
	line[len + 1] = '\0';
	control_say_lines(i, line);
}

void control_end(unsigned i, int status)
{
	control_say(i, "end %d", status);
	clients[i].ended = true;
	clients[i].deadline_us = served_us + COMMAND_US;
	clients[i].active_us = served_us;
	if (clients[i].fd > 0)
		send_answer(&clients[i]);
}

void control_keep(unsigned i, enum control_wait what, uint32_t number)
{
	clients[i].waits = what;
	clients[i].number = number;
	clients[i].deadline_us = UINT64_MAX;
	if (clients[i].fd > 0)
		send_answer(&clients[i]);
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
