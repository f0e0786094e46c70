/*
 * top.h - how the daemon is, live at a terminal.
 */
#ifndef APHORISMCTL_TOP_H
#define APHORISMCTL_TOP_H

#include "aphorismctl/control.h"

/* Why it can't be had, here or in this build; NULL when it can. */
const char *top_lacks(void);

/*
 * Asks that socket once for all that is shown.  Returns 0, with the answer that refuses it or NULL in *refusal, which
 * holds until the next call; or an errno.  Blocks.
 */
int top_fetch(const char *socket, const struct reply **refusal);

/*
 * Asks that socket once a second and draws the answers, until q is typed or SIGINT or SIGTERM comes; a daemon that
 * is away for a while, or refuses, is waited for.  Returns an exit status.  Blocks.
 */
int top_run(const char *socket);

/*
 * Asks as often, and prints an object a line: the answers, or the refusal, or that there is none, and the seconds
 * since the line before, 0 where that had no answers.  Returns EX_IOERR when nobody takes them any more.  Blocks.
 */
int top_stream(const char *socket);

#endif
