/*
 * config_parts.h - what the files of the configuration share among themselves.
 *
 * config.c          where values come from, in which order; calls all of the others
 * config_check.c    what contradicts what
 * config_dump.c     --dump
 * config_text.c     a value given as text
 * config_value.c    from a libconfig setting to a field
 * config_owner.c    who has a name
 * config_scan.c     the source text, on its way to libconfig
 * config_entry.c    entries, paths and errors
 * config_keys.c     the core's keys
 */
#ifndef CONFIG_CONFIG_PARTS_H
#define CONFIG_CONFIG_PARTS_H

#include <libconfig.h>

#include "common/nearest.h"
#include "common/units.h"
#include "config/config.h"

enum {
	CONFIG_KEYS = 256,                /* the core's and all models' */
	CONFIG_KEY = 64,                  /* bytes of a key's name */
	CONFIG_TEXT = 1 << 20,            /* bytes of a file and of all that it includes */
	CONFIG_FILES = 100,               /* a file and all that it includes */
	CONFIG_DEPTH = 10,                /* of includes */
};

/* What the names of all variables begin with. */
#define CONFIG_PREFIX "APHORISMD_"

/* Where a value was found, least first. */
enum origin_kind { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_OPTION };

struct origin {
	enum origin_kind kind;
	unsigned line;                    /* of a file */
	const char *file;                 /* kept by the parser's scan */
};

/* A key on its way to its value. */
struct entry {
	const struct key *key;
	const struct section *section;    /* NULL: the core's */
	void *at;                         /* the field, inside *config */
	struct origin origin;             /* of the value in force */
	bool bad;                         /* some source has a value that can't be taken */
};

struct scan_line {
	uint32_t file, line;
};

/* The text that libconfig reads: all files in one, and where each of its lines comes from. */
struct scan {
	struct parser *parser;            /* who is told of errors; NULL: nobody, and nothing is included */
	char *files[CONFIG_FILES];
	uint32_t file_count, line_count;
	size_t read, len;                 /* bytes of the files, and of text */
	int depth;                        /* of includes */
	bool broken;                      /* a syntax error: reported, if there is a parser */
	bool after_string;                /* only white space since a string */
	uint32_t held;                    /* newlines of that white space, not yet in text */
	struct scan_line lines[CONFIG_TEXT + 3 * CONFIG_FILES];
	char text[2 * CONFIG_TEXT];
};

/* One config_load(), from the first source to the last check. */
struct parser {
	struct config *config;
	const struct config_schema *schema;
	config_report *report;
	void *arg;
	char folder[PATH_MAX];            /* of the configuration file, or "" */
	struct entry entries[CONFIG_KEYS];
	size_t count, errors;
	bool incomplete;                  /* a syntax error hid a part of the file */
	struct scan *scan;                /* of the file */
	struct scan *scratch;             /* of one value that is given as text */
};

/* The core's keys, ended by one without a name; those of one group stand together. */
extern const struct key config_keys[];

/* Those of a listener, by their names within it, ended likewise; offsets are from struct config_listen. */
extern const struct key config_listen_keys[];

/* A listener of which nothing has been said. */
void config_listen_default(struct config_listen *, const struct config_schema *);

/* Sections stand behind one another, each at a multiple of 8. */
static inline size_t config_section_room(const struct section *section)
{
	return (section->size + 7) / 8 * 8;
}

/* An empty scan, to be freed by config_scan_free(), or NULL without memory. */
struct scan *config_scan_new(struct parser *);
void config_scan_free(struct scan *);

/*
 * Adds a file.  Returns NULL, or the reason why it can't be read (static, or strerror's).  What is wrong
 * inside is reported.
 */
const char *config_scan_file(struct scan *, const char *path);

/* Replaces the text by that of a string. */
void config_scan_string(struct scan *, const char *);

/*
 * Parses the text.  Returns false when libconfig does not take it: config_error_line() and _text() then tell
 * why.
 */
bool config_scan_parse(struct scan *, config_t *);

/* Where line n (from 1) of a text that was read from files comes from. */
struct origin config_scan_origin(const struct scan *, unsigned n);

/* Gives the entry the setting's value, or reports what is wrong with it. */
void config_value(struct parser *, struct entry *, const config_setting_t *, const struct origin *);

/* Who has that name, or number, of a user or a group.  NULL, or why nobody has (static).  Reads a file. */
const char *config_find_user(const char *name, int64_t *uid);
const char *config_find_group(const char *name, int64_t *gid);

/* Calls config_value() with the text of a default, a variable or an option. */
void config_value_text(struct parser *, struct entry *, const char *text, enum origin_kind);

/* Makes a path absolute by the configuration file's folder.  Returns false when it does not fit. */
bool config_path(const struct parser *, char *to, size_t size, const char *path);

/* Reports an error at a place; the key's name may be empty. */
void config_error(struct parser *, const struct origin *, const char *key, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* Reports a text that is none of the words, which end with NULL; kind is what these are. */
void config_error_word(struct parser *, const struct origin *, const char *key, const char *text, const char *kind,
                       const char *const *words);

/* An unknown key, with the nearest of those that were offered, if one is near. */
void config_error_key(struct parser *, const struct origin *, const char *key, const struct nearest *);

/* Reports what is wrong with no value: an error, or something that is no more than odd. */
void config_report_format(struct parser *, bool error, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The entry of that name, or NULL. */
struct entry *config_entry(struct parser *, const char *name);

/* The name of a key's environment variable. */
const char *config_variable(char to[CONFIG_KEY + 16], const char *key);

/* Reports a listener whose address excludes one before it. */
void config_check_collision(struct parser *, const struct origin *, const struct config_listen *);

/*
 * Reports values that contradict each other; of keys that have a value that can't be taken nothing is said.
 */
void config_check(struct parser *);

/* Prints each entry's value and its origin. */
void config_dump(const struct parser *, FILE *);

#endif
