/*
 * json_text.h - the text of a JSON file, as far as it can be one of ours.
 */
#ifndef BENCH_JSON_TEXT_H
#define BENCH_JSON_TEXT_H

#include <jansson.h>

/*
 * Parses a file ("-" is standard input), at most 16 MiB with half a million values, so that no file can take much time
 * or memory.  Returns the value, which the caller gives back; or NULL after one line that says file and reason, with
 * the exit status: EX_NOINPUT (it cannot be read), EX_DATAERR or EX_OSERR.
 */
json_t *json_text_load(const char *file, int *status);

#endif
