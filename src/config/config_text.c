/*
 * config_text.c - a value that is given as text: a default, a variable, an option.
 *
 * It is libconfig's syntax; but a bare word is a string, and lists go by commas.
 */
#include "config/config_parts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

/*
 * Reads "v = BEFORE TEXT AFTER" into config.  Returns the setting, or NULL when that is not exactly one
 * value.
 */
static config_setting_t *parse(struct scan *scan, config_t *config, const char *before, const char *text,
                               const char *after)
{
	config_setting_t *setting = NULL;
	char *assignment;

	/* The newline ends a comment that the text may hold. */
	if (asprintf(&assignment, "v = %s%s\n%s;", before, text, after) < 0)
		return NULL;
	config_scan_string(scan, assignment);
	free(assignment);
	if (!scan->broken && config_scan_parse(scan, config) &&
	    config_setting_length(config_root_setting(config)) == 1)
		setting = config_lookup(config, "v");
	if (!setting) {
		config_destroy(config);
		config_init(config);
	}
	return setting;
}

static config_setting_t *bare_string(config_t *config, const char *text)
{
	config_setting_t *setting = config_setting_add(config_root_setting(config), "v", CONFIG_TYPE_STRING);

	return setting && config_setting_set_string(setting, text) ? setting : NULL;
}

/* An array holds strings; brackets around an address are a part of it. */
static bool is_array(const char *text)
{
	return *text == '[' && text[1] != ':' && !isxdigit((unsigned char)text[1]);
}

/* Is it libconfig's own, a string or a group, and no bare word? */
static bool is_written(const char *text)
{
	return *text == '"' || *text == '{';
}

/* The length of what is libconfig's own, up to the comma behind it or the text's end. */
static size_t written_length(const char *text)
{
	const char *at = text;
	bool quoted = false;
	int depth = 0;

	for (; *at && (quoted || depth > 0 || *at != ','); at++) {
		if (*at == '"')
			quoted = !quoted;
		else if (quoted)
			at += *at == '\\' && at[1] != '\0';
		else
			depth += (*at == '{') - (*at == '}');
	}
	return (size_t)(at - text);
}

/* A bare word as a string. */
static void put_word(FILE *to, const char *word, size_t len)
{
	while (len > 0 && strchr(" \t", word[len - 1]) != NULL)
		len--;
	fputc('"', to);
	for (; len > 0; len--, word++)
		fprintf(to, *word == '"' || *word == '\\' ? "\\%c" : "%c", *word);
	fputc('"', to);
}

/* Puts an element of a list and returns where the next one begins, or NULL behind the last. */
static const char *put_element(FILE *to, const char *text)
{
	size_t len;

	text += strspn(text, " \t");
	len = is_written(text) ? written_length(text) : strcspn(text, ",");
	if (is_written(text))
		fwrite(text, 1, len, to);
	else
		put_word(to, text, len);
	text += len;
	if (*text == '\0')
		return NULL;
	fputs(", ", to);
	return text + 1;
}

/* "a, b": elements between commas; none at all is an empty list. */
static config_setting_t *read_elements(struct scan *scan, config_t *config, const char *text)
{
	config_setting_t *list = NULL;
	char *elements = NULL;
	size_t size;
	FILE *to = open_memstream(&elements, &size);

	if (!to)
		return NULL;
	if (*text == '\0')
		text = NULL;
	while (text)
		text = put_element(to, text);
	if (fclose(to) == 0)
		list = parse(scan, config, "(", elements, ")");
	free(elements);
	return list;
}

static config_setting_t *read_list(struct scan *scan, config_t *config, const char *text)
{
	config_setting_t *list = NULL;

	text += strspn(text, " \t");
	if (*text == '(' || is_array(text))
		return parse(scan, config, "", text, "");
	/* no word is among them, but a comment may be */
	if (is_written(text))
		list = parse(scan, config, "(", text, ")");
	return list ? list : read_elements(scan, config, text);
}

static config_setting_t *read_value(struct scan *scan, config_t *config, enum key_type type, const char *text)
{
	bool quoted = text[strspn(text, " \t")] == '"';
	config_setting_t *setting = NULL;

	if (type == KEY_LISTEN || type == KEY_NETWORKS)
		return read_list(scan, config, text);
	/* A user may be called 1000, and a path may be /a//b. */
	if (quoted || type == KEY_NUMBER || type == KEY_SIZE || type == KEY_DURATION)
		setting = parse(scan, config, "", text, "");
	return setting || quoted ? setting : bare_string(config, text);
}

void config_value_text(struct parser *parser, struct entry *entry, const char *text, enum origin_kind kind)
{
	struct origin origin = { kind, 0, NULL };
	char shown[LOG_ESCAPED];
	config_setting_t *setting;
	config_t config;

	config_init(&config);
	setting = read_value(parser->scratch, &config, entry->key->type, text);
	if (setting) {
		config_value(parser, entry, setting, &origin);
	} else {
		entry->bad = true;
		config_error(parser, &origin, entry->key->name, "%s: syntax error",
		             log_escape(shown, sizeof shown, text, strlen(text)));
	}
	config_destroy(&config);
}
