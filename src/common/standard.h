/*
 * standard.h - standard input, output and error: there from the beginning, and looked at in the end; and failures.
 *
 * A program that has said all and could not be heard has failed.  As gnulib's modules stdopen and closeout.
 */
#ifndef COMMON_STANDARD_H
#define COMMON_STANDARD_H

#include <stdbool.h>

/*
 * To be called once, before anything is opened.  What is closed of the descriptors 0 to 2 becomes /dev/null, so that
 * no file or socket takes the number of one; standard input and output become one that can't be read, or written to:
 * who prints something is to hear that it goes nowhere.  Ends the program with EX_OSERR, and a line, if that can't be.
 *
 * When the program exits and not all that it printed on standard output has got there, a line says so, and the status
 * is EX_IOERR whatever it was.  The name stands in front of the line; it is not copied.
 */
void standard_open(const char *program);

/*
 * Flushes standard output.  NULL when all that was printed so far has got there, else the reason why not (static, or
 * strerror's), the first one, then and at each call after it.  May block, as any write to it.
 */
const char *standard_flush(void);

/*
 * Tells a failure: a line on standard error, printf-like, behind the program's name; where `standard_json` is set, an
 * object on standard output too.  Returns status.
 */
extern bool standard_json;
int standard_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
