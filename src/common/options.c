/*
 * options.c - a program's command line, by way of getopt_long(3).
 */
#include "common/options.h"

#include <assert.h>
#include <ctype.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/nearest.h"

/* OPERAND is what getopt_long returns where an operand stands; from LONG_ONLY on, what it does for no letter. */
enum { WIDTH = 80, INDENT = 26, MOST = 64, OPERAND = 1, LONG_ONLY = 256, REASON = 8192, TEXT = 512 };

/* A command line that is being read. */
struct reading {
	const struct options_program *program;
	const struct options_command *command;    /* NULL: not known yet, or there is none */
	struct option known[MOST + 1];    /* for getopt_long: what the command takes */
	char letters[2 * MOST + 3];
};

static char reason[REASON];

static const char *__attribute__((format(printf, 1, 2))) wrong(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof reason, format, args);
	va_end(args);
	return reason;
}

/* As long as no command is known each option may be one of it. */
static bool belongs(const struct reading *reading, const struct options_row *row)
{
	return !reading->command || row->commands == 0 ||
	       (row->commands & 1u << (reading->command - reading->program->commands));
}

static void know(struct reading *reading)
{
	const struct options_row *rows = reading->program->rows;
	struct option *known = reading->known;
	char *letters = stpcpy(reading->letters, "-:");   /* operands in their order; a missing argument is ':' */

	for (const struct options_row *row = rows; row->name; row++) {
		assert(row < rows + MOST);
		if (!belongs(reading, row))
			continue;
		*known++ = (struct option){ row->name, row->argument ? required_argument : no_argument, NULL,
		                            row->letter ? row->letter : LONG_ONLY + (int)(row - rows) };
		if (row->letter)
			*letters++ = row->letter;
		if (row->letter && row->argument)
			*letters++ = ':';
	}
	*known = (struct option){ 0 };
	*letters = '\0';
	optind = 0;               /* from the first word on */
}

static int next(const struct reading *reading, int argc, char **argv)
{
	return getopt_long(argc, argv, reading->letters, reading->known, NULL);
}

/* NULL for a letter that is none. */
static const struct options_row *row_of(const struct reading *reading, int result)
{
	const struct options_row *row = reading->program->rows;

	if (result >= LONG_ONLY)
		return &row[result - LONG_ONLY];
	while (row->name && (row->letter != result || !belongs(reading, row)))
		row++;
	return row->name ? row : NULL;
}

/* Does it end the program? */
static bool ends(const struct options_row *row)
{
	return row->letter == 'h' || row->letter == 'V';
}

/* Prints words from a column on, in further lines too. */
static void wrap(const char *text, int indent)
{
	int column = indent;

	while (*text) {
		int len = (int)strcspn(text, " \n");
		bool begins = column == indent;

		if (!begins && (text[-1] == '\n' || column + 1 + len > WIDTH)) {
			printf("\n%*s", indent, "");
			column = indent;
			begins = true;
		}
		column += printf("%s%.*s", begins ? "" : " ", len, text);
		text += len + (text[len] != '\0');
	}
	putchar('\n');
}

static void print_row(const char *letter, const char *name, const char *argument, const char *help)
{
	int len = printf("  %s%s%s%s", letter, name, argument ? " " : "", argument ? argument : "");

	if (len > INDENT - 2) {
		putchar('\n');
		len = 0;
	}
	printf("%*s", INDENT - len, "");
	wrap(help, INDENT);
}

static void print_options(const struct reading *reading)
{
	puts("\nOptions:");
	for (const struct options_row *row = reading->program->rows; row->name; row++) {
		char letter[] = { '-', row->letter, ',', ' ', '-', '-', '\0' };

		if (reading->command || !reading->program->commands ? belongs(reading, row) : row->commands == 0)
			print_row(row->letter ? letter : "    --", row->name, row->argument, row->help);
	}
}

void options_help(const struct options_program *program, const struct options_command *command)
{
	const struct reading reading = { .program = program, .command = command };
	const char *argument = command ? command->argument : program->commands ? "COMMAND" : program->argument;
	char about[TEXT];

	printf("usage: %s%s%s [OPTION...]%s%s\n", program->name, command ? " " : "", command ? command->name : "",
	       argument ? " " : "", argument ? argument : "");
	if (command)
		snprintf(about, sizeof about, "%c%s.", toupper((unsigned char)command->help[0]), command->help + 1);
	wrap(command ? about : program->about, 0);
	if (command && command->choices)
		printf("%s: %s\n", argument, command->choices);
	if (program->commands && !command)
		puts("\nCommands:");
	for (const struct options_command *each = program->commands; each && !command && each->name; each++)
		print_row("", each->name, each->argument, each->help);
	print_options(&reading);
	if (program->more) {
		putchar('\n');
		wrap(program->more, 0);
	}
}

/* Finds the command that is named so.  Returns NULL, or what is wrong. */
static const char *find_command(struct reading *reading, const char *name)
{
	const struct options_program *program = reading->program;
	const struct options_command *command = program->commands;
	struct nearest nearest = { .name = name };

	for (; command->name && strcmp(command->name, name) != 0; command++)
		nearest_offer(&nearest, command->name);
	if (command->name)
		reading->command = command;
	else if (nearest.best)
		return wrong("unknown command %s, did you mean %s?", name, nearest.best);
	else
		return wrong("unknown command %s, see %s --help", name, program->name);
	return NULL;
}

