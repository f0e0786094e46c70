/*
 * command.c - the table of commands.
 */
#include "common/command.h"

#include <stddef.h>
#include <string.h>

#include "common/log.h"

#define ROW(number, command, what, by, as_long_as, ...) \
	{ .name = #command, .argument = what, .right = COMMAND_BY_##by, .until = COMMAND_##as_long_as, \
	  .help = __VA_ARGS__ },
#define OWN(...) ROW(__VA_ARGS__, .own = true)

const struct command commands[] = { COMMANDS(ROW, OWN) };

static const struct command *find(const char *name, size_t len)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (strlen(commands[i].name) == len && memcmp(commands[i].name, name, len) == 0)
			return &commands[i];
	return NULL;
}

const struct command *command_of(const char *name)
{
	return name ? find(name, strlen(name)) : NULL;
}

const struct command *command_parse(const char *line, const char **argument)
{
	size_t len = strcspn(line, " ");
	const struct command *command = find(line, len);

	*argument = line[len] ? line + len + 1 : NULL;
	if (!command || command->own)
		return NULL;
	if (!*argument)
		return command->argument ? NULL : command;
	return command->argument || (command->word && strcmp(command->word, *argument) == 0) ? command : NULL;
}

const struct command *command_listing(const char *key)
{
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (commands[i].list && strcmp(commands[i].list, key) == 0)
			return &commands[i];
	return NULL;
}
