/*
 * starter.c - from an order to a program.
 */
#include "aphorismd/starter.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/daemonize.h"
#include "aphorismd/inherited.h"
#include "common/compat.h"
#include "common/proctitle.h"

struct starter starter = { .fd = -1 };

enum { OWN = STDERR_FILENO + 1 };                 /* its end of the socket; what is received follows without a gap */

struct order {
	uint32_t number;
	int count;
	int fds[STARTER_FDS];
	char names[STARTER_NAMES];
};

struct outcome {
	uint32_t order;
	int pid_or_error;
};

union room {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(STARTER_FDS * sizeof(int))];
};

/* ---- in the starter ---- */

/* False at the supervisor's end. */
static bool receive(struct order *order)
{
	struct iovec text = { order->names, sizeof order->names - 1 };
	union room room;
	struct msghdr message = { .msg_iov = &text, .msg_iovlen = 1, .msg_control = &room,
		                  .msg_controllen = sizeof room };
	const struct cmsghdr *header;
	ssize_t n;

	while ((n = recvmsg(OWN, &message, 0)) < 0 && errno == EINTR)
		;
	if (n <= 0)
		return false;
	order->names[n] = '\0';
	order->number++;
	header = CMSG_FIRSTHDR(&message);
	order->count = 0;
	if (header && header->cmsg_type == SCM_RIGHTS) {
		order->count = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(order->fds, CMSG_DATA(header), (size_t)order->count * sizeof(int));
	}
	if (message.msg_flags & MSG_CTRUNC) {     /* the limit of open files: rather nothing than a part */
		compat_close_from(OWN + 1);
		order->count = 0;
	}
	return true;
}

static void answer(const struct order *order, int pid_or_error)
{
	struct outcome outcome = { order->number, pid_or_error };

	send(OWN, &outcome, sizeof outcome, MSG_NOSIGNAL);
}

static void set_number(const char *name, int number)
{
	char text[16];

	snprintf(text, sizeof text, "%d", number);
	setenv(name, text, 1);
}

/* A watchdog that waits for the supervisor is to wait for the next one. */
static void set_environment(const struct order *order, pid_t supervisor)
{
	const char *watched = getenv("WATCHDOG_PID");

	if (watched && atol(watched) == supervisor)
		set_number("WATCHDOG_PID", (int)getpid());
	set_number("LISTEN_PID", (int)getpid());
	set_number("LISTEN_FDS", order->count);
	setenv("LISTEN_FDNAMES", order->names, 1);
}

/* Files by their absolute names, since the folder where it was started has been left. */
static const char **make_arguments(const struct options *options)
{
	size_t settings = 0, count = 0;
	const char **arguments;

	while (options->settings[settings])
		settings++;
	if (!(arguments = calloc(2 * settings + 5, sizeof *arguments)))
		return NULL;
	arguments[count++] = options->program;
	if (options->foreground)
		arguments[count++] = "-f";
	if (options->file_named) {
		arguments[count++] = "-c";
		arguments[count++] = options->file;
	}
	for (size_t i = 0; i < settings; i++) {
		arguments[count++] = "-o";
		arguments[count++] = options->settings[i];
	}
	return arguments;
}

static _Noreturn void execute(const struct order *order, const struct options *options, pid_t supervisor)
{
	int channel = INHERITED_FIRST + order->count - 1;
	const char **arguments = make_arguments(options);

	answer(order, (int)getpid());
	for (int i = 0; i < order->count; i++)
		dup2(order->fds[i], INHERITED_FIRST + i);
	compat_close_from(channel + 1);
	if (!options->foreground)
		dup2(channel, STDERR_FILENO);
	set_environment(order, supervisor);
	daemonize_reset_signals();
	if (arguments)
		execv(options->program, (char *const *)(uintptr_t)arguments);
	dprintf(channel, "error can't execute %s: %s\n", options->program, strerror(errno));
	_exit(EX_OSERR);
}

/* Twice, so that the new process is an orphan, and the supervisor's own child: that sees how it ends. */
static void start(const struct order *order, const struct options *options, pid_t supervisor)
{
	pid_t pid = order->count > 0 ? fork() : -1;

	if (order->count == 0)
		errno = EMFILE;
	if (pid < 0)
		answer(order, -errno);
	if (pid == 0) {
		if ((pid = fork()) == 0)
			execute(order, options, supervisor);
		if (pid < 0)
			answer(order, -errno);
		_exit(0);
	}
	compat_close_from(OWN + 1);
	if (pid > 0)
		waitpid(pid, NULL, 0);
}

static _Noreturn void run(int fd, const struct options *options, pid_t supervisor)
{
	static struct order order;
	sigset_t all;

	/* signals to the whole group, by a terminal or a service manager, are the supervisor's: this one follows it */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (!options->foreground)
		daemonize_detach(-1);        /* it would hold the launcher's terminal for life */
	dup2(fd, OWN);
	fcntl(OWN, F_SETFD, FD_CLOEXEC);
	compat_close_from(OWN + 1);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);       /* nobody who is merely the same user may write to its memory */
	proctitle_set("aphorismd: starter");
	while (receive(&order))
		start(&order, options, supervisor);
	_exit(0);
}

/* ---- in the supervisor ---- */

const char *starter_open(const struct options *options)
{
	pid_t supervisor = getpid();
	int ends[2], error;

	if (options->inetd)
		return NULL;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return "socketpair";
	if ((starter.pid = fork()) == 0)
		run(ends[1], options, supervisor);
	error = errno;
	close(ends[1]);
	if (starter.pid > 0) {
		starter.fd = ends[0];
		return NULL;
	}
	close(ends[0]);
	starter.pid = 0;
	errno = error;
	return "fork";
}

bool starter_order(const int *fds, size_t count, const char *names)
{
	struct iovec text = { (char *)(uintptr_t)names, strlen(names) };
	union room room;
	struct msghdr message = { .msg_iov = &text, .msg_iovlen = 1, .msg_control = &room,
		                  .msg_controllen = CMSG_SPACE(count * sizeof *fds) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	memset(&room, 0, sizeof room);
	*header = (struct cmsghdr){ .cmsg_len = CMSG_LEN(count * sizeof *fds), .cmsg_level = SOL_SOCKET,
		                    .cmsg_type = SCM_RIGHTS };
	memcpy(CMSG_DATA(header), fds, count * sizeof *fds);
	if (sendmsg(starter.fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)text.iov_len)
		return false;
	starter.orders++;
	return true;
}

pid_t starter_answer(void)
{
	struct outcome outcome;
	ssize_t n;

	do
		n = recv(starter.fd, &outcome, sizeof outcome, MSG_DONTWAIT);
	while (n == sizeof outcome && outcome.order != starter.orders);
	if (n == sizeof outcome && outcome.pid_or_error > 0)
		return outcome.pid_or_error;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n >= 0)
		errno = n == sizeof outcome ? -outcome.pid_or_error : ECONNRESET;
	return -1;
}

void starter_forget(void)
{
	if (starter.fd >= 0)
		close(starter.fd);
	starter = (struct starter){ .fd = -1 };
}

void starter_close(void)
{
	pid_t pid = starter.pid;

	starter_forget();
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
