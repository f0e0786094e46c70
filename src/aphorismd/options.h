/*
 * options.h - the command line of aphorismd.
 */
#ifndef APHORISMD_OPTIONS_H
#define APHORISMD_OPTIONS_H

#include <limits.h>
#include <stdbool.h>

#include "config/config.h"

enum action { ACTION_SERVE, ACTION_TEST, ACTION_DUMP };

/* Kept for life: a reload reads the same sources again. */
struct options {
	enum action action;
	bool foreground, inetd;           /* the latter implies the former */
	bool mute;                        /* standard error is the client's: no word of ours may go there */
	char program[PATH_MAX];           /* this one, absolute: what an upgrade starts */
	char file[PATH_MAX];              /* absolute */
	bool file_named;
	const char **settings;            /* "KEY=VALUE", ended by NULL */
};

/*
 * Parses the command line into *options.  Answers --help, --version and --list-models itself; a usage error is one
 * line of the log, which is open already.  Returns -1 to go on, or an exit status.
 */
int options_parse(struct options *, int argc, char **argv);

/*
 * Opens the log as configuration and options say; true when that is syslog, so that nothing is to be read on standard
 * error.
 */
bool options_open_log(const struct options *, const struct config *);

/* The sources of a configuration: these options, the environment, the file. */
struct config_sources options_sources(const struct options *);

#endif
