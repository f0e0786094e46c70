/*
 * config.c - where values come from: defaults, the file, the environment, options.
 */
#include "config/config_parts.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>


static void add_entries(struct loader *loader, const struct section *section, const struct key *keys,
                        void *base)
{
	for (const struct key *key = keys; key->name; key++) {
		assert(loader->count < CONFIG_KEYS && strlen(key->name) < CONFIG_KEY);
		loader->entries[loader->count++] = (struct entry){
			.key = key, .section = section, .at = (char *)base + key->offset,
		};
	}
}

static void open_entries(struct loader *loader)
{
	size_t offset = 0;

	add_entries(loader, NULL, config_keys, loader->config);
	for (const struct section *const *section = loader->schema->sections; *section; section++) {
		assert(offset + config_section_room(*section) <= CONFIG_SECTIONS);
		add_entries(loader, *section, (*section)->keys, loader->config->sections + offset);
		offset += config_section_room(*section);
	}
	for (size_t i = 0; i < loader->count; i++)
		config_value_text(loader, &loader->entries[i], loader->entries[i].key->value, ORIGIN_DEFAULT);
	assert(loader->errors == 0);
}

static void unknown_key(struct loader *loader, const struct origin *origin, const char *name)
{
	struct nearest nearest = { .name = name };

	for (size_t i = 0; i < loader->count; i++)
		nearest_offer(&nearest, loader->entries[i].key->name);
	config_error_key(loader, origin, name, &nearest);
}

/* Does some key begin with that name and a dot? */
static bool is_group(const struct loader *loader, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < loader->count; i++) {
		const char *known = loader->entries[i].key->name;

		if (strncmp(known, name, len) == 0 && known[len] == '.')
			return true;
	}
	return false;
}

/* Takes the settings of a group, the file's root among them; prefix ends with a dot, or is empty. */
static void take_group(struct loader *loader, const config_setting_t *group, const char *prefix)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
		struct origin origin = config_scan_origin(loader->scan, config_setting_source_line(setting));
		char name[2 * CONFIG_KEY];
		struct entry *entry;

		snprintf(name, sizeof name - 1, "%s%s", prefix, config_setting_name(setting));
		entry = config_entry(loader, name);
		if (config_setting_type(setting) == CONFIG_TYPE_NONE) {
			continue; /* cut short by a syntax error */
		} else if (entry) {
			config_value(loader, entry, setting, &origin);
		} else if (*prefix == '\0' && config_setting_is_group(setting) &&
		           (is_group(loader, name) || config_setting_length(setting) > 0)) {
			take_group(loader, setting, strcat(name, "."));
		} else if (is_group(loader, name)) {
			config_error(loader, &origin, name, "must be a group: %s = { ... }", name);
		} else {
			unknown_key(loader, &origin, name);
		}
	}
}

/* Returns 0, or EX_NOINPUT when there is a file that can't be read. */
static int load_file(struct loader *loader, const struct config_sources *sources)
{
	const char *reason;
	config_t config;

	if (!sources->file)
		return 0;
	errno = 0;
	reason = config_scan_file(loader->scan, sources->file);
	if (reason && errno == ENOENT && !sources->file_needed) {
		config_report_format(loader, false, "%s: %s: the defaults are used", sources->file, reason);
		return 0;
	}
	if (reason) {
		config_report_format(loader, true, "%s: %s", sources->file, reason);
		return EX_NOINPUT;
	}
	loader->config->set.file = true;
	config_init(&config);
	if (!config_scan_parse(loader->scan, &config)) {
		struct origin origin = config_scan_origin(loader->scan, (unsigned)config_error_line(&config));

		loader->incomplete = true;
		if (!loader->scan->broken)
			config_error(loader, &origin, "", "%s", config_error_text(&config));
	}
	take_group(loader, config_root_setting(&config), "");
	config_destroy(&config);
	return 0;
}

static void load_variable(struct loader *loader, const char *pair)
{
	size_t len = strcspn(pair, "=");
	char variables[CONFIG_KEYS][CONFIG_KEY + 16], name[2 * CONFIG_KEY];
	struct nearest nearest = { .name = name };

	if (pair[len] == '\0' || strncmp(pair, CONFIG_PREFIX, strlen(CONFIG_PREFIX)) != 0)
		return;
	snprintf(name, sizeof name, "%.*s", (int)len, pair);
	for (size_t i = 0; i < loader->count; i++) {
		config_variable(variables[i], loader->entries[i].key->name);
		if (strcmp(variables[i], name) == 0) {
			config_value_text(loader, &loader->entries[i], pair + len + 1, ORIGIN_ENVIRONMENT);
			return;
		}
		nearest_offer(&nearest, variables[i]);
	}
	config_report_format(loader, false, nearest.best ? "environment: %s: unknown variable, did you mean %s?"
	                                          : "environment: %s: unknown variable", name, nearest.best);
}

static void load_option(struct loader *loader, const char *option)
{
	struct origin origin = { ORIGIN_OPTION, 0, NULL };
	size_t len = strcspn(option, "=");
	char name[2 * CONFIG_KEY];
	struct entry *entry;

	snprintf(name, sizeof name, "%.*s", (int)len, option);
	entry = config_entry(loader, name);
	if (!entry)
		unknown_key(loader, &origin, name);
	else if (option[len] == '\0')
		config_error(loader, &origin, name, "no value: write %s=VALUE", name);
	else
		config_value_text(loader, entry, option + len + 1, ORIGIN_OPTION);
}

static int load(struct loader *loader, const struct config_sources *sources)
{
	const char *file = sources->file ? sources->file : "", *slash = strrchr(file, '/');
	int status;

	if (slash)
		snprintf(loader->folder, sizeof loader->folder, "%.*s", (int)(slash + 1 - file), file);
	open_entries(loader);
	status = load_file(loader, sources);
	for (char *const *pair = sources->environment; pair && *pair; pair++)
		load_variable(loader, *pair);
	for (const char *const *option = sources->settings; option && *option; option++)
		load_option(loader, *option);
	config_check(loader);
	return status ? status : loader->errors > 0 ? EX_CONFIG : 0;
}

static bool is_set(struct loader *loader, const char *name)
{
	return config_entry(loader, name)->origin.kind != ORIGIN_DEFAULT;
}

int config_load(struct config *config, const struct config_schema *schema,
                const struct config_sources *sources, FILE *dump, config_report *report_line, void *arg)
{
	struct loader loader = { .config = config, .schema = schema, .report = report_line, .arg = arg };
	int status = EX_OSERR;

	memset(config, 0, sizeof *config);
	loader.scan = config_scan_new(&loader);
	loader.scratch = config_scan_new(NULL);
	if (loader.scan && loader.scratch)
		status = load(&loader, sources);
	else
		config_report_format(&loader, true, "the configuration: %s", strerror(errno));
	if (status == 0) {
		config->set.listen = is_set(&loader, "listen");
		config->set.aphorisms = is_set(&loader, "aphorisms");
		config->set.max_connections = is_set(&loader, "max_connections");
		config->set.user = is_set(&loader, "process.user");
		config->set.pidfile = is_set(&loader, "process.pidfile");
		config->set.control = is_set(&loader, "control.socket");
		config->set.log_level = is_set(&loader, "log.level");
		if (dump)
			config_dump(&loader, dump);
	}
	config_scan_free(loader.scan);
	config_scan_free(loader.scratch);
	return status;
}
