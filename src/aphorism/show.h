/*
 * show.h - answers and failures, for people or in JSON.
 */
#ifndef APHORISM_SHOW_H
#define APHORISM_SHOW_H

#include <stdbool.h>
#include <stddef.h>

#include "aphorism/client.h"

/* To be called once: sees whether standard output is a terminal. */
void show_init(bool json);

/*
 * Prints bytes as they are; to a terminal, which a server's bytes could command, everything that cannot
 * be printed in the present locale as \n, \r, \t or \xNN.
 */
void show_bytes(const char *bytes, size_t len);

/*
 * Prints an answer on a line: behind its question, or alone where that has just been typed; in JSON with it anyway.
 * Ends the program with EX_IOERR when that can't be.
 */
void show_pair(const struct client_answer *);
void show_answer(const struct client_answer *);

/* Tells a failure on standard error, as JSON on standard output too.  Returns status. */
int show_failure(int status, const char *reason);

#endif
