/*
 * json.h - a daemon's answer as one JSON object.
 */
#ifndef APHORISMCTL_JSON_H
#define APHORISMCTL_JSON_H

#include "aphorismctl/control.h"

/*
 * Prints {"ok":...,"exit":STATUS,...} and a member for each key of the answer to standard output.  A key
 * that comes more than once, or could, becomes an array; an integer a number; a key without a value
 * true.
 */
void json_reply(const struct reply *);

#endif
