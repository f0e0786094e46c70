/*
 * command.h - the commands of the control socket, and those of aphorismctl alone: a row each, for both ends.
 */
#ifndef COMMON_COMMAND_H
#define COMMON_COMMAND_H

#include <stdbool.h>

/* What somebody may give, or who may give it: whoever has a right has those before it. */
enum command_right {
	COMMAND_BY_NOBODY,
	COMMAND_BY_NAMED,                 /* a user with the lesser right; nobody has that alone yet */
	COMMAND_BY_GROUP,                 /* root, who started the daemon, and its group */
};

/* How far the daemon may be on its way out to obey it still. */
enum command_until {
	COMMAND_SERVING,
	COMMAND_UPGRADING,                /* it is not lost when another process takes the daemon's place */
	COMMAND_STOPPING,
	COMMAND_EVER,                     /* even where that one has its place */
};

struct command {
	const char *name;
	const char *argument;             /* what has to follow it, or in [] may; NULL: nothing */
	enum command_right right;
	enum command_until until;
	const char *help;                 /* a sentence */
	const char *choices;              /* all that the argument may be ("wait|refuse"), or NULL */
	const char *word;                 /* what may follow it, by aphorismctl's option of that name; or NULL */
	const char *list;                 /* the key of the lines that are its answer, where that is a list; or NULL */
	bool fields;                      /* they are FIELDS */
	bool waits;                       /* for an outcome, which may take minutes */
	bool own;                         /* aphorismctl's: no daemon knows it */
	const char *done, *none;          /* what aphorismctl says of a success, and of an empty list; or NULL */
};

/* In the order in which they are listed; `own` are those of aphorismctl alone. */
#define COMMANDS(row, own) \
	row(STATUS, status, NULL, NAMED, EVER, "say how it is") \
	row(WORKERS, workers, NULL, GROUP, EVER, "list its workers", .list = "worker", .fields = true) \
	row(CONNECTIONS, connections, NULL, GROUP, EVER, "list its connections", \
	    .list = "connection", .fields = true) \
	row(STATS, stats, NULL, GROUP, EVER, "say what it has done") \
	row(HISTOGRAM, histogram, NULL, GROUP, EVER, "show how long questions take", \
	    .list = "bucket", .fields = true) \
	row(METRICS, metrics, NULL, GROUP, EVER, "say the same in the text format of Prometheus") \
	row(DOCTOR, doctor, NULL, GROUP, EVER, "say what will hurt, and what mends it", \
	    .list = "finding", .fields = true, .none = "nothing to mend") \
	own(TOP, top, NULL, GROUP, EVER, "show all that live, at a terminal") \
	row(RELOAD, reload, NULL, NAMED, SERVING, "read configuration and table again, and wait for the outcome", \
	    .waits = true, .list = "changed", .done = "reloaded") \
	row(UPGRADE, upgrade, NULL, GROUP, EVER, "let the program now on disk take over, and wait for the outcome", \
	    .waits = true, .done = "upgraded") \
	row(DRAIN, drain, "WORKER", GROUP, UPGRADING, "have a worker finish and replace it") \
	row(LOG, log, "LEVEL", GROUP, STOPPING, "write what is as urgent as that, until the next reload", \
	    .choices = LOG_LEVELS) \
	row(STOP, stop, NULL, GROUP, STOPPING, "finish (at once with --now), and wait until it is gone", \
	    .word = "now", .waits = true, .done = "stopped") \
	row(PING, ping, NULL, NAMED, EVER, "say that it is there") \
	row(VERSION, version, NULL, GROUP, EVER, "say its version") \
	own(HELP, help, "[COMMAND]", GROUP, EVER, "print this text, or how to use a command")

#define COMMAND_NUMBER(number, ...) COMMAND_##number,
enum { COMMANDS(COMMAND_NUMBER, COMMAND_NUMBER) COMMAND_COUNT };

extern const struct command commands[COMMAND_COUNT];

/*
 * What a line of the control protocol asks for, and in *argument what stands behind its first space, or NULL.  Returns
 * NULL where it is no command, or not followed by what has to follow it.
 */
const struct command *command_parse(const char *line, const char **argument);

/* The command whose answer is a list of lines of that key, or NULL. */
const struct command *command_listing(const char *key);

#endif
