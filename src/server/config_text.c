/*
 * config_text.c - a value that is given as text: a default, a variable, an option.
 *
 * It is libconfig's syntax; but a bare word is a string, and lists go by commas.
 */
#include "server/config_parts.h"

#include <ctype.h>
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

/* "a, b": words between commas; none at all is an empty list. */
static config_setting_t *bare_list(config_t *config, const char *text)
{
	config_setting_t *list = config_setting_add(config_root_setting(config), "v", CONFIG_TYPE_LIST);
	char *copy = strdup(text), *rest = copy, *word;

	if (text[strspn(text, " \t")] == '\0')
		rest = NULL;
	while (copy && list && (word = strsep(&rest, ",")) != NULL) {
		size_t len;

		word += strspn(word, " \t");
		for (len = strlen(word); len > 0 && strchr(" \t", word[len - 1]) != NULL; len--)
			word[len - 1] = '\0';
		if (!config_setting_set_string_elem(list, -1, word))
			list = NULL;
	}
	free(copy);
	return copy ? list : NULL;
}

/* "[::1]:1060" as against ["::1"]. */
static bool begins_with_ipv6(const char *text)
{
	return text[0] == '[' && (text[1] == ':' || isxdigit((unsigned char)text[1]));
}

static config_setting_t *read_list(struct scan *scan, config_t *config, const char *text)
{
	text += strspn(text, " \t");
	switch (*text) {
	case '(':
		return parse(scan, config, "", text, "");
	case '[':
		return begins_with_ipv6(text) ? bare_list(config, text) : parse(scan, config, "", text, "");
	case '"':
	case '{':
		return parse(scan, config, "(", text, ")");
	default:
		return bare_list(config, text);
	}
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

void config_value_text(struct loader *loader, struct slot *slot, const char *text, enum origin_kind kind)
{
	struct origin origin = { kind, 0, NULL };
	char shown[LOG_ESCAPED];
	config_setting_t *setting;
	config_t config;

	config_init(&config);
	setting = read_value(loader->scratch, &config, slot->key->type, text);
	if (setting) {
		config_value(loader, slot, setting, &origin);
	} else {
		slot->bad = true;
		config_error(loader, &origin, slot->key->name, "%s: syntax error",
		             log_escape(shown, sizeof shown, text, strlen(text)));
	}
	config_destroy(&config);
}
