/*
 * config_check.c - what contradicts what, and what is not built yet.
 */
#include "config/config_parts.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/address.h"
#include "common/clock.h"

static bool any_bad(const struct parser *parser, const struct section *section)
{
	for (size_t i = 0; i < parser->count; i++)
		if (parser->entries[i].section == section && parser->entries[i].bad)
			return true;
	return false;
}

/*
 * Reports a contradiction between a key and another one.  A default is nobody's fault: the place is then that
 * of the other one, which somebody wrote.
 */
static void blame(struct parser *parser, const struct entry *entry, const struct entry *other,
                  const char *reason)
{
	const struct entry *written = entry->origin.kind == ORIGIN_DEFAULT ? other : entry;

	if (written == entry)
		config_error(parser, &entry->origin, entry->key->name, "%s", reason);
	else
		config_error(parser, &other->origin, other->key->name,
		             "does not go with the default of %s: %s", entry->key->name, reason);
}

static void check_pair(struct parser *parser, bool contradicts, const char *name, const char *other_name,
                       const char *reason)
{
	const struct entry *entry = config_entry(parser, name), *other = config_entry(parser, other_name);

	if (contradicts && !entry->bad && !other->bad)
		blame(parser, entry, other, reason);
}

/* The kernel lets nobody listen twice on an address.  Port 0 may repeat: each is given another one. */
void config_check_collision(struct parser *parser, const struct origin *origin, const struct config_listen *listen)
{
	const struct config *config = parser->config;
	struct address address, other;

	if (address_parse(&address, listen->address) != NULL)
		return;
	for (int64_t i = 0; i < config->listeners; i++) {
		const char *before = config->listen[i].address;
		bool covers, covered;

		if (address_parse(&other, before) != NULL)
			continue;
		covers = address_covers(&address, &other);
		covered = address_covers(&other, &address);
		if (covers && covered)
			config_error(parser, origin, "listen", "%s is there twice", listen->address);
		else if (covers || covered)
			config_error(parser, origin, "listen", "%s collides with %s, which %s", listen->address, before,
			         covers ? "it includes" : "includes it");
		if (covers || covered)
			return;
	}
}

static bool listens_on(const struct config *config, const char *path)
{
	for (int64_t i = 0; i < config->listeners; i++)
		if (strncmp(config->listen[i].address, "unix:", 5) == 0 &&
		    strcmp(config->listen[i].address + 5, path) == 0)
			return true;
	return false;
}

static void check_same(struct parser *parser, const char *name, const char *path, const char *other_name,
                       const char *other)
{
	char reason[64];

	snprintf(reason, sizeof reason, "the same file as %s", other_name);
	check_pair(parser, *path && strcmp(path, other) == 0, name, other_name, reason);
}

static void check_core(struct parser *parser)
{
	const struct config *config = parser->config;

	check_pair(parser, config->max_connections_per_source > config->max_connections,
	           "max_connections_per_source", "max_connections", "more than max_connections");
	check_pair(parser, listens_on(config, config->control), "control.socket", "listen",
	           "also an address of listen");
	check_pair(parser, listens_on(config, config->metrics), "metrics.file", "listen", "also an address of listen");
	check_same(parser, "control.socket", config->control, "process.pidfile", config->pidfile);
	check_same(parser, "metrics.file", config->metrics, "control.socket", config->control);
	check_same(parser, "metrics.file", config->metrics, "process.pidfile", config->pidfile);
	check_same(parser, "metrics.file", config->metrics, "aphorisms", config->aphorisms);
	/* whoever starts the daemon again takes one that ends ever so often for a failure */
	check_pair(parser, config->activation_idle_us > 0 && config->activation_idle_us < CLOCK_S,
	           "activation.idle_exit", "activation.idle_exit", "out of range, must be 0s, or 1s to 24h");
	check_pair(parser, config->sandbox == SANDBOX_REQUIRED && !parser->schema->has_sandbox, "process.sandbox",
	           "process.sandbox", "\"required\" is not built in, use \"auto\" or \"off\"");
}

/* The first key of a section that is not at its default, or NULL. */
static const struct entry *first_written(const struct parser *parser, const struct section *section)
{
	for (size_t i = 0; i < parser->count; i++)
		if (parser->entries[i].section == section && parser->entries[i].origin.kind != ORIGIN_DEFAULT)
			return &parser->entries[i];
	return NULL;
}

static void check_section(struct parser *parser, const struct section *section)
{
	const char *name = section->keys[0].name, *reason;
	const struct entry *written = first_written(parser, section), *entry;

	/* Defaults do not contradict each other. */
	if (!section->check || !written || any_bad(parser, section))
		return;
	reason = section->check(config_section(parser->config, parser->schema, section->name), &name);
	entry = config_entry(parser, name);
	assert(entry && entry->section == section);
	if (reason)
		blame(parser, entry, written, reason);
}

void config_check(struct parser *parser)
{
	if (parser->incomplete)
		return;
	check_core(parser);
	for (const struct section *const *section = parser->schema->sections; *section; section++)
		check_section(parser, *section);
}
