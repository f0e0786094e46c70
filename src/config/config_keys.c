/*
 * config_keys.c - the keys of the core.  Those of a model stand beside the model.
 */
#include "config/config_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "common/clock.h"
#include "common/log.h"

#define FIELD(member) offsetof(struct config, member), sizeof ((struct config *)0)->member
#define SUN_PATH sizeof ((struct sockaddr_un *)0)->sun_path
#define HOUR_US (INT64_C(3600) * CLOCK_S)
#define TIMEOUT_US CLOCK_MS, 24 * HOUR_US

enum { MILLION = 1000000, BILLION = 1000000000, LONGEST_QUESTION = 1 << 20 };

/* In the order of enum config_over_limit and its like. */
static const char over_limit[] = "wait|refuse";
static const char sandbox[] = "auto|required|off";
static const char log_target[] = "auto|syslog|stderr";

static const char log_facility[] =
	"daemon|user|auth|authpriv|mail|news|local0|local1|local2|local3|local4|local5|local6|local7";
static const int facilities[] = {
	LOG_DAEMON, LOG_USER, LOG_AUTH, LOG_AUTHPRIV, LOG_MAIL, LOG_NEWS, LOG_LOCAL0, LOG_LOCAL1,
	LOG_LOCAL2, LOG_LOCAL3, LOG_LOCAL4, LOG_LOCAL5, LOG_LOCAL6, LOG_LOCAL7,
};
static_assert(LOG_ERR + 4 == LOG_DEBUG, "syslog's levels follow one another");

#define MEMBER(member) offsetof(struct config_listen, member), sizeof ((struct config_listen *)0)->member

const struct key config_listen_keys[] = {
	{ "address", KEY_ADDRESS, MEMBER(address), "", 0, 0, NULL,
	  "Where to listen." },
	{ "protocol", KEY_PROTOCOL, MEMBER(protocol), "aphorism", 0, 0, NULL,
	  "What is spoken there." },
	{ "mode", KEY_MODE, MEMBER(mode), "0666", 0, 0, NULL,
	  "The permissions of a UNIX socket." },
	{ "user", KEY_USER, MEMBER(user), "", 0, 0, NULL,
	  "The user that a UNIX socket belongs to." },
	{ "group", KEY_GROUP, MEMBER(group), "", 0, 0, NULL,
	  "The group that a UNIX socket belongs to." },
	{ "proxy", KEY_FLAG, MEMBER(proxy), "false", 0, 0, NULL,
	  "Proxies connect there, and name their clients." },
	{ "once", KEY_FLAG, MEMBER(once), "false", 0, 0, NULL,
	  "A conversation ends after the answer to its first request." },
	{ .name = NULL },
};

