/*
 * show.h - answers, for people or in JSON.
 */
#ifndef APHORISM_SHOW_H
#define APHORISM_SHOW_H

#include <stdbool.h>
#include <stddef.h>

#include "aphorism/client.h"

/* To be called once: sees whether standard output is a terminal.  Alone: without the questions, typed just now. */
void show_init(bool answers_alone);

/*
 * Prints bytes as they are; to a terminal, which a server's bytes could command, everything that cannot
 * be printed in the present locale as \n, \r, \t or \xNN.
 */
void show_bytes(const char *bytes, size_t len);

/*
 * Prints an answer on a line, behind its question or alone; with `standard_json` an object, always with the question.
 * Ends the program with EX_IOERR when that can't be.
 */
void show_answer(const struct client_answer *);

#endif
