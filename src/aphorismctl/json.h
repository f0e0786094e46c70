/*
 * json.h - a daemon's answer as one JSON object.
 */
#ifndef APHORISMCTL_JSON_H
#define APHORISMCTL_JSON_H

#include "aphorismctl/control.h"

/*
 * Prints {"ok":...,"exit":STATUS,...} and a member for each key of the answer to standard output.  A key
 * that comes more than once, or could, becomes an array; a number a number; a line of fields an object; a key without a
 * value true.  Where the answer is a list of rows of that key (else NULL) it is an array, even when there are none.
 */
void json_reply(const struct reply *, const char *rows);

/* The same without the newline, as a part of another object. */
void json_put_reply(const struct reply *, const char *rows);

#endif
