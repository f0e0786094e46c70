/*
 * options.h - what getopt_long(3) leaves to say about a wrong command line.
 */
#ifndef COMMON_OPTIONS_H
#define COMMON_OPTIONS_H

#include <getopt.h>
#include <stdint.h>

enum { OPTIONS_REASON = 256 };

/*
 * Writes to `to`, of OPTIONS_REASON bytes, what was wrong when getopt_long returned '?' or ':' (opterr is 0 and the
 * short options begin with ':'); an unknown long option with the nearest known one.  Returns `to`.
 */
const char *options_explain(char *to, const char *program, char *const argv[], const struct option *known, int result);

/* Says that on standard error, in one line behind the program's name.  Returns EX_USAGE. */
int options_complain(const char *program, char *const argv[], const struct option *known, int result);

/* Parses a whole decimal number from 1 to most.  Returns it, or 0 when the text is anything else. */
uint64_t options_number(const char *text, uint64_t most);

#endif
