/*
 * answer.h - what a client of the control socket is told, kept until it is taken.
 */
#ifndef APHORISMD_ANSWER_H
#define APHORISMD_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

/* All 0: nothing is left to be taken. */
struct answer {
	char *text;                       /* from `taken` on, so many bytes; NULL: none */
	size_t taken, len, size;
};

/* Adds whole lines.  False when that would be more than 1 MiB, or without memory. */
bool answer_add(struct answer *, const char *lines);

/* Sends as much as goes without waiting.  Returns 0 when that was all, EAGAIN, or the errno of a peer that is lost. */
int answer_send(struct answer *, int fd);

/* Forgets what is left. */
void answer_free(struct answer *);

#endif
