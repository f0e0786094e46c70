/*
 * config.h - the configuration: one table of keys, one plain struct.
 *
 * The struct holds no pointer, so that a loader process fills it and every other process maps it read-only.
 * From the table of keys come defaults, checks, the environment's names, --dump and the tests of the manual.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "config/access.h"

enum {
	CONFIG_LISTENERS = 64,
	CONFIG_ADDRESS = 128,             /* bytes of an address as text */
	CONFIG_NAME = 64,
	CONFIG_SECTIONS = 1024,           /* bytes for the sections of all models */
};

/* A user or a group that somebody has named. */
struct config_owner {
	char name[CONFIG_NAME];           /* "": nobody is named */
	int64_t id;                       /* whose it is; 0 with "" */
};

/* A listener: its keys are config_listen_keys. */
struct config_listen {
	char address[CONFIG_ADDRESS];
	char protocol[CONFIG_NAME];
	int64_t mode;                     /* permissions of a UNIX socket */
	struct config_owner user, group;  /* of that; else the daemon's own */
	int64_t proxy;                    /* 1: a PROXY header names the client; else 0 */
	int64_t once;                     /* 1: a conversation is one request; else 0 */
};

enum config_over_limit { OVER_LIMIT_WAIT, OVER_LIMIT_REFUSE };          /* over_limit = "wait" | "refuse" */
enum config_sandbox { SANDBOX_AUTO, SANDBOX_REQUIRED, SANDBOX_OFF };    /* "auto" | "required" | "off" */
enum config_log_target { TARGET_AUTO, TARGET_SYSLOG, TARGET_STDERR };   /* "auto" | "syslog" | "stderr" */

/*
 * Numbers of every kind are int64_t, durations in us, choices as the index of the chosen word.  Each byte
 * that is not part of a value is 0, so that fields can be compared with memcmp.
 */
struct config {
	char model[CONFIG_NAME];
	struct config_listen listen[CONFIG_LISTENERS];
	int64_t listeners;
	char aphorisms[PATH_MAX];         /* absolute; "" for the three that are built in */
	int64_t backlog, max_connections, max_connections_per_source;
	int64_t max_question_length, max_questions_per_connection, over_limit;
	int64_t question_us, idle_us, write_us, drain_us, upgrade_us;
	int64_t delay_us, cpu_us;
	struct access_list allow, deny;
	char user[CONFIG_NAME], group[CONFIG_NAME], pidfile[PATH_MAX];
	int64_t sandbox;
	int64_t log_target, log_facility, log_level;    /* see config_syslog_facility(), config_syslog_level() */
	char control[CONFIG_ADDRESS];     /* absolute, or "" for none */
	char metrics[PATH_MAX];           /* absolute, or "" for none */
	int64_t metrics_interval_us;
	int64_t activation_idle_us, inetd_idle_us;      /* without a client until the daemon ends; 0 is never */
	struct {                          /* not at their defaults, but said by somebody */
		bool listen, aphorisms, max_connections, user, pidfile, control, log_level;
		bool file;                /* there was one */
	} set;
	struct {                          /* may be changed by others, as modes and owners were when they were read */
		bool file, aphorisms;
	} exposed;
	_Alignas(8) unsigned char sections[CONFIG_SECTIONS];
};

enum key_type {
	KEY_NUMBER,                       /* int64_t */
	KEY_SIZE,                         /* int64_t, bytes */
	KEY_DURATION,                     /* int64_t, us */
	KEY_CHOICE,                       /* int64_t, index into `choices` ("wait|refuse") */
	KEY_TEXT,                         /* char[size] */
	KEY_MODEL,                        /* char[size], one of the schema's models */
	KEY_PATH,                         /* char[size], made absolute by the configuration file's folder */
	KEY_LISTEN,                       /* struct config: listen, listeners */
	KEY_NETWORKS,                     /* struct access_list */
	/* of a listener: struct config_listen */
	KEY_ADDRESS,                      /* char[size] */
	KEY_PROTOCOL,                     /* char[size], one of the schema's protocols */
	KEY_FLAG,                         /* int64_t: 1 for true, 0 for false */
	KEY_MODE,                         /* int64_t; this one and the next two for files alone */
	KEY_USER, KEY_GROUP,              /* struct config_owner */
};

/*
 * One key: everything that is known of it.  Offsets are from struct config, or from the section's own struct.
 */
struct key {
	const char *name;                 /* dotted: "timeouts.idle" */
	enum key_type type;
	size_t offset, size;
	const char *value;                /* the default, in the syntax of -o KEY=VALUE */
	int64_t least, most;              /* range of NUMBER, SIZE, DURATION (us); of text, size is the limit */
	const char *choices;
	const char *help;                 /* one sentence */
};

/* The keys that one model brings along, and the struct that they fill. */
struct section {
	const char *name;                 /* "prefork"; its keys are "prefork." and a word */
	const struct key *keys;           /* ended by a key without a name */
	size_t size;                      /* of the section's struct */
	/* what contradicts what: NULL, or the reason (static) and in *key the key to blame */
	const char *(*check)(const void *section, const char **key);
};

/*
 * What the caller knows and this room does not: sections and the names of models and protocols, each ended
 * by NULL.
 */
struct config_schema {
	const struct section *const *sections;
	const char *const *models, *const *protocols;
	bool has_sandbox;                 /* both mechanisms are built in */
};

/* Where values come from, least first: defaults, the file, the environment, options. */
struct config_sources {
	const char *file;                 /* absolute; NULL: none */
	bool file_needed;                 /* else defaults stand in for it */
	char *const *environment;         /* environ */
	const char *const *settings;      /* "KEY=VALUE" in the order given, ended by NULL */
};

/* Receives errors and notices, a line each without newline, "FILE:LINE: KEY: reason". */
typedef void config_report(void *arg, bool error, const char *line);

/*
 * Fills *config.  Reports every error it can find, and a notice when a file that is not needed is missing.
 * Returns 0, EX_NOINPUT (66) when the file can't be read, EX_CONFIG (78), or EX_OSERR (71) without memory.
 * Reads files: regular ones only, 1 MiB in all; to be called in a process of its own that may die (libconfig
 * exits without memory) or hang (a file system may).  With dump not NULL, and no error, every key's value in
 * force is printed there as valid libconfig input, with its origin in a comment.
 */
int config_load(struct config *, const struct config_schema *, const struct config_sources *, FILE *dump,
                config_report *, void *arg);

/* Whether config_load() could have written it: a loader that its input has taken over may hand over anything. */
bool config_validate(const struct config *, const struct config_schema *);

/* Prints "changed KEY: OLD -> NEW" for each key whose value is another one in the second. */
void config_print_changes(const struct config *, const struct config *, const struct config_schema *, FILE *);

/* The section of that name inside config (config->sections), to be read as the model's own struct. */
const void *config_section(const struct config *, const struct config_schema *, const char *name);

/* What openlog(3) and setlogmask(3) call them: LOG_DAEMON ..., LOG_ERR ... LOG_DEBUG. */
int config_syslog_facility(const struct config *);
int config_syslog_level(const struct config *);

/* What a level of that name is to syslog, less LOG_ERR; -1 for what is none. */
int config_log_level(const char *name);

/* Calls each key once, the core's first, then each section's. */
void config_each_key(const struct config_schema *, void (*)(void *arg, const struct key *), void *arg);

#endif
