/*
 * units.h - durations and sizes as people write them.
 */
#ifndef COMMON_UNITS_H
#define COMMON_UNITS_H

#include <stddef.h>
#include <stdint.h>

enum { UNITS_TEXT = 32 };

/*
 * Parses "250us", "10ms", "30s", "5m", "1h" or whole seconds ("30") into microseconds.  Digits only, no sign, no
 * fraction, optional white space before the unit.  Returns NULL, or the reason it can't be taken (static text);
 * *us is then untouched.  What does not fit into an int64_t is "too large", never wrapped.
 */
const char *units_duration(const char *text, int64_t *us);

/* The same for sizes in bytes: "4096", "16k", "2m" (powers of 1024). */
const char *units_size(const char *text, int64_t *bytes);

/* The shortest exact rendering, e.g. "90s", "1500us", "16k"; to holds UNITS_TEXT bytes.  Returns `to`. */
const char *units_format_duration(char *to, int64_t us);
const char *units_format_size(char *to, int64_t bytes);

#endif
