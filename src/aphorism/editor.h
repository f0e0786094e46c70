/*
 * editor.h - lines typed at a terminal, with editing, a history and completion, by libedit.
 */
#ifndef APHORISM_EDITOR_H
#define APHORISM_EDITOR_H

#include <stdbool.h>

/*
 * Takes over standard input and output, and loads the history.  False: one of them is no terminal, or
 * this build has no libedit.
 */
bool editor_open(const char *prompt);

/*
 * Returns the next line, which stays until the next call; "" when a signal has interrupted it, whose handler is one
 * without SA_RESTART; NULL at the end.  Blocks.
 */
const char *editor_read(void);

/* Appends a line to the history, and writes that to its file: so it survives whatever end. */
void editor_remember(const char *line);

void editor_close(void);

#endif
