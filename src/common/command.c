/*
 * command.c - the table of commands.
 */
#include "common/command.h"

#include <stdio.h>
#include <string.h>

#include "common/log.h"

#define ROW(number, command, what, by, as_long_as, ...) \
	{ .name = command, .argument = what, .right = COMMAND_BY_##by, .until = COMMAND_##as_long_as, \
	  .help = __VA_ARGS__ },

const struct command commands[] = { COMMANDS(ROW) };

const struct command *command_of(const char *name)
{
	for (size_t i = 0; name && i < COMMAND_COUNT; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

const struct command *command_parse(const char *line, const char **argument)
{
	char name[16];
	size_t len = strcspn(line, " ");
	const struct command *command;

	snprintf(name, sizeof name, "%.*s", (int)len, line);
	*argument = line[len] ? line + len + 1 : NULL;
	command = command_of(name);
	if (!command || command->own || strlen(name) != len)
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
