/*
 * config_scan.c - the source text, on its way to libconfig.
 *
 * libconfig 1.5 ends the process when an @include names a directory, hangs on a FIFO, wraps integers in
 * silence, and takes a comment without a newline for garbage.  So it gets to see neither files nor comments:
 * the files are read here, become one text with a table of where its lines come from, and integers beyond 32
 * bits are marked as such.
 */
#include "config/config_parts.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/regular.h"

/* Where in a file (or a string) we are; the text ends with a NUL, and holds no other. */
struct reader {
	struct scan *scan;
	const char *at;
	uint32_t file, line;
	bool line_start;                  /* only blanks since the last newline */
};

struct scan *config_scan_new(struct parser *parser)
{
	/* Large, but pages that are not used take no memory: so they must not be cleared. */
	struct scan *scan = malloc(sizeof *scan);

	if (!scan)
		return NULL;
	memset(scan, 0, offsetof(struct scan, lines));
	scan->parser = parser;
	return scan;
}

void config_scan_free(struct scan *scan)
{
	if (!scan)
		return;
	for (uint32_t i = 0; i < scan->file_count; i++)
		free(scan->files[i]);
	free(scan);
}

/* Reports an error in the text, which libconfig then need not report once more. */
static void broken(struct reader *reader, uint32_t line, const char *reason)
{
	struct scan *scan = reader->scan;
	struct origin here = { ORIGIN_FILE, line, scan->files[reader->file] };

	scan->broken = true;
	if (scan->parser)
		config_error(scan->parser, &here, "", "%s", reason);
}

/* There is room: CONFIG_TEXT bounds what is read, and nothing grows to twice its size. */
static void emit(struct scan *scan, const char *text, size_t len)
{
	assert(len < sizeof scan->text - scan->len);
	memcpy(scan->text + scan->len, text, len);
	scan->len += len;
}

static void begin_line(struct scan *scan, uint32_t file, uint32_t line)
{
	if (scan->line_count > 0)
		emit(scan, "\n", 1);
	scan->lines[scan->line_count++] = (struct scan_line){ file, line };
}

/*
 * libconfig looks at the token behind a string before it notes the string's line.  A closing bracket or comma
 * on a later line is therefore moved up to it: newlines behind a string are held until the next token is
 * known.
 */
static void release_newlines(struct reader *reader)
{
	struct scan *scan = reader->scan;

	while (scan->held > 0) {
		scan->held--;
		begin_line(scan, reader->file, reader->line - scan->held);
	}
	scan->after_string = false;
}

static void newline(struct reader *reader)
{
	reader->line++;
	reader->line_start = true;
	reader->at++;
	if (reader->scan->after_string)
		reader->scan->held++;
	else
		begin_line(reader->scan, reader->file, reader->line);
}

static void token(struct reader *reader, size_t len)
{
	if (strchr(",;)]}", *reader->at) == NULL)
		release_newlines(reader);
	emit(reader->scan, reader->at, len);
	release_newlines(reader);
	reader->at += len;
	reader->line_start = false;
}

static void block_comment(struct reader *reader)
{
	uint32_t line = reader->line;

	reader->at += 2;
	while (*reader->at && strncmp(reader->at, "*/", 2) != 0) {
		if (*reader->at == '\n')
			newline(reader);
		else
			reader->at++;
	}
	if (*reader->at)
		reader->at += 2;
	else
		broken(reader, line, "syntax error: a comment without an end begins here");
	reader->line_start = false;
	emit(reader->scan, " ", 1);
}

static void string(struct reader *reader)
{
	struct scan *scan = reader->scan;
	uint32_t line = reader->line;
	const char *end = reader->at + 1;

	release_newlines(reader);
	emit(scan, "\"", 1);
	for (; *end && *end != '"'; end++) {
		if (*end == '\n') {
			begin_line(scan, reader->file, ++reader->line);
			continue;
		}
		if (*end == '\\' && (end[1] == '"' || end[1] == '\\'))
			emit(scan, end++, 1);
		emit(scan, end, 1);
	}
	if (*end == '\0') {
		broken(reader, line, "syntax error: a string without an end begins here");
		reader->at = end;
		return;
	}
	emit(scan, "\"", 1);
	reader->at = end + 1;
	reader->line_start = false;
	scan->after_string = true;
}

