/*
 * config_entry.c - what all the others need: entries by name, the files' paths, and errors with the place of a value.
 */
#include "config/config_parts.h"

#include <ctype.h>
#include <stdarg.h>
#include <string.h>

#include "common/log.h"

const char *config_variable(char to[CONFIG_KEY + 16], const char *key)
{
	int len = snprintf(to, CONFIG_KEY + 16, "%s%s", CONFIG_PREFIX, key);

	for (int i = 0; i < len; i++)
		to[i] = to[i] == '.' ? '_' : (char)toupper((unsigned char)to[i]);
	return to;
}

bool config_path(const struct parser *parser, char *to, size_t size, const char *path)
{
	bool relative = *path != '\0' && *path != '/';

	return (size_t)snprintf(to, size, "%s%s", relative ? parser->folder : "", path) < size;
}

/* Names of files and variables are somebody's choice, too: a line is printable. */
static void report(struct parser *parser, bool error, char *line)
{
	parser->errors += error;
	parser->report(parser->arg, error, log_clean(line));
}

void config_error(struct parser *parser, const struct origin *origin, const char *key,
                  const char *format, ...)
{
	char line[PATH_MAX + 2048], variable[CONFIG_KEY + 16];
	const size_t room = PATH_MAX + 512; /* the rest is the reason's */
	va_list arguments;
	size_t len = 0;

	if (origin->kind == ORIGIN_ENVIRONMENT)
		snprintf(line, room, "environment: %s: ", config_variable(variable, key));
	else if (origin->kind == ORIGIN_FILE)
		snprintf(line, room, *key ? "%s:%u: %s: " : "%s:%u: ", origin->file, origin->line, key);
	else
		snprintf(line, room, "%s: %s: ", origin->kind == ORIGIN_OPTION ? "option" : "default", key);
	len = strlen(line);
	va_start(arguments, format);
	vsnprintf(line + len, sizeof line - len, format, arguments);
	va_end(arguments);
	report(parser, true, line);
}

void config_error_key(struct parser *parser, const struct origin *origin, const char *key,
                      const struct nearest *nearest)
{
	if (nearest->best)
		config_error(parser, origin, key, "unknown key, did you mean \"%s\"?", nearest->best);
	else
		config_error(parser, origin, key, "unknown key");
}

void config_error_word(struct parser *parser, const struct origin *origin, const char *key, const char *text,
                       const char *kind, const char *const *words)
{
	struct nearest nearest = { .name = text };
	char shown[LOG_ESCAPED], known[512];
	size_t len = 0;

	known[0] = '\0';
	for (const char *const *word = words; *word; word++) {
		nearest_offer(&nearest, *word);
		if (len < sizeof known)
			len += (size_t)snprintf(known + len, sizeof known - len, len ? ", %s" : "%s", *word);
	}
	log_escape(shown, sizeof shown, text, strlen(text));
	if (nearest.best)
		config_error(parser, origin, key, "%s is no %s, did you mean \"%s\"? (%s)", shown, kind, nearest.best,
		             known);
	else
		config_error(parser, origin, key, "%s is no %s (%s)", shown, kind, known);
}

void config_report_format(struct parser *parser, bool error, const char *format, ...)
{
	char line[PATH_MAX + 512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof line, format, arguments);
	va_end(arguments);
	report(parser, error, line);
}

struct entry *config_entry(struct parser *parser, const char *name)
{
	for (size_t i = 0; i < parser->count; i++)
		if (strcmp(parser->entries[i].key->name, name) == 0)
			return &parser->entries[i];
	return NULL;
}