const struct key config_keys[] = {
	{ "model", KEY_MODEL, FIELD(model), "prefork", 0, 0, NULL,
	  "The concurrency model that serves." },
	{ "listen", KEY_LISTEN, FIELD(listen), "127.0.0.1:1060", 0, 0, NULL,
	  "The addresses to listen on." },
	{ "aphorisms", KEY_PATH, FIELD(aphorisms), SYSCONFDIR "/aphorismd/zen.aphorisms", 0, 0, NULL,
	  "The file with the table of aphorisms." },
	{ "backlog", KEY_NUMBER, FIELD(backlog), "511", 1, 65535, NULL,
	  "The length of each listener's queue of connections that nobody has taken yet." },
	{ "max_connections", KEY_NUMBER, FIELD(max_connections), "1024", 1, MILLION, NULL,
	  "The number of connections over all workers." },
	{ "max_connections_per_source", KEY_NUMBER, FIELD(max_connections_per_source), "0", 0, MILLION, NULL,
	  "The number of connections from one IPv4 address or IPv6 /64; 0 is no limit." },
	{ "max_question_length", KEY_SIZE, FIELD(max_question_length), "4096", 2, LONGEST_QUESTION, NULL,
	  "The length of the longest question in bytes, its question mark counted." },
	{ "max_questions_per_connection", KEY_NUMBER, FIELD(max_questions_per_connection), "0", 0, BILLION,
	  NULL, "The number of questions after which a connection is closed; 0 is no limit." },
	{ "over_limit", KEY_CHOICE, FIELD(over_limit), "wait", 0, 0, over_limit,
	  "What becomes of a client beyond max_connections." },

	{ "timeouts.question", KEY_DURATION, FIELD(question_us), "10s", TIMEOUT_US, NULL,
	  "The time from a question's first byte to its last." },
	{ "timeouts.idle", KEY_DURATION, FIELD(idle_us), "60s", TIMEOUT_US, NULL,
	  "The time between two questions." },
	{ "timeouts.write", KEY_DURATION, FIELD(write_us), "10s", TIMEOUT_US, NULL,
	  "The time that a client may leave an answer unread." },
	{ "timeouts.drain", KEY_DURATION, FIELD(drain_us), "30s", TIMEOUT_US, NULL,
	  "The time that a graceful stop, a reload or an upgrade gives to open connections." },
	{ "timeouts.upgrade", KEY_DURATION, FIELD(upgrade_us), "2m", TIMEOUT_US, NULL,
	  "The time that the program of an upgrade has to become ready." },

	{ "work.delay", KEY_DURATION, FIELD(delay_us), "0ms", 0, HOUR_US, NULL,
	  "The time that each answer waits: a simulated cost." },
	{ "work.cpu", KEY_DURATION, FIELD(cpu_us), "0us", 0, HOUR_US, NULL,
	  "The time that each answer computes: a simulated cost." },

	{ "access.allow", KEY_NETWORKS, FIELD(allow), "", 0, 0, NULL,
	  "The networks that are served; any, when none is given." },
	{ "access.deny", KEY_NETWORKS, FIELD(deny), "", 0, 0, NULL,
	  "The networks that are not served." },

	{ "process.user", KEY_TEXT, FIELD(user), "aphorismd", 0, 0, NULL,
	  "The user that the workers of a daemon started as root become." },
	{ "process.group", KEY_TEXT, FIELD(group), "", 0, 0, NULL,
	  "The group that they become; empty is the user's." },
	{ "process.pidfile", KEY_PATH, FIELD(pidfile), RUNSTATEDIR "/aphorismd/aphorismd.pid", 0, 0, NULL,
	  "The file that holds the supervisor's process id; empty is none." },
	{ "process.sandbox", KEY_CHOICE, FIELD(sandbox), "auto", 0, 0, sandbox,
	  "Whether each process gives up the files and system calls that it does not need." },

	{ "log.target", KEY_CHOICE, FIELD(log_target), "auto", 0, 0, log_target,
	  "Where messages go; auto is syslog for a daemon and standard error in the foreground." },
	{ "log.facility", KEY_CHOICE, FIELD(log_facility), "daemon", 0, 0, log_facility,
	  "The facility of syslog." },
	{ "log.level", KEY_CHOICE, FIELD(log_level), "notice", 0, 0, LOG_LEVELS,
	  "The least urgent level that is written." },

	{ "control.socket", KEY_PATH, offsetof(struct config, control), SUN_PATH,
	  RUNSTATEDIR "/aphorismd/control", 0, 0, NULL,
	  "The UNIX socket for aphorismctl; empty is none." },

	{ "metrics.file", KEY_PATH, FIELD(metrics), "", 0, 0, NULL,
	  "The file that the metrics are written to, for a monitor; empty is none." },
	{ "metrics.interval", KEY_DURATION, FIELD(metrics_interval_us), "15s", CLOCK_S, HOUR_US, NULL,
	  "The time from one writing of them to the next." },

	{ "activation.idle_exit", KEY_DURATION, FIELD(activation_idle_us), "0s", 0, 24 * HOUR_US, NULL,
	  "The time without a client after which a daemon with inherited sockets ends, 1s at least; 0 is never." },
	{ "inetd.idle_exit", KEY_DURATION, FIELD(inetd_idle_us), "60s", TIMEOUT_US, NULL,
	  "The time without a client after which a daemon that inetd started ends." },
	{ .name = NULL },
};

/* Users, groups and addresses have none; of the protocols it is the first. */
void config_listen_default(struct config_listen *listen, const struct config_schema *schema)
{
	*listen = (struct config_listen){ .mode = 0 };
	for (const struct key *key = config_listen_keys; key->name; key++) {
		char *at = (char *)listen + key->offset;
		int64_t number = key->type == KEY_MODE ? strtol(key->value, NULL, 8) : strcmp(key->value, "true") == 0;

		if (key->type == KEY_MODE || key->type == KEY_FLAG)
			memcpy(at, &number, sizeof number);
		else if (key->type == KEY_PROTOCOL)
			snprintf(at, key->size, "%s", schema->protocols[0]);
	}
}

int config_syslog_facility(const struct config *config)
{
	return facilities[config->log_facility];
}

int config_syslog_level(const struct config *config)
{
	return LOG_ERR + (int)config->log_level;
}

int config_log_level(const char *name)
{
	size_t len = strlen(name);
	int index = 0;

	for (const char *at = LOG_LEVELS; *at; index++) {
		size_t own = strcspn(at, "|");

		if (own == len && memcmp(at, name, len) == 0)
			return index;
		at += own + (at[own] == '|');
	}
	return -1;
}

void config_each_key(const struct config_schema *schema, void (*call)(void *arg, const struct key *),
                     void *arg)
{
	for (const struct key *key = config_keys; key->name; key++)
		call(arg, key);
	for (const struct section *const *section = schema->sections; *section; section++)
		for (const struct key *key = (*section)->keys; key->name; key++)
			call(arg, key);
}

const void *config_section(const struct config *config, const struct config_schema *schema, const char *name)
{
	size_t offset = 0;

	for (const struct section *const *section = schema->sections; *section; section++) {
		if (strcmp((*section)->name, name) == 0)
			return config->sections + offset;
		offset += config_section_room(*section);
	}
	return NULL;
}
