/*
 * interactive.c - questions from a user who waits for each answer.
 */
#include "aphorism/interactive.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorism/editor.h"
#include "common/clock.h"
#include "common/standard.h"

static const char prompt[] = "aphorism> ";
static const char white[] = " \t\r\n";

static int interrupt_fd = -1;

/*
 * What waits for an answer polls the descriptor.  What waits for a key has to be interrupted, and a signal between its
 * last test and its sleep would be lost: hence no SA_RESTART, and a timer that calls again until somebody has noticed.
 */
static void on_interrupt(int signal)
{
	static const struct itimerval again = { { 0, 10 * CLOCK_MS }, { 0, 10 * CLOCK_MS } };
	uint64_t one = 1;
	int saved = errno;

	(void)signal;
	setitimer(ITIMER_REAL, &again, NULL);
	if (write(interrupt_fd, &one, sizeof one) < 0)
		errno = saved;            /* it is full: it can be read, which is all that matters */
}

static void catch_interrupts(void)
{
	struct sigaction action = { .sa_handler = on_interrupt };

	interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (interrupt_fd < 0)
		return;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
}

static void forget_interrupts(void)
{
	static const struct itimerval never;
	uint64_t count;

	setitimer(ITIMER_REAL, &never, NULL);
	while (interrupt_fd >= 0 && read(interrupt_fd, &count, sizeof count) > 0)
		;
}

/* As editor_read(), without an editor. */
static char *read_plain(bool asks)
{
	static char *line;
	static size_t size;
	static char nothing[1];

	if (asks) {
		fputs(prompt, stdout);
		fflush(stdout);
	}
	errno = 0;
	if (getline(&line, &size, stdin) >= 0)
		return line;
	if (asks)
		putchar('\n');
	if (errno != EINTR)
		return NULL;
	clearerr(stdin);
	return nothing;
}

/* Without the white space at either end; a copy, to be freed. */
static char *trimmed(const char *line)
{
	size_t len;

	line += strspn(line, white);
	len = strlen(line);
	while (len > 0 && strchr(white, line[len - 1]))
		len--;
	return strndup(line, len);
}

/* Tells what ended an attempt, unless the answers have, and returns the exit status. */
static int tell(const struct client *client, int status)
{
	if (status == CLIENT_CANCELLED) {
		putchar('\n');            /* behind the ^C */
		return EX_TEMPFAIL;
	}
	return status > CLIENT_UNKNOWN ? standard_fail(status, "%s", client->reason) : status;
}

/* Asks the questions of a line, and returns the status. */
static int ask(struct client *client, struct questions *questions, const char *line)
{
	size_t len = strlen(line);

	if (line[len - 1] != '?')
		return standard_fail(EX_USAGE, "a question ends in '?'");
	if (len > QUESTIONS_SIZE / 2)
		return standard_fail(EX_USAGE, "the line is too long");
	questions_set(questions, &line, 1, 1);
	return tell(client, client_ask(client, questions));
}

int interactive_run(struct client *client, struct questions *questions)
{
	bool terminal = isatty(STDIN_FILENO), edits;
	const char *line;
	int status;

	if (terminal)
		catch_interrupts();
	client->cancel = interrupt_fd;
	status = tell(client, client_connect(client));
	fflush(stdout);
	forget_interrupts();
	edits = editor_open(prompt);
	while ((line = edits ? editor_read() : read_plain(terminal && isatty(STDOUT_FILENO)))) {
		char *copy = trimmed(line);

		forget_interrupts();
		if (copy && *copy) {
			if (edits)
				editor_remember(copy);
			status = ask(client, questions, copy);
			fflush(stdout);
			forget_interrupts();
		}
		free(copy);
	}
	if (edits)
		editor_close();
	else if (ferror(stdin))
		status = standard_fail(EX_IOERR, "standard input cannot be read");
	return status;
}
