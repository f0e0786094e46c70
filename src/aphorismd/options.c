/*
 * options.c - the command line of aphorismd.
 */
#include "aphorismd/options.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/log.h"
#include "common/options.h"
#include "models/model.h"

/* What the command line fills. */
struct given {
	struct options options;
	size_t count;                     /* of options.settings */
	char *listen;                     /* NULL: no address */
	const char *file;                 /* NULL: not named */
};

/* All -l together are one list.  A path may hold whatever parts or ends elements, no other address can. */
static const char *take_listener(const struct options_row *row, void *to, char *text)
{
	struct given *given = to;
	size_t size = sizeof "\"\"..." + strlen("\\xff") * strlen(text);
	char *escaped = malloc(size), *before = given->listen;
	const char *element = text;

	(void)row;
	if (escaped && strncmp(text, "unix:", strlen("unix:")) == 0)
		element = log_escape(escaped, size, text, strlen(text));
	if (!escaped ||
	    asprintf(&given->listen, "%s%s%s", before ? before : "listen=", before ? "," : "", element) < 0)
		return "out of memory";
	free(before);
	free(escaped);
	return NULL;
}

static const char *take_setting(const struct options_row *row, void *to, char *text)
{
	struct given *given = to;

	(void)row;
	given->options.settings[given->count++] = text;
	return strchr(text, '=') ? NULL : "not KEY=VALUE";
}

/* An option that is short for a key. */
static const char *take_key(const struct options_row *row, void *to, char *text)
{
	const char *key = strcmp(row->name, "pidfile") == 0 ? "process.pidfile" : row->name;
	char *setting;

	return asprintf(&setting, "%s=%s", key, text) < 0 ? "out of memory" : take_setting(row, to, setting);
}

static const char *list_models(const struct options_row *row, void *to, char *text)
{
	(void)row, (void)to, (void)text;
	for (size_t i = 0; models[i]; i++)
		printf("%-12s %s\n", models[i]->name, models[i]->summary);
	exit(EX_OK);
}

#define AT(member) .at = offsetof(struct given, member)

static const struct options_row rows[] = {
	{ 'c', "config", "FILE", "read this configuration (default " SYSCONFDIR "/aphorismd/aphorismd.conf)",
	  AT(file) },
	{ 'm', "model", "MODEL", "set `model`: see --list-models", .take = take_key },
	{ 'l', "listen", "ADDRESS", "listen here instead of where the configuration says; may be repeated: "
	  "127.0.0.1:1060, [::1]:1060, *:1060, unix:/path", .take = take_listener },
	{ 'p', "pidfile", "FILE", "set `process.pidfile`", .take = take_key },
	{ 'o', "set", "KEY=VALUE", "set any key: -o timeouts.idle=5s", .take = take_setting },
	{ 'f', "foreground", NULL, "stay in the foreground, log to standard error", AT(options.foreground) },
	{ 't', "test", NULL, "check configuration and table, print every error, exit 0 or 78", options_take_choice,
	  AT(options.action), ACTION_TEST },
	{ 'T', "dump", NULL, "print each key's value in force and where it came from", options_take_choice,
	  AT(options.action), ACTION_DUMP },
	{ 0, "inetd", NULL, "serve the connection, or the listening socket, that is standard input",
	  AT(options.inetd) },
	{ 0, "list-models", NULL, "print each model's name and summary", .take = list_models },
	OPTIONS_LAST
};

static const struct options_program program = {
	.name = "aphorismd",
	.about = "Answers questions under a concurrency model of your choice.",
	.rows = rows,
	.more = "Signals: TERM, INT stop gracefully (again: at once), QUIT stops at once, HUP reloads, USR1 logs "
	        "statistics, USR2 lets the program as it is now on disk take over.\n"
	        "The manual: aphorismd(8), aphorismd.conf(5), aphorismd-models(7).",
};

/* A file by its absolute name, to PATH_MAX bytes: a daemon changes to /, and a reload comes later. */
static bool name_file(char *to, const char *file)
{
	char here[PATH_MAX] = "";
	int len;

	if (*file != '/' && !getcwd(here, sizeof here))
		return false;
	len = snprintf(to, PATH_MAX, "%s%s%s", here, *file == '/' ? "" : "/", file);
	return len > 0 && len < PATH_MAX;
}

static bool is_same_file(const char *one, const char *other)
{
	struct stat a, b;

	return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/*
 * By the name that it was called by, if that leads to it: a link there may lead to a newer version one day.  Else by
 * the name that the kernel found it by, which is from PATH where there was no slash; else by the file's own.  "" when
 * there is none.  Without /proc the kernel's word is all there is.
 */
static void name_program(char *to, const char *called)
{
	const char *found = (const char *)getauxval(AT_EXECFN), *self = "/proc/self/exe";
	ssize_t len;

	if (access(self, F_OK) < 0 && found)
		self = found;
	if (strchr(called, '/') && name_file(to, called) && is_same_file(to, self))
		return;
	if (found && name_file(to, found) && is_same_file(to, self))
		return;
	len = readlink("/proc/self/exe", to, PATH_MAX - 1);
	to[len > 0 ? len : 0] = '\0';
}

static int complain(const char *what, const char *which)
{
	log_error("%s%s", what, which);
	return EX_USAGE;
}

int options_parse(struct options *options, int argc, char **argv)
{
	static struct given given;
	struct options_found found;
	const char *reason;

	given.options.settings = calloc((size_t)argc + 2, sizeof *options->settings);
	if (!given.options.settings)
		return complain("out of memory", "");
	name_program(given.options.program, argc > 0 ? argv[0] : "");
	if ((reason = options_read(&program, &given, argc, argv, &found)))
		return complain(reason, "");
	given.options.settings[given.count] = given.listen;
	*options = given.options;
	options->foreground |= options->inetd;
	options->file_named = given.file != NULL;
	if (!given.file)
		given.file = SYSCONFDIR "/aphorismd/aphorismd.conf";
	return name_file(options->file, given.file) ? -1 : complain("unusable file name: ", given.file);
}

bool options_open_log(const struct options *options, const struct config *config)
{
	bool syslog = config->log_target == TARGET_SYSLOG || !options->foreground || options->mute;

	log_open(program.name, syslog ? LOG_TO_SYSLOG : LOG_TO_STDERR, config_syslog_facility(config),
	         config_syslog_level(config));
	return syslog;
}

struct config_sources options_sources(const struct options *options)
{
	return (struct config_sources){
		.file = options->file,
		.file_needed = options->file_named,
		.environment = environ,
		.settings = options->settings,
	};
}
