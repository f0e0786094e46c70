/*
 * rows.h - lines of fields, "KEY=VALUE" parted by TABs: one for each worker, connection or the like.
 */
#ifndef APHORISMCTL_ROWS_H
#define APHORISMCTL_ROWS_H

#include <stdbool.h>
#include <stddef.h>

#include "aphorismctl/control.h"

/* A field; neither part ends with a NUL. */
struct field {
	const char *name, *value;
	size_t name_len, value_len;
};

/* Does that key's value consist of fields? */
bool rows_are(const char *key);

/* The next field of a value, which *at moves along; false when there is none. */
bool rows_next(const char **at, struct field *);

/* The field of that name in a line, false where it has none; and that as a number, then 0. */
bool rows_find(const struct line *, const char *name, struct field *);
double rows_number(const struct line *, const char *name);

/* Prints the lines of that key, from the first on, as a table with a head.  Returns how many lines these are. */
size_t rows_print(const struct line *, size_t count);

#endif
