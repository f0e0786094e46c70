/*
 * json.h - what the programs say in JSON, on standard output.
 */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <stddef.h>

/*
 * Prints a string with its quotes.  What is no UTF-8 becomes U+FFFD, a byte each; control characters, those above
 * U+007F too, are escaped, since they could command a terminal.
 */
void json_put_string(const char *bytes, size_t len);

/* Prints what a program says of its failure, on a line: {"ok":false,"exit":STATUS,"error":["reason"]}. */
void json_failure(int status, const char *reason);

#endif
