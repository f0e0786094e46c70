/*
 * config_value.c - from a libconfig setting to a field of the configuration.
 */
#include "config/config_parts.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/address.h"
#include "common/log.h"

/* What is being set, from where. */
struct context {
	struct parser *parser;
	const struct key *key;
	struct origin origin;
};

static void __attribute__((format(printf, 2, 3)))
complain(const struct context *context, const char *format, ...)
{
	char reason[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof reason, format, arguments);
	va_end(arguments);
	config_error(context->parser, &context->origin, context->key->name, "%s", reason);
}

/* An element of a list may stand on a line of its own. */
static struct context element(const struct context *list, const config_setting_t *setting)
{
	struct context context = *list;

	if (context.origin.kind == ORIGIN_FILE)
		context.origin = config_scan_origin(context.parser->scan, config_setting_source_line(setting));
	return context;
}

static const char *type_name(const config_setting_t *setting)
{
	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_GROUP:
		return "a group";
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return "an integer";
	case CONFIG_TYPE_FLOAT:
		return "a number with a fraction";
	case CONFIG_TYPE_STRING:
		return "a string";
	case CONFIG_TYPE_BOOL:
		return "true or false";
	default:
		return "a list";
	}
}

/* What was said, and the reason why it can't be taken. */
static void complain_text(const struct context *context, const char *text, const char *reason)
{
	char shown[LOG_ESCAPED];

	complain(context, "%s: %s", log_escape(shown, sizeof shown, text, strlen(text)), reason);
}

static void complain_type(const struct context *context, const char *wanted, const config_setting_t *setting)
{
	complain(context, "must be %s, not %s", wanted, type_name(setting));
}

/* A value may follow a longer one, and fields are compared whole. */
static void set_string(char *field, size_t size, const char *text)
{
	memset(field, 0, size);
	memcpy(field, text, strnlen(text, size - 1));
}

static bool is_integer(const config_setting_t *setting)
{
	int type = config_setting_type(setting);

	return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
}

/* The setting's string, or NULL, with an error reported. */
static const char *string(const struct context *context, const config_setting_t *setting, const char *wanted)
{
	const char *text = config_setting_get_string(setting);

	if (!text)
		complain_type(context, wanted, setting);
	return text;
}

static void complain_range(const struct context *context)
{
	const struct key *key = context->key;
	char least[UNITS_TEXT], most[UNITS_TEXT];

	if (key->type == KEY_DURATION) {
		units_format_duration(least, key->least);
		units_format_duration(most, key->most);
	} else if (key->type == KEY_SIZE) {
		units_format_size(least, key->least);
		units_format_size(most, key->most);
	} else {
		snprintf(least, sizeof least, "%" PRId64, key->least);
		snprintf(most, sizeof most, "%" PRId64, key->most);
	}
	complain(context, "out of range, must be %s to %s", least, most);
}

/* NUMBER, SIZE and DURATION. */
static void set_quantity(const struct context *context, const config_setting_t *setting, int64_t *field)
{
	static const char *const wanted[] = {
		[KEY_NUMBER] = "an integer",
		[KEY_SIZE] = "an integer or a string such as \"16k\"",
		[KEY_DURATION] = "a string such as \"10s\" or an integer of seconds",
	};
	const struct key *key = context->key;
	const char *text = key->type == KEY_NUMBER ? NULL : config_setting_get_string(setting), *reason;
	int64_t value = 0;

	if (text) {
		reason = key->type == KEY_SIZE ? units_size(text, &value) : units_duration(text, &value);
		if (reason) {
			complain_text(context, text, reason);
			return;
		}
	} else if (is_integer(setting)) {
		value = config_setting_get_int64(setting);
		if (key->type == KEY_DURATION && __builtin_mul_overflow(value, 1000000, &value))
			value = -1;
	} else {
		complain_type(context, wanted[key->type], setting);
		return;
	}
	if (value < key->least || value > key->most)
		complain_range(context);
	else
		*field = value;
}

static void complain_word(const struct context *context, const char *text, const char *kind, const char *const *words)
{
	config_error_word(context->parser, &context->origin, context->key->name, text, kind, words);
}

static void set_choice(const struct context *context, const config_setting_t *setting, int64_t *field)
{
	const char *text = string(context, setting, "a string"), *words[32] = { NULL };
	char choices[256];
	size_t count = 0;

	if (!text)
		return;
	snprintf(choices, sizeof choices, "%s", context->key->choices);
	for (char *rest = choices, *word; (word = strsep(&rest, "|")) != NULL; count++) {
		if (strcmp(word, text) == 0) {
			*field = (int64_t)count;
			return;
		}
		words[count] = word;
	}
	complain_word(context, text, "value of this key", words);
}

