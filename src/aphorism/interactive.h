/*
 * interactive.h - questions from a user who waits for each answer.
 */
#ifndef APHORISM_INTERACTIVE_H
#define APHORISM_INTERACTIVE_H

#include "aphorism/client.h"
#include "aphorism/questions.h"

/*
 * Connects, reads lines from standard input, at a terminal behind a prompt, asks the questions in each and has the
 * answers told.  At a terminal SIGINT gives up a line, or what waits for a connection or an answer.  A failure is shown
 * and ends nothing, the first connection's neither.  Returns the status of the last line when the input ends, without
 * one that of the connection.  Blocks.
 */
int interactive_run(struct client *, struct questions *);

#endif
