/*
 * interactive.h - questions from a user who waits for each answer.
 */
#ifndef APHORISM_INTERACTIVE_H
#define APHORISM_INTERACTIVE_H

#include "aphorism/client.h"
#include "aphorism/questions.h"

/*
 * Reads lines from standard input, at a terminal behind a prompt, asks the questions in each and has the answers told.
 * At a terminal SIGINT gives up a line, or a question that waits for its answer.  A failure is shown and ends nothing.
 * Returns the status of the last line when the input ends.  Blocks.
 */
int interactive_run(struct client *, struct questions *);

#endif
