#include "aphorism/interactive.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorism/editor.h"
#include "aphorism/show.h"

static const char prompt[] = "aphorism> ";
static const char white[] = " \t\r\n";

static int interrupt_fd = -1;

/* What waits for an answer polls the descriptor, and what waits for a key is interrupted: hence no SA_RESTART. */
static void on_interrupt(int signal)
{
	uint64_t one = 1;

	(void)signal;
	if (write(interrupt_fd, &one, sizeof(one)) < 0)
		return;           /* it is full: it can be read, which is all that matters */
}

static void catch_interrupts(void)
{
	struct sigaction action = { .sa_handler = on_interrupt };

	interrupt_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (interrupt_fd >= 0)
		sigaction(SIGINT, &action, NULL);
}

static void forget_interrupts(void)
{
	uint64_t count;

	while (interrupt_fd >= 0 && read(interrupt_fd, &count, sizeof(count)) > 0)
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

/* Asks the questions of a line, and returns the status. */
static int ask(struct client *client, struct questions *questions, const char *line)
{
	size_t len = strlen(line);
	int status;

	if (line[len - 1] != '?')
		return show_failure(EX_USAGE, "a question ends in '?'");
	if (len > QUESTIONS_SIZE / 2)
		return show_failure(EX_USAGE, "the line is too long");
	questions_set(questions, &line, 1, 1);
	forget_interrupts();
	status = client_ask(client, questions);
	if (status == CLIENT_CANCELLED) {
		putchar('\n');            /* behind the ^C */
		return EX_TEMPFAIL;
	}
	return status > CLIENT_UNKNOWN ? show_failure(status, client->reason) : status;
}

int interactive_run(struct client *client, struct questions *questions)
{
	bool terminal = isatty(STDIN_FILENO), edits;
	const char *line;
	int status = EX_OK;

	if (terminal)
		catch_interrupts();
	client->cancel = interrupt_fd;
	edits = editor_open(prompt);
	while ((line = edits ? editor_read() : read_plain(terminal && isatty(STDOUT_FILENO)))) {
		char *copy = trimmed(line);

		if (copy && *copy) {
			if (edits)
				editor_remember(copy);
			status = ask(client, questions, copy);
			fflush(stdout);
		}
		free(copy);
	}
	if (edits)
		editor_close();
	else if (ferror(stdin))
		status = show_failure(EX_IOERR, "standard input cannot be read");
	return status;
}
