/*
 * options.c - a program's command line, read by its table.
 *
 * Not by getopt_long(3): which options there are depends on the command, which may stand behind them, and it does not
 * say which option may have been meant.
 */
#include "common/options.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "common/nearest.h"
#include "common/units.h"

enum { WIDTH = 80, INDENT = 26, REASON = 8192, TEXT = 512 };

/* A command line that is being read. */
struct reading {
	const struct options_program *program;
	const struct options_command *command;    /* NULL: not known yet, or there is none */
	struct options_found *found;
	char *to, **next;                 /* what is filled; the words that are left, ended by NULL */
	uint64_t given;                   /* 1 << place in the list for each option */
	bool helps;                       /* the command is `help` */
};

/* Returns the words, which last until the next call; they may be about the last ones. */
static const char *__attribute__((format(printf, 1, 2))) wrong(const char *format, ...)
{
	static char reason[REASON];
	char text[REASON];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	return strcpy(reason, text);
}

/* Is it one of that command's, or with NULL of all? */
static bool belongs(const struct options_program *program, const struct options_command *command,
                    const struct options_row *row)
{
	return row->commands == 0 || (command && row->commands & 1u << (command - program->commands));
}

/* ---- help ---- */

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

void options_help(const struct options_program *program, const struct options_command *command)
{
	const char *argument = command ? command->argument : program->commands ? "COMMAND" : program->argument;
	char about[TEXT];

	printf("usage: %s%s%s [OPTION...]%s%s\n", program->name, command ? " " : "", command ? command->name : "",
	       argument ? " " : "", argument ? argument : "");
	if (command)
		snprintf(about, sizeof about, "%c%s.", toupper((unsigned char)command->help[0]), command->help + 1);
	wrap(command ? about : program->about, 0);
	if (command && command->choices)
		printf("%s: %s\n", argument, command->choices);
	for (const struct options_row *row = program->rows; row->name; row++)
		if (row->choices && belongs(program, command, row))
			printf("%s: %s\n", row->argument, row->choices);
	if (program->commands && !command)
		puts("\nCommands:");
	for (const struct options_command *each = program->commands; each && !command && each->name; each++)
		print_row("", each->name, each->argument, each->help);
	puts("\nOptions:");
	for (const struct options_row *row = program->rows; row->name; row++) {
		char letter[] = { '-', row->letter, ',', ' ', '-', '-', '\0' };

		if (belongs(program, command, row))
			print_row(row->letter ? letter : "    --", row->name, row->argument, row->help);
	}
	if (program->more) {
		putchar('\n');
		wrap(program->more, 0);
	}
}

/* ---- values ---- */

uint64_t options_number(const char *text, uint64_t most)
{
	char *end;
	int error = errno;
	unsigned long long number = strtoull(text, &end, 10);

	errno = error;
	/* what is too large became the largest */
	return isdigit((unsigned char)*text) && *end == '\0' && number <= most && number < ULLONG_MAX ? number : 0;
}

const char *options_take_choice(const struct options_row *row, void *to, char *text)
{
	(void)text;
	*(int *)to = (int)row->number;
	return NULL;
}

const char *options_take_number(const struct options_row *row, void *to, char *text)
{
	*(uint64_t *)to = options_number(text, row->number);
	return *(uint64_t *)to > 0 ? NULL : wrong("not a number from 1 to %" PRIu64, row->number);
}

const char *options_take_pause(const struct options_row *row, void *to, char *text)
{
	char most[UNITS_TEXT];
	const char *why = units_duration(text, to);

	if (!why && row->number > 0 && *(int64_t *)to > (int64_t)row->number)
		why = wrong("longer than %s", units_format_duration(most, (int64_t)row->number));
	return why;
}

const char *options_take_time(const struct options_row *row, void *to, char *text)
{
	const char *why = options_take_pause(row, to, text);

	return why || *(int64_t *)to > 0 ? why : "no time at all";
}

/* Is it among these, which go by '|'?  Returns NULL, or what is wrong. */
static const char *choose(const char *choices, const char *text)
{
	struct nearest nearest = { .name = text };
	char copy[TEXT], *rest = copy, *choice;

	snprintf(copy, sizeof copy, "%s", choices);
	while ((choice = strsep(&rest, "|"))) {
		if (strcmp(choice, text) == 0)
			return NULL;
		nearest_offer(&nearest, choice);
	}
	return nearest.best ? wrong("did you mean %s?", nearest.best) : wrong("none of %s", choices);
}

/* ---- parsing ---- */

/* Says that there is no such `what`, and which was meant, or where all are told of. */
static const char *complain(const struct reading *reading, const char *what, const struct nearest *nearest)
{
	const struct options_command *command = reading->command;

	if (nearest->best)
		return wrong("unknown %s%s, did you mean %s%s?", what, nearest->name, strchr(what, ' ') + 1,
		             nearest->best);
	return wrong("unknown %s%s, see %s%s%s --help", what, nearest->name, reading->program->name,
	             command ? " " : "", command ? command->name : "");
}

