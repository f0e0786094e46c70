/*
 * options.c - the command line of aphorismd.
 */
#include "aphorismd/options.h"

#include <getopt.h>
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

static const char program[] = "aphorismd";
static const char usage[] =
	"Usage: aphorismd [-ft] [-c FILE] [-m MODEL] [-l ADDRESS]... [-o KEY=VALUE]... [-p PIDFILE]\n"
	"Answers questions under a concurrency model of your choice.\n"
	"\n"
	"  -c, --config FILE     read this configuration (default " SYSCONFDIR "/aphorismd/aphorismd.conf)\n"
	"  -m, --model MODEL     set `model`: see --list-models\n"
	"  -l, --listen ADDRESS  listen here instead of where the configuration says; may be repeated:\n"
	"                        127.0.0.1:1060, [::1]:1060, *:1060, unix:/path\n"
	"  -p, --pidfile FILE    set `process.pidfile`\n"
	"  -o, --set KEY=VALUE   set any key: -o timeouts.idle=5s\n"
	"  -f, --foreground      stay in the foreground, log to standard error\n"
	"  -t, --test            check configuration and table, print every error, exit 0 or 78\n"
	"  -T, --dump            print each key's value in force and where it came from\n"
	"      --inetd           serve the connection, or the listening socket, that is standard input\n"
	"      --list-models     print each model's name and summary\n"
	"  -V, --version         print the version\n"
	"  -h, --help            print this text\n"
	"\n"
	"Signals: TERM, INT stop gracefully (again: at once), QUIT stops at once, HUP reloads, USR1 logs statistics,\n"
	"USR2 lets the program as it is now on disk take over.\n"
	"The manual: aphorismd(8), aphorismd.conf(5), aphorismd-models(7).\n";

enum { OPTION_LIST_MODELS = 256, OPTION_INETD };

static const struct option known[] = {
	{ "config", required_argument, NULL, 'c' },   { "model", required_argument, NULL, 'm' },
	{ "listen", required_argument, NULL, 'l' },   { "pidfile", required_argument, NULL, 'p' },
	{ "set", required_argument, NULL, 'o' },      { "foreground", no_argument, NULL, 'f' },
	{ "test", no_argument, NULL, 't' },           { "dump", no_argument, NULL, 'T' },
	{ "inetd", no_argument, NULL, OPTION_INETD },
	{ "list-models", no_argument, NULL, OPTION_LIST_MODELS },
	{ "version", no_argument, NULL, 'V' },        { "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void list_models(void)
{
	for (size_t i = 0; models[i]; i++)
		printf("%-12s %s\n", models[i]->name, models[i]->summary);
}

/* "KEY=VALUE" for an option that is short for a key, or as it was given. */
static bool add(struct options *options, size_t *count, const char *key, const char *value)
{
	char *setting = NULL;

	if (key && asprintf(&setting, "%s=%s", key, value) < 0)
		return false;
	options->settings[(*count)++] = key ? setting : value;
	return true;
}

/* A listener as an element of a list.  A path may hold whatever parts or ends elements, no other address can. */
static char *put_listener(char *to, size_t size, const char *listener)
{
	if (strncmp(listener, "unix:", strlen("unix:")) != 0)
		return stpcpy(to, listener);
	log_escape(to, size, listener, strlen(listener));
	return to + strlen(to);
}

/* All -l together are one list. */
static bool add_listeners(struct options *options, size_t *count, char *const *listeners, size_t listener_count)
{
	size_t size = sizeof "listen=\"\"...";
	char *setting, *at;

	for (size_t i = 0; i < listener_count; i++)
		size += strlen(",\"\"") + strlen("\\xff") * strlen(listeners[i]);
	if (listener_count == 0)
		return true;
	if (!(setting = malloc(size)))
		return false;
	at = stpcpy(setting, "listen=");
	for (size_t i = 0; i < listener_count; i++) {
		at = stpcpy(at, i > 0 ? "," : "");
		at = put_listener(at, size - (size_t)(at - setting), listeners[i]);
	}
	options->settings[(*count)++] = setting;
	return true;
}

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

static int parse(struct options *options, int argc, char **argv, char **listeners)
{
	const char *file = SYSCONFDIR "/aphorismd/aphorismd.conf";
	char reason[OPTIONS_REASON];
	size_t count = 0, listener_count = 0;
	bool ok = true;
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":c:m:l:p:o:ftTVh", known, NULL)) != -1 && ok) {
		switch (option) {
		case 'c': file = optarg; options->file_named = true; break;
		case 'm': ok = add(options, &count, "model", optarg); break;
		case 'l': listeners[listener_count++] = optarg; break;
		case 'p': ok = add(options, &count, "process.pidfile", optarg); break;
		case 'o': ok = add(options, &count, NULL, optarg); break;
		case 'f': options->foreground = true; break;
		case 't': options->action = ACTION_TEST; break;
		case 'T': options->action = ACTION_DUMP; break;
		case OPTION_INETD: options->inetd = options->foreground = true; break;
		case OPTION_LIST_MODELS: list_models(); return EX_OK;
		case 'V': puts("aphorismd " PACKAGE_VERSION); return EX_OK;
		case 'h': fputs(usage, stdout); return EX_OK;
		default: return complain(options_explain(reason, program, argv, known, option), "");
		}
		if (option == 'o' && !strchr(optarg, '='))
			return complain("-o takes KEY=VALUE, not ", optarg);
	}
	if (optind < argc)
		return complain("unexpected argument: ", argv[optind]);
	if (!ok || !add_listeners(options, &count, listeners, listener_count))
		return complain("out of memory", "");
	if (!name_file(options->file, file))
		return complain("unusable file name: ", file);
	return -1;
}

int options_parse(struct options *options, int argc, char **argv)
{
	char **listeners = calloc((size_t)argc + 1, sizeof *listeners);
	int status;

	*options = (struct options){ .settings = calloc((size_t)argc + 2, sizeof *options->settings) };
	if (!listeners || !options->settings)
		return complain("out of memory", "");
	name_program(options->program, argc > 0 ? argv[0] : "");
	status = parse(options, argc, argv, listeners);
	free(listeners);
	return status;
}

bool options_open_log(const struct options *options, const struct config *config)
{
	bool syslog = config->log_target == TARGET_SYSLOG || !options->foreground || options->mute;

	log_open(program, syslog ? LOG_TO_SYSLOG : LOG_TO_STDERR, config_syslog_facility(config),
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