/* The next operand; NULL where there is none, or what ends the program or is wrong comes before it. */
static const char *look_ahead(const struct reading *reading, int argc, char **argv)
{
	int result;

	while ((result = next(reading, argc, argv)) != -1) {
		const struct options_row *row = row_of(reading, result);

		if (result == OPERAND)
			return optarg;
		if (!row || ends(row))
			return NULL;
	}
	return optind < argc ? argv[optind++] : NULL;
}

/* The first operand says which options there are.  Returns NULL, or what is wrong. */
static const char *look_for_command(struct reading *reading, int argc, char **argv)
{
	const char *name = look_ahead(reading, argc, argv), *why = NULL;
	bool helps = false;

	for (; name && strcmp(name, "help") == 0; name = look_ahead(reading, argc, argv))
		helps = true;
	if (name)
		why = find_command(reading, name);
	if (helps && !why) {
		options_help(reading->program, reading->command);
		exit(EX_OK);
	}
	return why;
}

static const char *complain_unknown(const struct reading *reading, const char *dashes, const char *name)
{
	const struct options_command *command = reading->command;

	return wrong("unknown option %s%s, see %s%s%s --help", dashes, name, reading->program->name,
	             command ? " " : "", command ? command->name : "");
}

/* One that may have been meant, or is another command's. */
static const char *complain_long(const struct reading *reading, const char *word)
{
	const char *begun = NULL;
	char name[TEXT];
	struct nearest nearest = { .name = name };

	snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
	for (const struct option *known = reading->known; known->name; known++) {
		nearest_offer(&nearest, known->name);
		if (strncmp(known->name, name, strlen(name)) != 0)
			continue;
		if (begun)
			return wrong("option --%s may be --%s or --%s", name, begun, known->name);
		begun = known->name;
	}
	for (const struct options_row *row = reading->program->rows; row->name; row++)
		if (strcmp(row->name, name) == 0)
			return wrong("--%s is no option of %s, but of %s", name, reading->command->name,
			             reading->program->commands[__builtin_ctz(row->commands)].name);
	if (nearest.best)
		return wrong("unknown option --%s, did you mean --%s?", name, nearest.best);
	return complain_unknown(reading, "--", name);
}

/* What getopt_long leaves to say; the word is where it is. */
static const char *complain(const struct reading *reading, int result, const char *word)
{
	const struct options_row *row = row_of(reading, optopt);

	if (optopt == 0)
		return complain_long(reading, word + 2);
	if (!row)
		return complain_unknown(reading, "-", (char[]){ (char)optopt, '\0' });
	if (result == ':')
		return wrong("--%s needs a value: %s", row->name, row->argument);
	return wrong("--%s takes no value", row->name);
}

static const char *take(const struct reading *reading, const struct options_row *row, char *to, char *text)
{
	const char *why = NULL;
	size_t len;

	if (row->letter == 'h')
		options_help(reading->program, reading->command);
	else if (row->letter == 'V')
		printf("%s " PACKAGE_VERSION "\n", reading->program->name);
	if (ends(row))
		exit(EX_OK);
	/* before it is taken: a list is cut up */
	len = (size_t)snprintf(reason, sizeof reason, "--%s%s%s: ", row->name, text ? " " : "", text ? text : "");
	if (row->take)
		why = row->take(row, to + row->at, text);
	else if (row->argument)
		*(const char **)(void *)(to + row->at) = text;
	else
		*(bool *)(to + row->at) = true;
	if (why && len < sizeof reason)
		snprintf(reason + len, sizeof reason - len, "%s", why);
	return why ? reason : NULL;
}

/* Are there as many operands as have to be?  The command is the first of them; here it is none. */
static const char *count_operands(const struct reading *reading, struct options_found *found)
{
	const struct options_command *command = reading->command;
	const char *argument = command ? command->argument : reading->program->argument;

	if (reading->program->commands && !command)
		return wrong("no command, see %s --help", reading->program->name);
	if (command) {
		found->command = (size_t)(command - reading->program->commands);
		found->operands++;
		found->count--;
	}
	if (argument && strstr(argument, "..."))
		return NULL;
	if (found->count == 0 && argument && argument[0] != '[')
		return wrong("%s: not given", argument);
	if (found->count > (argument ? 1 : 0))
		return wrong("%s: one operand too many", found->operands[found->count - 1]);
	return NULL;
}

const char *options_read(const struct options_program *program, void *to, int argc, char **argv,
                         struct options_found *found)
{
	struct reading reading = { .program = program };
	const char *why = NULL;
	int result;

	*found = (struct options_found){ .operands = argv + 1 };  /* where one is put, getopt_long has been already */
	opterr = 0;
	know(&reading);
	if (program->commands && (why = look_for_command(&reading, argc, argv)))
		return why;
	know(&reading);
	while (!why && (result = next(&reading, argc, argv)) != -1) {
		if (result == OPERAND)
			found->operands[found->count++] = optarg;
		else if (result == '?' || result == ':')
			why = complain(&reading, result, argv[optind - 1]);
		else
			why = take(&reading, row_of(&reading, result), to, optarg);
	}
	while (!why && optind < argc)
		found->operands[found->count++] = argv[optind++];
	return why ? why : count_operands(&reading, found);
}
