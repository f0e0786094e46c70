/*
 * json_text.c - the text of a JSON file, as far as it can be one of ours.
 */
#include "aphorism-bench/json_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/plain.h"

/* A record of as many cells as there may be, each of some 80 values and 2.5 KB, fits in with room to spare. */
enum { MOST_MIB = 16, MOST_BYTES = MOST_MIB << 20, MOST_VALUES = 1 << 19 };

static int complain(const char *file, const char *reason, int status)
{
	plain_say(stderr, "aphorism-bench: %s: %s", file, reason);
	return status;
}

/*
 * Each value follows one of these marks, a member's value two.  The parser takes up to 230 bytes for a value, which may
 * be written in two, so they are counted before it begins; that some stand in texts does not matter.
 */
static bool has_too_many_values(const char *text, size_t len)
{
	size_t count = 0;

	for (const char *at = text; at < text + len; at++)
		count += *at == ',' || *at == ':' || *at == '[' || *at == '{';
	return count > MOST_VALUES;
}

/* All of the stream, to be freed; NULL with the exit status. */
static char *read_all(FILE *stream, const char *file, size_t *len, int *status)
{
	char *text = malloc(MOST_BYTES + 1);

	if (!text) {
		*status = complain(file, "not enough memory", EX_OSERR);
		return NULL;
	}
	errno = 0;
	*len = fread(text, 1, MOST_BYTES + 1, stream);
	if (ferror(stream))
		*status = complain(file, strerror(errno), EX_NOINPUT);
	else if (*len > MOST_BYTES)
		*status = complain(file, "is larger than 16 MiB", EX_DATAERR);
	else if (has_too_many_values(text, *len))
		*status = complain(file, "holds more than 524288 values", EX_DATAERR);
	else
		return text;
	free(text);
	return NULL;
}

static json_t *parse(const char *text, size_t len, const char *file)
{
	json_error_t error;
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);

	if (root)
		return root;
	plain_say(stderr, "aphorism-bench: %s:%d: %s", file, error.line, error.text);
	return NULL;
}

json_t *json_text_load(const char *file, int *status)
{
	FILE *stream = strcmp(file, "-") == 0 ? stdin : fopen(file, "re");
	json_t *root = NULL;
	size_t len;
	char *text;

	if (!stream) {
		*status = complain(file, strerror(errno), EX_NOINPUT);
		return NULL;
	}
	text = read_all(stream, file, &len, status);
	if (stream != stdin)
		fclose(stream);
	if (text) {
		root = parse(text, len, file);
		*status = root ? EX_OK : EX_DATAERR;
	}
	free(text);
	return root;
}
