/*
 * config_dump.c - each key's value in force and its origin, as libconfig would read it.
 */
#include "config/config_parts.h"

#include <inttypes.h>
#include <string.h>

#include "common/log.h"
#include "common/plain.h"

static void print_string(FILE *to, const char *text)
{
	char quoted[4 * PATH_MAX + 16];

	/* What a log line escapes, libconfig takes back. */
	fputs(log_escape(quoted, sizeof quoted, text, strlen(text)), to);
}

static void print_member(FILE *to, const struct config_listen *listen, const struct key *key)
{
	const char *at = (const char *)listen + key->offset;
	int64_t number;

	memcpy(&number, at, sizeof number);
	fprintf(to, "%s = ", key->name);
	if (key->type == KEY_MODE)
		fprintf(to, "\"%04o\"", (unsigned)number);
	else if (key->type == KEY_FLAG)
		fputs(number ? "true" : "false", to);
	else
		print_string(to, at);        /* which an owner begins with */
	fputs("; ", to);
}

/* As an address alone, where nothing else was said; else as a group, which always names the protocol. */
static void print_listener(FILE *to, const struct config_listen *listen, const struct config_schema *schema)
{
	struct config_listen plain;

	config_listen_default(&plain, schema);
	memcpy(plain.address, listen->address, sizeof plain.address);
	if (memcmp(listen, &plain, sizeof plain) == 0) {
		print_string(to, listen->address);
		return;
	}
	fputs("{ ", to);
	for (const struct key *key = config_listen_keys; key->name; key++)
		if (key->type == KEY_ADDRESS || key->type == KEY_PROTOCOL ||
		    memcmp((const char *)listen + key->offset, (const char *)&plain + key->offset, key->size) != 0)
			print_member(to, listen, key);
	fputs("}", to);
}

static void print_listen(FILE *to, const struct config *config, const struct config_schema *schema)
{
	fputs("(", to);
	for (int64_t i = 0; i < config->listeners; i++) {
		fputs(i ? ", " : " ", to);
		print_listener(to, &config->listen[i], schema);
	}
	fputs(" )", to);
}

static void print_networks(FILE *to, const struct access_list *list)
{
	char text[ACCESS_TEXT];

	fputs("[", to);
	for (uint32_t i = 0; i < list->count; i++)
		fprintf(to, "%s\"%s\"", i ? ", " : " ", access_format(text, &list->networks[i]));
	fputs(list->count ? " ]" : "]", to);
}

static void print_choice(FILE *to, const char *choices, int64_t index)
{
	for (; index > 0; index--)
		choices += strcspn(choices, "|") + 1;
	fprintf(to, "\"%.*s\"", (int)strcspn(choices, "|"), choices);
}

static void print_value(FILE *to, const struct config *config, const struct config_schema *schema,
                        const struct key *key, const void *at)
{
	const int64_t *number = at;
	char text[UNITS_TEXT];

	switch (key->type) {
	case KEY_NUMBER:
	case KEY_SIZE:
		fprintf(to, "%" PRId64, *number);
		break;
	case KEY_DURATION:
		fprintf(to, "\"%s\"", units_format_duration(text, *number));
		break;
	case KEY_CHOICE:
		print_choice(to, key->choices, *number);
		break;
	case KEY_TEXT:
	case KEY_MODEL:
	case KEY_PATH:
		print_string(to, at);
		break;
	case KEY_LISTEN:
		print_listen(to, config, schema);
		break;
	case KEY_NETWORKS:
		print_networks(to, at);
		break;
	default:
		break;
	}
}

static void print_origin(FILE *to, const struct entry *entry)
{
	char variable[CONFIG_KEY + 16];

	switch (entry->origin.kind) {
	case ORIGIN_DEFAULT:
		fputs("default", to);
		break;
	case ORIGIN_FILE:
		plain_put(to, entry->origin.file, strlen(entry->origin.file));
		fprintf(to, ":%u", entry->origin.line);
		break;
	case ORIGIN_ENVIRONMENT:
		fprintf(to, "environment %s", config_variable(variable, entry->key->name));
		break;
	case ORIGIN_OPTION:
		fputs("option", to);
		break;
	}
}

void config_dump(const struct parser *parser, FILE *to)
{
	const char *group = "";
	size_t group_len = 0;

	for (size_t i = 0; i < parser->count; i++) {
		const struct entry *entry = &parser->entries[i];
		const char *name = entry->key->name, *dot = strchr(name, '.');
		size_t len = dot ? (size_t)(dot - name) : 0;

		if (len != group_len || strncmp(name, group, len) != 0) {
			if (group_len > 0)
				fputs("};\n", to);
			if (len > 0)
				fprintf(to, "%.*s = {\n", (int)len, name);
			group = name;
			group_len = len;
		}
		fprintf(to, "%s%s = ", dot ? "\t" : "", dot ? dot + 1 : name);
		print_value(to, parser->config, parser->schema, entry->key, entry->at);
		fputs(";  # ", to);
		print_origin(to, entry);
		fputc('\n', to);
	}
	if (group_len > 0)
		fputs("};\n", to);
}

/* ---- from one configuration to the next ---- */

static const void *value_at(const struct config *config, const struct config_schema *schema,
                            const struct section *section, const struct key *key)
{
	const void *base = section ? config_section(config, schema, section->name) : config;

	return (const char *)base + key->offset;
}

static bool is_same(const struct config *old, const struct config *new, const struct key *key, const void *old_at,
                    const void *new_at)
{
	switch (key->type) {
	case KEY_TEXT:
	case KEY_MODEL:
	case KEY_PATH:
		return strcmp(old_at, new_at) == 0;
	case KEY_LISTEN:
		return old->listeners == new->listeners &&
		       memcmp(old->listen, new->listen, (size_t)old->listeners * sizeof *old->listen) == 0;
	case KEY_NETWORKS:
		return memcmp(old_at, new_at, sizeof(struct access_list)) == 0;
	default:
		return memcmp(old_at, new_at, sizeof(int64_t)) == 0;
	}
}

static void print_changed(const struct config *old, const struct config *new, const struct config_schema *schema,
                          const struct section *section, const struct key *keys, FILE *to)
{
	for (const struct key *key = keys; key->name; key++) {
		const void *old_at = value_at(old, schema, section, key), *new_at = value_at(new, schema, section, key);

		if (is_same(old, new, key, old_at, new_at))
			continue;
		fprintf(to, "changed %s: ", key->name);
		print_value(to, old, schema, key, old_at);
		fputs(" -> ", to);
		print_value(to, new, schema, key, new_at);
		fputc('\n', to);
	}
}

void config_print_changes(const struct config *old, const struct config *new, const struct config_schema *schema,
                          FILE *to)
{
	print_changed(old, new, schema, NULL, config_keys, to);
	for (const struct section *const *section = schema->sections; *section; section++)
		print_changed(old, new, schema, *section, (*section)->keys, to);
}