/* Takes an option, and the next word where it needs a value and has none. */
static const char *take(struct reading *reading, const struct options_row *row, char *value)
{
	char *to = reading->to + row->at, shown[REASON] = "";
	const char *why = NULL;

	if (row->argument && !value && !(value = *reading->next++))
		return wrong("--%s needs a value: %s", row->name, row->argument);
	if (row->letter == 'h')
		options_help(reading->program, reading->command);
	else if (row->letter == 'V')
		printf("%s " PACKAGE_VERSION "\n", reading->program->name);
	if (row->letter == 'h' || row->letter == 'V')
		exit(EX_OK);
	reading->given |= UINT64_C(1) << (row - reading->program->rows);
	if (value)
		snprintf(shown, sizeof shown, " %s", value);      /* before it is taken: a list is cut up */
	if (row->take)
		why = row->take(row, to, value);
	else if (!row->argument)
		*(bool *)to = true;
	else if (!row->choices || !(why = choose(row->choices, value)))
		*(char **)(void *)to = value;
	return why ? wrong("--%s%s: %s", row->name, shown, why) : NULL;
}

/* Finds an option by its name, or by what no other one's begins with.  Returns NULL, or what is wrong. */
static const char *find(const struct reading *reading, const char *name, const struct options_row **found)
{
	const struct options_row *other = NULL;
	struct nearest nearest = { .name = name };

	*found = NULL;
	for (const struct options_row *row = reading->program->rows; row->name; row++) {
		if (strcmp(row->name, name) == 0) {
			*found = row;
			return NULL;
		}
		if (reading->command && !belongs(reading->program, reading->command, row))
			continue;
		nearest_offer(&nearest, row->name);
		if (strncmp(row->name, name, strlen(name)) == 0)
			*(*found ? &other : found) = row;
	}
	if (other)
		return wrong("option --%s may be --%s or --%s", name, (*found)->name, other->name);
	return *found ? NULL : complain(reading, "option --", &nearest);
}

/* Behind "--": NAME, or NAME=VALUE. */
static const char *read_long(struct reading *reading, char *word)
{
	const struct options_row *row;
	size_t len = strcspn(word, "=");
	char name[TEXT];
	const char *why;

	snprintf(name, sizeof name, "%.*s", (int)len, word);
	if ((why = find(reading, name, &row)))
		return why;
	if (word[len] && !row->argument)
		return wrong("--%s takes no value", row->name);
	return take(reading, row, word[len] ? word + len + 1 : NULL);
}

/* Behind "-": letters, and behind one with a value that. */
static const char *read_letters(struct reading *reading, char *word)
{
	const char *why = NULL;

	for (; *word && !why; word++) {
		const struct options_row *row = reading->program->rows;

		while (row->name && row->letter != *word)
			row++;
		if (!row->name)
			return complain(reading, "option -", &(struct nearest){ .name = (char[]){ *word, '\0' } });
		if (row->argument)
			return take(reading, row, word[1] ? word + 1 : NULL);
		why = take(reading, row, NULL);
	}
	return why;
}

static const char *read_operand(struct reading *reading, char *word)
{
	const struct options_command *command = reading->program->commands;
	struct nearest nearest = { .name = word };

	if (!reading->command && strcmp(word, "help") == 0 && (command || !reading->program->argument)) {
		reading->helps = true;
	} else if (!command || reading->command) {
		reading->found->operands[reading->found->count++] = word;
	} else {
		for (; command->name && strcmp(command->name, word) != 0; command++)
			nearest_offer(&nearest, command->name);
		if (!command->name)
			return complain(reading, "command ", &nearest);
		reading->command = command;
	}
	return NULL;
}

/* Does the command take the options, and is there an operand where one has to be? */
static const char *check(const struct reading *reading)
{
	const struct options_program *program = reading->program;
	const struct options_command *command = reading->command;
	const char *argument = command ? command->argument : program->argument, *why;
	const struct options_found *found = reading->found;

	if (program->commands && !command)
		return wrong("no command, see %s --help", program->name);
	for (const struct options_row *row = program->rows; command && row->name; row++)
		if (reading->given & UINT64_C(1) << (row - program->rows) && !belongs(program, command, row))
			return wrong("--%s is no option of %s, but of %s", row->name, command->name,
			             program->commands[__builtin_ctz(row->commands)].name);
	if (argument && strstr(argument, "..."))
		return NULL;
	if (found->count == 0 && argument && argument[0] != '[')
		return wrong("%s: not given", argument);
	if (found->count > (argument ? 1 : 0))
		return wrong("%s: one operand too many", found->operands[found->count - 1]);
	if (found->count > 0 && command && command->choices && (why = choose(command->choices, found->operands[0])))
		return wrong("%s %s: %s", argument, found->operands[0], why);
	return NULL;
}

const char *options_read(const struct options_program *program, void *to, int argc, char **argv,
                         struct options_found *found)
{
	struct reading reading = { .program = program, .found = found, .to = to, .next = argv + (argc > 0) };
	const char *why = NULL;
	bool ended = false;               /* by "--": operands alone follow */

	*found = (struct options_found){ .operands = reading.next };      /* where one is put, all has been read */
	while (!why && *reading.next) {
		char *word = *reading.next++;

		if (ended || word[0] != '-' || word[1] == '\0')
			why = read_operand(&reading, word);
		else if (word[1] != '-')
			why = read_letters(&reading, word + 1);
		else if (word[2] != '\0')
			why = read_long(&reading, word + 2);
		else
			ended = true;
	}
	if (reading.helps && !why) {
		options_help(program, reading.command);
		exit(EX_OK);
	}
	if (!why && !(why = check(&reading)) && program->commands)
		found->command = (size_t)(reading.command - program->commands);
	return why;
}