/* The length of a floating-point number's text, as libconfig's scanner cuts it; 0: it is none. */
static size_t float_length(const char *at)
{
	const char *end = at + strspn(at, "0123456789");
	const char *exponent;
	bool found = *end == '.';

	if (found)
		end += 1 + strspn(end + 1, "0123456789");
	if (*end == 'e' || *end == 'E') {
		exponent = end + 1 + (end[1] == '-' || end[1] == '+');
		if (isdigit((unsigned char)*exponent)) {
			found = true;
			end = exponent + strspn(exponent, "0123456789");
		}
	}
	return found ? (size_t)(end - at) : 0;
}

/*
 * An integer: one that int would wrap is passed on as a long one, and one that even that would wrap as the
 * largest or smallest, which is out of every key's range.
 */
static void integer(struct reader *reader, const char *digits, int base)
{
	char *end, text[UNITS_TEXT];
	int64_t value;
	int len;

	errno = 0;
	value = strtoll(reader->at, &end, base);
	assert(end > digits);
	for (int longs = 0; longs < 2 && *end == 'L'; longs++)
		end++;
	if (value >= INT32_MIN && value <= INT32_MAX) {
		token(reader, (size_t)(end - reader->at));
		return;
	}
	release_newlines(reader);
	len = snprintf(text, sizeof text, "%" PRId64 "L", value);
	emit(reader->scan, text, (size_t)len);
	reader->at = end;
	reader->line_start = false;
}

/* Anything that begins like a number: a number, or a lone sign. */
static void number(struct reader *reader)
{
	const char *at = reader->at, *digits = at + (*at == '-' || *at == '+');
	size_t float_len = float_length(digits);

	if (at[0] == '0' && (at[1] == 'x' || at[1] == 'X') && isxdigit((unsigned char)at[2]))
		integer(reader, at + 2, 16);
	else if (float_len > 0)
		token(reader, (size_t)(digits - at) + float_len);
	else if (isdigit((unsigned char)*digits))
		integer(reader, digits, 10);
	else
		token(reader, 1);
}

/* Reads the file that an @include names: relative to the configuration file's folder, as libconfig has it. */
static void include(struct reader *reader, const char *name)
{
	struct scan *scan = reader->scan;
	struct origin here = { ORIGIN_FILE, reader->line, scan->files[reader->file] };
	char path[PATH_MAX], shown[LOG_ESCAPED];
	const char *reason;

	log_escape(shown, sizeof shown, name, strlen(name));
	if (scan->depth > CONFIG_DEPTH)
		reason = "includes are nested too deeply";
	else if (!config_path(scan->parser, path, sizeof path, name))
		reason = "the path is too long";
	else
		reason = config_scan_file(scan, path);
	if (reason)
		config_error(scan->parser, &here, "@include", "%s: %s", shown, reason);
}

/*
 * An @include where libconfig would take one; elsewhere an @ becomes another character that is a syntax
 * error.
 */
static void directive(struct reader *reader)
{
	static const char word[] = "@include";
	const char *at = reader->at, *blank_end;
	char name[PATH_MAX];
	size_t len = 0;

	if (strncmp(at, word, strlen(word)) == 0)
		at += strlen(word);
	blank_end = at + strspn(at, " \t");
	if (!reader->line_start || !reader->scan->parser || blank_end == at || *blank_end != '"') {
		emit(reader->scan, "$", 1);
		reader->at++;
		return;
	}
	for (at = blank_end + 1; *at && *at != '"' && *at != '\n' && len < sizeof name - 1; at++) {
		if (*at == '\\' && (at[1] == '"' || at[1] == '\\'))
			at++;
		name[len++] = *at;
	}
	name[len] = '\0';
	reader->at = at;
	if (*at != '"') {
		broken(reader, reader->line, "syntax error: an @include's name without an end");
		return;
	}
	reader->at++;
	release_newlines(reader);
	include(reader, name);
	begin_line(reader->scan, reader->file, reader->line);
	reader->line_start = false;
}

