/*
 * capture.c - runs a program and reads what it says.
 */
#include "aphorism-bench/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "aphorism-bench/child.h"
#include "common/clock.h"
#include "common/dial.h"

enum { NOT_RUN = 127 };

static _Noreturn void run(const char *const argv[], int to, pid_t parent)
{
	int devnull = open("/dev/null", O_RDWR);

	child_follow(parent, SIGKILL);
	if (devnull < 0)
		perror("aphorism-bench: /dev/null");
	if (dup2(devnull, STDIN_FILENO) < 0 || dup2(to, STDOUT_FILENO) < 0 || dup2(devnull, STDERR_FILENO) < 0)
		_exit(NOT_RUN);
	/* a formatter of manual pages is to write plain text, and to wait for nobody */
	setenv("MANPAGER", "cat", 1);
	setenv("MANWIDTH", "78", 1);
	execvp(argv[0], (char *const *)argv);
	_exit(NOT_RUN);
}

/* Returns true when the end was seen in time. */
static bool read_all(int from, char *to, size_t size, uint64_t deadline_us)
{
	struct pollfd input = { .fd = from, .events = POLLIN };
	size_t len = 0;

	for (;;) {
		char rest[4096];
		bool full = len + 1 >= size;
		ssize_t n;

		to[len] = '\0';
		if (dial_wait(&input, 1, deadline_us) <= 0)
			return false;
		n = read(from, full ? rest : to + len, full ? sizeof rest : size - 1 - len);
		if (n == 0 || (n < 0 && errno != EINTR))
			return n == 0;
		if (n > 0 && !full)
			len += (size_t)n;
	}
}

int capture(const char *const argv[], char *to, size_t size, uint64_t timeout_us)
{
	int ends[2], status;
	bool ended;
	pid_t parent = getpid(), pid;

	*to = '\0';
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	pid = fork();
	if (pid == 0)
		run(argv, ends[1], parent);
	close(ends[1]);
	ended = pid > 0 && read_all(ends[0], to, size, clock_now_us() + timeout_us);
	close(ends[0]);
	if (pid < 0)
		return -1;
	if (!ended)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return ended && WIFEXITED(status) && WEXITSTATUS(status) != NOT_RUN ? WEXITSTATUS(status) : -1;
}
