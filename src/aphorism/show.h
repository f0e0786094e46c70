/*
 * show.h - answers on standard output.
 */
#ifndef APHORISM_SHOW_H
#define APHORISM_SHOW_H

#include <stddef.h>

/* To be called once: sees whether standard output is a terminal. */
void show_init(void);

/*
 * Prints bytes as they are; to a terminal, which a server's bytes could command, everything that cannot
 * be printed in the present locale as \n, \r, \t or \xNN.
 */
void show_bytes(const char *bytes, size_t len);

#endif