static void read_text(struct scan *scan, const char *text, uint32_t file)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz*-_0123456789";
	struct reader reader = { .scan = scan, .at = text, .file = file, .line = 1, .line_start = true };

	begin_line(scan, file, 1);
	while (*reader.at) {
		const char *at = reader.at;

		if (*at == '\n') {
			newline(&reader);
		} else if (*at == '#' || strncmp(at, "//", 2) == 0) {
			reader.at += strcspn(at, "\n");
		} else if (strncmp(at, "/*", 2) == 0) {
			block_comment(&reader);
		} else if (*at == '"') {
			string(&reader);
		} else if (*at == '@') {
			directive(&reader);
		} else if (isalpha((unsigned char)*at) || *at == '*') {
			token(&reader, strspn(at, letters));
		} else if (isdigit((unsigned char)*at) || strchr("+-.", *at) != NULL) {
			number(&reader);
		} else if (strchr(" \t\r\f", *at) != NULL) {
			emit(scan, " ", 1);
			reader.at++;
		} else {
			token(&reader, 1);
		}
	}
	release_newlines(&reader);
}

/* Reads at most `most` bytes and a NUL.  Returns NULL, or the reason; *text is to be freed. */
static const char *read_file(const char *path, size_t most, char **text, size_t *len)
{
	const char *reason = NULL;
	struct stat status;
	int fd = regular_open(path, &status, &reason);
	ssize_t got = 1;

	*text = NULL;
	*len = 0;
	if (fd < 0)
		return reason;
	if ((*text = malloc(most + 1)) == NULL)
		reason = strerror(errno);
	while (!reason && got > 0) {
		got = read(fd, *text + *len, most + 1 - *len);
		if (got < 0)
			reason = strerror(errno);
		else if ((*len += (size_t)got) > most)
			reason = "too large: a configuration is at most 1 MiB, all its files together";
	}
	close(fd);
	if (!reason)
		(*text)[*len] = '\0';
	return reason;
}

const char *config_scan_file(struct scan *scan, const char *path)
{
	static const char mark[] = "\xef\xbb\xbf";
	size_t len, skipped = 0;
	uint32_t file = scan->file_count;
	const char *reason;
	char *text, *name;

	if (file == CONFIG_FILES)
		return "too many files: a configuration is at most 100";
	reason = read_file(path, CONFIG_TEXT - scan->read, &text, &len);
	name = reason ? NULL : strdup(path);
	if (!name) {
		free(text);
		return reason ? reason : strerror(errno);
	}
	scan->files[scan->file_count++] = name;
	scan->read += len;
	if (strncmp(text, mark, strlen(mark)) == 0)
		skipped = strlen(mark);
	scan->depth++;
	read_text(scan, text + skipped, file);
	scan->depth--;
	if (strlen(text) < len)
		broken(&(struct reader){ .scan = scan, .file = file }, scan->lines[scan->line_count - 1].line,
		       "syntax error: a NUL byte");
	free(text);
	return NULL;
}

void config_scan_string(struct scan *scan, const char *text)
{
	scan->len = scan->line_count = 0;
	scan->broken = strlen(text) > CONFIG_TEXT;
	if (!scan->broken)
		read_text(scan, text, 0);
}

bool config_scan_parse(struct scan *scan, config_t *config)
{
	scan->text[scan->len] = '\0';
	return config_read_string(config, scan->text) == CONFIG_TRUE;
}

struct origin config_scan_origin(const struct scan *scan, unsigned n)
{
	const struct scan_line *line = &scan->lines[n - 1];

	assert(n > 0 && n <= scan->line_count);
	return (struct origin){ ORIGIN_FILE, line->line, scan->files[line->file] };
}