/* The names of users and groups, which may be numbers. */
static void set_text(const struct context *context, const config_setting_t *setting, char *field)
{
	char number[24];
	const char *text = is_integer(setting) ? number : string(context, setting, "a string");

	if (!text)
		return;
	if (text == number)
		snprintf(number, sizeof number, "%lld", config_setting_get_int64(setting));
	if (strlen(text) >= context->key->size)
		complain(context, "too long, must be at most %zu bytes", context->key->size - 1);
	else
		set_string(field, context->key->size, text);
}

/* The name of a model or of a protocol: char[CONFIG_NAME]. */
static void set_name(const struct context *context, const config_setting_t *setting, const char *kind,
                     const char *const *names, char *field)
{
	const char *text = string(context, setting, "a string");

	if (!text)
		return;
	for (const char *const *name = names; *name; name++) {
		if (strcmp(*name, text) == 0) {
			set_string(field, CONFIG_NAME, text);
			return;
		}
	}
	complain_word(context, text, kind, names);
}

static void set_path(const struct context *context, const config_setting_t *setting, char *field)
{
	const char *text = string(context, setting, "a string");
	char path[PATH_MAX];

	if (!text)
		return;
	if (*text != '\0' && *text != '/' && context->parser->folder[0] == '\0')
		complain(context, "must be absolute: there is no configuration file whose folder it could go by");
	else if (!config_path(context->parser, path, context->key->size, text))
		complain(context, "too long, must be at most %zu bytes with its folder", context->key->size - 1);
	else
		set_string(field, context->key->size, path);
}

/* "0660"; libconfig has no octal integers. */
static void set_mode(const struct context *context, const config_setting_t *setting, int64_t *mode)
{
	static const char wanted[] = "a string of octal digits such as \"0660\"";
	const char *text = string(context, setting, wanted);
	size_t len = text ? strlen(text) : 0;

	if (!text)
		return;
	if (len < 3 || len > 4 || strspn(text, "01234567") != len || (len == 4 && *text != '0'))
		complain(context, "mode must be %s", wanted);
	else
		*mode = strtol(text, NULL, 8);
}

/* A name, or a number in either form. */
static void set_owner(const struct context *context, const config_setting_t *setting, struct config_owner *owner,
                      const char *(*find)(const char *, int64_t *))
{
	const char *text = config_setting_get_string(setting), *kind = config_setting_name(setting), *reason;
	char number[24], shown[LOG_ESCAPED];

	if (is_integer(setting)) {
		snprintf(number, sizeof number, "%lld", (long long)config_setting_get_int64(setting));
		text = number;
	}
	if (!text) {
		complain(context, "%s must be a name or a number, not %s", kind, type_name(setting));
	} else if ((reason = find(text, &owner->id)) != NULL) {
		log_escape(shown, sizeof shown, text, strlen(text));
		complain(context, "%s %s: %s", kind, shown, reason);
	} else {
		set_string(owner->name, sizeof owner->name, text);
	}
}

static void set_address(const struct context *context, const config_setting_t *setting, char to[CONFIG_ADDRESS])
{
	const char *text = string(context, setting, "a string"), *reason;
	struct address address;

	if (!text)
		return;
	reason = address_parse(&address, text);
	if (reason)
		complain_text(context, text, reason);
	else
		set_string(to, CONFIG_ADDRESS, text);
}

static void set_flag(const struct context *context, const config_setting_t *setting, int64_t *flag)
{
	if (config_setting_type(setting) == CONFIG_TYPE_BOOL)
		*flag = config_setting_get_bool(setting);
	else
		complain(context, "%s must be true or false, not %s", config_setting_name(setting), type_name(setting));
}

/* The row of that name, or NULL, with an error reported. */
static const struct key *find_member(const struct context *context, const char *name)
{
	struct nearest nearest = { .name = name };
	char dotted[2 * CONFIG_NAME];

	for (const struct key *key = config_listen_keys; key->name; key++) {
		if (strcmp(key->name, name) == 0)
			return key;
		nearest_offer(&nearest, key->name);
	}
	snprintf(dotted, sizeof dotted, "listen.%s", name);
	config_error_key(context->parser, &context->origin, dotted, &nearest);
	return NULL;
}

