/*
 * config.c - where values come from: defaults, the file, the environment, options.
 */
#include "config/config_parts.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>


static void add_entries(struct parser *parser, const struct section *section, const struct key *keys,
                        void *base)
{
	for (const struct key *key = keys; key->name; key++) {
		assert(parser->count < CONFIG_KEYS && strlen(key->name) < CONFIG_KEY);
		parser->entries[parser->count++] = (struct entry){
			.key = key, .section = section, .at = (char *)base + key->offset,
		};
	}
}

static void open_entries(struct parser *parser)
{
	size_t offset = 0;

	add_entries(parser, NULL, config_keys, parser->config);
	for (const struct section *const *section = parser->schema->sections; *section; section++) {
		assert(offset + config_section_room(*section) <= CONFIG_SECTIONS);
		add_entries(parser, *section, (*section)->keys, parser->config->sections + offset);
		offset += config_section_room(*section);
	}
	for (size_t i = 0; i < parser->count; i++)
		config_value_text(parser, &parser->entries[i], parser->entries[i].key->value, ORIGIN_DEFAULT);
	assert(parser->errors == 0);
}

static void unknown_key(struct parser *parser, const struct origin *origin, const char *name)
{
	struct nearest nearest = { .name = name };

	for (size_t i = 0; i < parser->count; i++)
		nearest_offer(&nearest, parser->entries[i].key->name);
	config_error_key(parser, origin, name, &nearest);
}

/* Does some key begin with that name and a dot? */
static bool is_group(const struct parser *parser, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < parser->count; i++) {
		const char *known = parser->entries[i].key->name;

		if (strncmp(known, name, len) == 0 && known[len] == '.')
			return true;
	}
	return false;
}

/* Takes the settings of a group, the file's root among them; prefix ends with a dot, or is empty. */
static void take_group(struct parser *parser, const config_setting_t *group, const char *prefix)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
		struct origin origin = config_scan_origin(parser->scan, config_setting_source_line(setting));
		char name[2 * CONFIG_KEY];
		struct entry *entry;

		snprintf(name, sizeof name - 1, "%s%s", prefix, config_setting_name(setting));
		entry = config_entry(parser, name);
		if (config_setting_type(setting) == CONFIG_TYPE_NONE) {
			continue; /* cut short by a syntax error */
		} else if (entry) {
			config_value(parser, entry, setting, &origin);
		} else if (*prefix == '\0' && config_setting_is_group(setting) &&
		           (is_group(parser, name) || config_setting_length(setting) > 0)) {
			take_group(parser, setting, strcat(name, "."));
		} else if (is_group(parser, name)) {
			config_error(parser, &origin, name, "must be a group: %s = { ... }", name);
		} else {
			unknown_key(parser, &origin, name);
		}
	}
}

/* Returns 0, or EX_NOINPUT when there is a file that can't be read. */
static int load_file(struct parser *parser, const struct config_sources *sources)
{
	const char *reason;
	config_t config;

	if (!sources->file)
		return 0;
	errno = 0;
	reason = config_scan_file(parser->scan, sources->file);
	if (reason && errno == ENOENT && !sources->file_needed) {
		config_report_format(parser, false, "%s: %s: the defaults are used", sources->file, reason);
		return 0;
	}
	if (reason) {
		config_report_format(parser, true, "%s: %s", sources->file, reason);
		return EX_NOINPUT;
	}
	parser->config->set.file = true;
	config_init(&config);
	if (!config_scan_parse(parser->scan, &config)) {
		struct origin origin = config_scan_origin(parser->scan, (unsigned)config_error_line(&config));

		parser->incomplete = true;
		if (!parser->scan->broken)
			config_error(parser, &origin, "", "%s", config_error_text(&config));
	}
	take_group(parser, config_root_setting(&config), "");
	config_destroy(&config);
	return 0;
}

static void load_variable(struct parser *parser, const char *pair)
{
	size_t len = strcspn(pair, "=");
	char variables[CONFIG_KEYS][CONFIG_KEY + 16], name[2 * CONFIG_KEY];
	struct nearest nearest = { .name = name };

	if (pair[len] == '\0' || strncmp(pair, CONFIG_PREFIX, strlen(CONFIG_PREFIX)) != 0)
		return;
	snprintf(name, sizeof name, "%.*s", (int)len, pair);
	for (size_t i = 0; i < parser->count; i++) {
		config_variable(variables[i], parser->entries[i].key->name);
		if (strcmp(variables[i], name) == 0) {
			config_value_text(parser, &parser->entries[i], pair + len + 1, ORIGIN_ENVIRONMENT);
			return;
		}
		nearest_offer(&nearest, variables[i]);
	}
	config_report_format(parser, false, nearest.best ? "environment: %s: unknown variable, did you mean %s?"
	                                          : "environment: %s: unknown variable", name, nearest.best);
}

static void load_option(struct parser *parser, const char *option)
{
	struct origin origin = { ORIGIN_OPTION, 0, NULL };
	size_t len = strcspn(option, "=");
	char name[2 * CONFIG_KEY];
	struct entry *entry;

	snprintf(name, sizeof name, "%.*s", (int)len, option);
	entry = config_entry(parser, name);
	if (!entry)
		unknown_key(parser, &origin, name);
	else if (option[len] == '\0')
		config_error(parser, &origin, name, "no value: write %s=VALUE", name);
	else
		config_value_text(parser, entry, option + len + 1, ORIGIN_OPTION);
}

static int load(struct parser *parser, const struct config_sources *sources)
{
	const char *file = sources->file ? sources->file : "", *slash = strrchr(file, '/');
	int status;

	if (slash)
		snprintf(parser->folder, sizeof parser->folder, "%.*s", (int)(slash + 1 - file), file);
	open_entries(parser);
	status = load_file(parser, sources);
	for (char *const *pair = sources->environment; pair && *pair; pair++)
		load_variable(parser, *pair);
	for (const char *const *option = sources->settings; option && *option; option++)
		load_option(parser, *option);
	config_check(parser);
	return status ? status : parser->errors > 0 ? EX_CONFIG : 0;
}

static bool is_set(struct parser *parser, const char *name)
{
	return config_entry(parser, name)->origin.kind != ORIGIN_DEFAULT;
}

int config_load(struct config *config, const struct config_schema *schema,
                const struct config_sources *sources, FILE *dump, config_report *report_line, void *arg)
{
	struct parser parser = { .config = config, .schema = schema, .report = report_line, .arg = arg };
	int status = EX_OSERR;

	memset(config, 0, sizeof *config);
	parser.scan = config_scan_new(&parser);
	parser.scratch = config_scan_new(NULL);
	if (parser.scan && parser.scratch)
		status = load(&parser, sources);
	else
		config_report_format(&parser, true, "the configuration: %s", strerror(errno));
	if (status == 0) {
		config->set.listen = is_set(&parser, "listen");
		config->set.aphorisms = is_set(&parser, "aphorisms");
		config->set.max_connections = is_set(&parser, "max_connections");
		config->set.user = is_set(&parser, "process.user");
		config->set.pidfile = is_set(&parser, "process.pidfile");
		config->set.control = is_set(&parser, "control.socket");
		config->set.log_level = is_set(&parser, "log.level");
		if (dump)
			config_dump(&parser, dump);
	}
	config_scan_free(parser.scan);
	config_scan_free(parser.scratch);
	return status;
}
