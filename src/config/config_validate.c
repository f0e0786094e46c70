/*
 * config_validate.c - whether a configuration that another process wrote is one that config_load() could have written.
 */
#include <string.h>

#include "config/config_parts.h"

static bool ends(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static bool is_one_of(const char *name, size_t size, const char *const *names)
{
	for (; ends(name, size) && *names; names++)
		if (strcmp(name, *names) == 0)
			return true;
	return false;
}

static int64_t words(const char *choices)
{
	int64_t count = 1;

	for (; *choices; choices++)
		count += *choices == '|';
	return count;
}

static bool is_owner(const void *at)
{
	const struct config_owner *owner = at;

	return ends(owner->name, sizeof owner->name) && owner->id >= 0 && owner->id < UINT32_MAX;
}

static bool listens(const struct config *, const struct config_schema *);

static bool validate(const struct config *config, const struct config_schema *schema, const struct key *key,
                     const void *base)
{
	const char *at = (const char *)base + key->offset;
	int64_t value;

	switch (key->type) {
	case KEY_NUMBER:
	case KEY_SIZE:
	case KEY_DURATION:
		memcpy(&value, at, sizeof value);
		return value >= key->least && value <= key->most;
	case KEY_CHOICE:
		memcpy(&value, at, sizeof value);
		return value >= 0 && value < words(key->choices);
	case KEY_TEXT:
	case KEY_PATH:
		return ends(at, key->size);
	case KEY_MODEL:
		return is_one_of(at, key->size, schema->models);
	case KEY_LISTEN:
		return listens(config, schema);
	case KEY_NETWORKS:
		return ((const struct access_list *)(const void *)at)->count <= ACCESS_NETWORKS;
	case KEY_ADDRESS:
		return ends(at, key->size);
	case KEY_PROTOCOL:
		return is_one_of(at, key->size, schema->protocols);
	case KEY_FLAG:
		memcpy(&value, at, sizeof value);
		return value == 0 || value == 1;
	case KEY_MODE:
		memcpy(&value, at, sizeof value);
		return value >= 0 && value <= 07777;
	case KEY_USER:
	case KEY_GROUP:
		return is_owner(at);
	}
	return false;
}

static bool listens(const struct config *config, const struct config_schema *schema)
{
	bool valid = config->listeners >= 1 && config->listeners <= CONFIG_LISTENERS;

	for (int64_t i = 0; valid && i < config->listeners; i++)
		for (const struct key *key = config_listen_keys; key->name; key++)
			valid &= validate(config, schema, key, &config->listen[i]);
	return valid;
}

bool config_validate(const struct config *config, const struct config_schema *schema)
{
	bool valid = true;

	for (const struct key *key = config_keys; key->name; key++)
		valid &= validate(config, schema, key, config);
	for (const struct section *const *section = schema->sections; *section; section++)
		for (const struct key *key = (*section)->keys; key->name; key++)
			valid &= validate(config, schema, key, config_section(config, schema, (*section)->name));
	return valid;
}
