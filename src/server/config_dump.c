/*
 * config_dump.c - each key's value in force and its origin, as libconfig would read it.
 */
#include "server/config_parts.h"

#include <inttypes.h>
#include <string.h>

#include "common/log.h"

static void print_string(FILE *to, const char *text)
{
	char quoted[4 * PATH_MAX + 16];

	/* What a log line escapes, libconfig takes back. */
	fputs(log_escape(quoted, sizeof quoted, text, strlen(text)), to);
}

static void print_listen(FILE *to, const struct config *config, const struct config_schema *schema)
{
	fputs("(", to);
	for (int64_t i = 0; i < config->listeners; i++) {
		const struct config_listen *listen = &config->listen[i];
		bool plain = listen->mode == 0666 && !listen->proxy &&
		             strcmp(listen->protocol, schema->protocols[0]) == 0;

		fputs(i ? ", " : " ", to);
		if (!plain)
			fputs("{ address = ", to);
		print_string(to, listen->address);
		if (!plain) {
			fputs("; protocol = ", to);
			print_string(to, listen->protocol);
			if (listen->mode != 0666)
				fprintf(to, "; mode = \"%04o\"", (unsigned)listen->mode);
			fputs(listen->proxy ? "; proxy = true; }" : "; }", to);
		}
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

static void print_value(FILE *to, const struct loader *loader, const struct slot *slot)
{
	const int64_t *number = slot->at;
	char text[UNITS_TEXT];

	switch (slot->key->type) {
	case KEY_NUMBER:
	case KEY_SIZE:
		fprintf(to, "%" PRId64, *number);
		break;
	case KEY_DURATION:
		fprintf(to, "\"%s\"", units_format_duration(text, *number));
		break;
	case KEY_CHOICE:
		print_choice(to, slot->key->choices, *number);
		break;
	case KEY_TEXT:
	case KEY_MODEL:
	case KEY_PATH:
		print_string(to, slot->at);
		break;
	case KEY_LISTEN:
		print_listen(to, loader->config, loader->schema);
		break;
	case KEY_NETWORKS:
		print_networks(to, slot->at);
		break;
	}
}

static void print_origin(FILE *to, const struct slot *slot)
{
	char variable[CONFIG_KEY + 16];

	switch (slot->origin.kind) {
	case ORIGIN_DEFAULT:
		fputs("default", to);
		break;
	case ORIGIN_FILE:
		for (const char *at = slot->origin.file; *at; at++)
			fputc((unsigned char)*at < ' ' || *at == 0x7f ? '?' : *at, to);
		fprintf(to, ":%u", slot->origin.line);
		break;
	case ORIGIN_ENVIRONMENT:
		fprintf(to, "environment %s", config_variable(variable, slot->key->name));
		break;
	case ORIGIN_OPTION:
		fputs("option", to);
		break;
	}
}

void config_dump(const struct loader *loader, FILE *to)
{
	const char *group = "";
	size_t group_len = 0;

	for (size_t i = 0; i < loader->count; i++) {
		const struct slot *slot = &loader->slots[i];
		const char *name = slot->key->name, *dot = strchr(name, '.');
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
		print_value(to, loader, slot);
		fputs(";  # ", to);
		print_origin(to, slot);
		fputc('\n', to);
	}
	if (group_len > 0)
		fputs("};\n", to);
}