/* The place goes by the whole list, since that is the key in which somebody looks. */
static void set_member(const struct context *context, const config_setting_t *setting, struct config_listen *listen)
{
	const struct key *key = find_member(context, config_setting_name(setting));
	void *field = key ? (char *)listen + key->offset : NULL;

	if (!key)
		return;
	if (key->type == KEY_ADDRESS)
		set_address(context, setting, field);
	else if (key->type == KEY_PROTOCOL)
		set_name(context, setting, key->name, context->parser->schema->protocols, field);
	else if (key->type == KEY_FLAG)
		set_flag(context, setting, field);
	else if (key->type == KEY_MODE)
		set_mode(context, setting, field);
	else
		set_owner(context, setting, field, key->type == KEY_USER ? config_find_user : config_find_group);
}

/* What only a file has. */
static void check_unix(const struct context *context, const config_setting_t *group, const char *address)
{
	for (const struct key *key = config_listen_keys; strncmp(address, "unix:", 5) != 0 && key->name; key++)
		if (key->type >= KEY_MODE && config_setting_get_member(group, key->name))
			complain(context, "%s is for UNIX sockets, and %s is none", key->name, address);
}

/* { address = "..."; protocol = "..."; } and whatever else config_listen_keys has */
static void set_listen_group(const struct context *context, const config_setting_t *group,
                             struct config_listen *listen)
{
	size_t errors = context->parser->errors;

	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *setting = config_setting_get_elem(group, (unsigned)i);
		struct context at = element(context, setting);

		set_member(&at, setting, listen);
	}
	if (context->parser->errors > errors)
		return;
	if (listen->address[0] == '\0')
		complain(context, "a listener without an address");
	else
		check_unix(context, group, listen->address);
}

static void add_listen(const struct context *context, const config_setting_t *setting)
{
	struct config *config = context->parser->config;
	struct config_listen *listen = &config->listen[config->listeners];

	if (config->listeners == CONFIG_LISTENERS) {
		complain(context, "more than %d listeners", CONFIG_LISTENERS);
		return;
	}
	config_listen_default(listen, context->parser->schema);
	if (config_setting_type(setting) == CONFIG_TYPE_GROUP)
		set_listen_group(context, setting, listen);
	else if (config_setting_get_string(setting) != NULL)
		set_address(context, setting, listen->address);
	else
		complain_type(context, "a list of addresses or { address = \"...\"; } groups", setting);
	config_check_collision(context->parser, &context->origin, listen);
	config->listeners++;
}

static void add_network(const struct context *context, const config_setting_t *setting, struct access_list *list)
{
	const char *text = string(context, setting, "a list of strings"), *reason;

	if (!text)
		return;
	if (list->count == ACCESS_NETWORKS) {
		complain(context, "more than %d networks", ACCESS_NETWORKS);
		return;
	}
	reason = access_parse(&list->networks[list->count], text);
	if (reason)
		complain_text(context, text, reason);
	else
		list->count++;
}

static void set_list(const struct context *context, const config_setting_t *setting, void *field)
{
	bool listens = context->key->type == KEY_LISTEN;
	int count = config_setting_length(setting);

	if (!config_setting_is_array(setting) && !config_setting_is_list(setting)) {
		complain_type(context, "a list", setting);
		return;
	}
	memset(field, 0, context->key->size);
	if (listens)
		context->parser->config->listeners = 0;
	for (int i = 0; i < count; i++) {
		const config_setting_t *member = config_setting_get_elem(setting, (unsigned)i);
		struct context at = element(context, member);

		if (listens)
			add_listen(&at, member);
		else
			add_network(&at, member, field);
	}
	if (listens && count == 0)
		complain(context, "must have one address at least");
}

void config_value(struct parser *parser, struct entry *entry, const config_setting_t *setting,
                  const struct origin *origin)
{
	struct context context = { parser, entry->key, *origin };
	size_t errors = parser->errors;

	switch (entry->key->type) {
	case KEY_NUMBER:
	case KEY_SIZE:
	case KEY_DURATION:
		set_quantity(&context, setting, entry->at);
		break;
	case KEY_CHOICE:
		set_choice(&context, setting, entry->at);
		break;
	case KEY_TEXT:
		set_text(&context, setting, entry->at);
		break;
	case KEY_MODEL:
		set_name(&context, setting, "model", parser->schema->models, entry->at);
		break;
	case KEY_PATH:
		set_path(&context, setting, entry->at);
		break;
	case KEY_LISTEN:
	case KEY_NETWORKS:
		set_list(&context, setting, entry->at);
		break;
	default:
		break;            /* those of a listener stand in its group */
	}
	if (parser->errors > errors)
		entry->bad = true;
	else
		entry->origin = *origin;
}
