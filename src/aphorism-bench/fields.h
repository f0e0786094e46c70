/*
 * fields.h - the members of a cell and of a record by name: what JSON and CSV files hold.
 */
#ifndef BENCH_FIELDS_H
#define BENCH_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "aphorism-bench/cell.h"

enum field_kind {
	FIELD_TEXT,                       /* char[size] */
	FIELD_TRUTH,                      /* bool */
	FIELD_COUNT,                      /* uint32_t */
	FIELD_SEEN,                       /* uint32_t; 0: could not be read */
	FIELD_LARGE,                      /* uint64_t */
	FIELD_LARGE_SEEN,                 /* uint64_t; 0: could not be read */
	FIELD_LARGE_NEWER,                /* uint64_t; 0 also where an older version wrote no such member */
	FIELD_REAL,                       /* double, not negative; NaN and what is below 0: could not be read */
	FIELD_SHARE,                      /* the same, not above 1 */
};

struct field {
	const char *name;
	enum field_kind kind;
	size_t offset, size;
};

/* Each ends with a row without a name.  errors and curve_us of a cell, which are lists, are not among them. */
extern const struct field fields_cell[], fields_record[];

/* Whether that member of a cell or record could be read. */
bool field_known(const struct field *, const void *holder);

#endif
