/*
 * options.h - a program's command line: one table, from which parsing, help and what is said of mistakes follow.
 */
#ifndef COMMON_OPTIONS_H
#define COMMON_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

/* An option.  A list of them ends with OPTIONS_LAST. */
struct options_row {
	char letter;                      /* 0: it has none */
	const char *name;
	const char *argument;             /* what has to follow, as help names it; NULL: nothing */
	const char *help;
	/*
	 * Puts what was given to `to`; text is what followed, argv's own.  Returns NULL, or what is wrong with it.
	 * NULL: `to` is a const char * if there is an argument, one of the choices if there are any; else a bool.
	 */
	const char *(*take)(const struct options_row *, void *to, char *text);
	size_t at;                        /* of `to` in what options_read fills */
	uint64_t number;                  /* the most that it may be, 0: any; or what the option stands for */
	unsigned commands;                /* those that take it, 1 << position in the list for each; 0: all */
	const char *choices;              /* all that it may be ("wait|refuse"), or NULL */
};

/* --help and --version, which every program has, known by their letters; and the end of the list. */
#define OPTIONS_LAST \
	{ 'h', "help", .help = "print this text" }, { 'V', "version", .help = "print the version" }, { 0 }

/* A command.  A list of them, of at most 32, ends with a NULL name; what `help` does is known. */
struct options_command {
	const char *name;
	const char *argument;             /* what has to follow; what may follow is in []; NULL: nothing */
	const char *help;                 /* what it does, as the list says it: no capital, no full stop */
	const char *choices;              /* all that the argument may be ("wait|refuse"), or NULL */
};

struct options_program {
	const char *name;
	const char *argument;             /* as that of a command, but for "...": any number */
	const char *about;                /* lines of any length, the last one's end left out */
	const struct options_row *rows;   /* at most 64 */
	const struct options_command *commands;   /* NULL: it has none */
	const char *more;                 /* lines at the end of the help; NULL: none */
};

/* What stood on a command line beside options. */
struct options_found {
	size_t command;                   /* its position in the list */
	int count;
	char **operands;                  /* of the program or the command, not ended by NULL; in argv, which changes */
};

/*
 * Reads a command line: each option to its place in `to`, the operands to *found.  Options may stand anywhere before
 * "--", whatever POSIXLY_CORRECT says, and each has to be one of the command's.  A name may be cut short as long as no
 * other one begins so.  Returns NULL, or what is wrong, which lasts until the next call.  --help, --version and
 * `help` (as a command, or where there are no operands) end the program.
 */
const char *options_read(const struct options_program *, void *to, int argc, char **argv,
                         struct options_found *found);

/*
 * Prints how to use a program, in at most 80 columns: its commands, if it has any, and the options that all of them
 * take; or how to use a command of its list, and the options of that.
 */
void options_help(const struct options_program *, const struct options_command *);

/*
 * For struct options_row.take: a uint64_t from 1 to the row's number; an int64_t of microseconds up to the row's
 * number, but for pauses not 0; an int that becomes the row's number.
 */
const char *options_take_number(const struct options_row *, void *to, char *text);
const char *options_take_time(const struct options_row *, void *to, char *text);
const char *options_take_pause(const struct options_row *, void *to, char *text);
const char *options_take_choice(const struct options_row *, void *to, char *text);

/* Parses a whole decimal number from 1 to most.  Returns it, or 0 when the text is anything else; errno stays. */
uint64_t options_number(const char *text, uint64_t most);

#endif
