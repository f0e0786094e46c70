/*
 * daemonize.c - the double fork.
 */
#include "aphorismd/daemonize.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

/* The launcher: returns with the daemon's word, or with the reason that there is none. */
static void wait_for_word(int fd, pid_t first_child)
{
	unsigned char status;
	int ended = 0;
	ssize_t n;

	waitpid(first_child, &ended, 0);
	while ((n = read(fd, &status, 1)) < 0 && errno == EINTR)
		;
	if (n == 1)
		_exit(status);
	if (ended == 0)                    /* else that one has said why */
		fprintf(stderr, "aphorismd: the daemon ended before it was ready\n");
	_exit(EX_OSERR);
}

int daemonize(void)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		return -1;
	if (pid > 0) {
		close(ends[1]);
		wait_for_word(ends[0], pid);
	}
	close(ends[0]);
	/* twice: not the session's leader, so that opening a terminal can't make it ours */
	if (setsid() < 0 || (pid = fork()) < 0) {
		fprintf(stderr, "aphorismd: can't become a daemon: %s\n", strerror(errno));
		_exit(EX_OSERR);
	}
	if (pid > 0)
		_exit(EX_OK);
	return ends[1];
}

bool daemonize_ready(int fd, int status)
{
	unsigned char word = (unsigned char)status;
	ssize_t n;

	if (fd < 0)
		return true;
	while ((n = write(fd, &word, 1)) < 0 && errno == EINTR)
		;
	close(fd);
	return n == 1;
}

void daemonize_detach(int devnull)
{
	if (devnull < 0)
		devnull = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = STDIN_FILENO; devnull >= 0 && fd <= STDERR_FILENO; fd++)
		dup2(devnull, fd);
}

void daemonize_reset_signals(void)
{
	sigset_t none;

	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
