/*
 * control.h - the client's side of the control protocol: one line asks, lines answer, "end STATUS" is
 * the last.
 */
#ifndef APHORISMCTL_CONTROL_H
#define APHORISMCTL_CONTROL_H

#include <stddef.h>
#include <stdint.h>

enum { CONTROL_PATH = 4096, REPLY_LINES = 8192, REPLY_SIZE = 1024 * 1024 };

/* A line of an answer: its first word and the rest, which may be empty. */
struct line {
	const char *key, *value;
};

/* A whole answer: the lines, and the status that its last one had.  They point into text. */
struct reply {
	int status;
	size_t count;
	struct line lines[REPLY_LINES];
	char text[REPLY_SIZE];
};

/*
 * The socket of a daemon that was started with the default of control.socket: the system's for root, and
 * for others when there is one; else the user's own.  Returns `to` (CONTROL_PATH bytes), or a static
 * text.
 */
const char *control_default_path(char *to);

/*
 * Sends a line, which ends with a newline, and reads the answer to it.  Returns 0, or an errno:
 * ETIMEDOUT, EPROTO for what is no answer, ECONNRESET when the daemon went away before the end of it.
 * Where another version's daemon does not know the command, the error in the answer says so.
 * Blocks until deadline_us at most.
 */
int control_ask(int fd, const char *line, struct reply *, uint64_t deadline_us);

/* Waits until the daemon closes the connection, as it does when it exits.  Returns 0 or ETIMEDOUT. */
int control_wait_for_exit(int fd, uint64_t deadline_us);

#endif
