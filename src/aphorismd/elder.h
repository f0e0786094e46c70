/*
 * elder.h - the process whose place this one takes in an upgrade, and the socket to it; upgrade_talk.h lists what is
 * said there.
 */
#ifndef APHORISMD_ELDER_H
#define APHORISMD_ELDER_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* At a start: finds out whether there is one.  Returns its control socket, which is the caller's, or -1. */
int elder_meet(void);

/* Whether it is there, until it has gone. */
bool elder_is_there(void);

/* Whether what it has is not ours yet, even if it has gone. */
bool elder_is_owner(void);

/* What it had is ours from now on. */
void elder_succeed(void);

/* 0: there was none. */
pid_t elder_pid(void);

/* Says a line, which it may not hear. */
void elder_say(const char *line);

/* Tells why we can't start, or what it should know of that: the first line of the text. */
void elder_tell(bool error, const char *text);

/*
 * A line that it has said, without a newline.  Returns 1; 0 when there is none now; -1 when it has gone, once.  Never
 * blocks.
 */
int elder_hear(char *line, size_t size);

/* Lists its socket; returns 1. */
int elder_list(struct pollfd *);

/* Closes it, in a child. */
void elder_forget(void);

#endif
