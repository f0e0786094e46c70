/*
 * test_config.c - the configuration: what it takes, what it refuses and how it says so.
 */
#include <check.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "config/config_parts.h"
#include "models/model.h"

/* Small sections of our own: whatever models there are, these tests stay. */
struct pool {
	int64_t least, most;
	char odd[3];                      /* so that the next section's place needs rounding */
};

struct other {
	int64_t wait_us, engine;
};

static const struct key pool_keys[] = {
	{ "pool.least", KEY_NUMBER, offsetof(struct pool, least), 0, "2", 1, 100, NULL, "Least." },
	{ "pool.most", KEY_NUMBER, offsetof(struct pool, most), 0, "8", 1, 100, NULL, "Most." },
	{ .name = NULL },
};

static const struct key other_keys[] = {
	{ "other.wait", KEY_DURATION, offsetof(struct other, wait_us), 0, "1s", 0, 5000000, NULL, "Wait." },
	{ "other.engine", KEY_CHOICE, offsetof(struct other, engine), 0, "slow", 0, 0, "slow|fast", "Engine." },
	{ .name = NULL },
};

static const char *check_pool(const void *section, const char **key)
{
	const struct pool *pool = section;

	*key = "pool.most";
	return pool->most < pool->least ? "less than pool.least" : NULL;
}

static const char *check_other(const void *section, const char **key)
{
	const struct other *other = section;

	*key = "other.engine";
	return other->engine == 1 ? "not built in" : NULL;
}

static const struct section pool_section = { "pool", pool_keys, offsetof(struct pool, odd) + 3, check_pool };
static const struct section other_section = { "other", other_keys, sizeof(struct other), check_other };
static const struct section *const sections[] = { &pool_section, &other_section, NULL };
static const char *const model_names[] = { "prefork", "fork", "event", NULL };
static const char *const protocol_names[] = { "aphorism", "echo", NULL };
static struct config_schema schema = { sections, model_names, protocol_names, true };

static char folder[] = "/tmp/test_config.XXXXXX";
static struct config config;
static char reports[65536];       /* of the last load: errors, one a line, without the name of our folder */
static char notices[65536];
static char dumped[65536];        /* by the last load */

static const char *in_folder(const char *name)
{
	static char path[4][256];
	static int next;

	next = (next + 1) % 4;
	snprintf(path[next], sizeof path[next], "%s/%s", folder, name);
	return path[next];
}

static void write_bytes(const char *name, const void *bytes, size_t len)
{
	FILE *file = fopen(in_folder(name), "w");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, len, file), len);
	ck_assert_int_eq(fclose(file), 0);
}

static void write_file(const char *name, const char *text)
{
	write_bytes(name, text, strlen(text));
}

static void note(void *arg, bool error, const char *line)
{
	char *to = error ? reports : notices;
	const char *at;

	ck_assert_ptr_eq(arg, reports);
	ck_assert_ptr_null(strchr(line, '\n'));
	while ((at = strstr(line, folder)) != NULL) {
		strncat(to, line, (size_t)(at - line));
		line = at + strlen(folder) + 1;
	}
	strcat(strcat(to, line), "\n");
	ck_assert_uint_lt(strlen(to), sizeof reports - 8192);
}

static int load_with(const struct config_schema *with, const struct config_sources *sources)
{
	FILE *dump = fmemopen(dumped, sizeof dumped, "w");
	int status;

	reports[0] = notices[0] = dumped[0] = '\0';
	memset(&config, 0x5a, sizeof config);
	status = config_load(&config, with, sources, dump, note, reports);
	ck_assert_int_eq(fclose(dump), 0);
	ck_assert_int_eq(status == 0, reports[0] == '\0');
	if (status != 0)
		ck_assert_str_eq(dumped, "");
	return status;
}

static int load_file(const char *name)
{
	return load_with(&schema, &(struct config_sources){ .file = in_folder(name), .file_needed = true });
}

static int load(const char *text)
{
	write_file("a.conf", text);
	return load_file("a.conf");
}

static int load_option(const char *option)
{
	return load_with(&schema, &(struct config_sources){ .settings = (const char *const[]){ option, NULL } });
}

static int load_variable(char *entry)
{
	return load_with(&schema, &(struct config_sources){ .environment = (char *const[]){ entry, NULL } });
}

START_TEST(built_in_defaults)
{
	const struct other *other;
	const struct pool *pool;

	ck_assert_int_eq(load(""), 0);
	ck_assert_str_eq(config.model, "prefork");
	ck_assert_int_eq(config.listeners, 1);
	ck_assert_str_eq(config.listen[0].address, "127.0.0.1:1060");
	ck_assert_str_eq(config.listen[0].protocol, "aphorism");
	ck_assert_int_eq(config.listen[0].mode, 0666);
	ck_assert_str_eq(config.aphorisms, SYSCONFDIR "/aphorismd/zen.aphorisms");
	ck_assert_int_eq(config.backlog, 511);
	ck_assert_int_eq(config.max_connections, 1024);
	ck_assert_int_eq(config.max_connections_per_source, 0);
	ck_assert_int_eq(config.max_question_length, 4096);
	ck_assert_int_eq(config.max_questions_per_connection, 0);
	ck_assert_int_eq(config.over_limit, OVER_LIMIT_WAIT);
	ck_assert_int_eq(config.question_us, 10000000);
	ck_assert_int_eq(config.idle_us, 60000000);
	ck_assert_int_eq(config.write_us, 10000000);
	ck_assert_int_eq(config.drain_us, 30000000);
	ck_assert_int_eq(config.upgrade_us, 120000000);
	ck_assert_int_eq(config.delay_us + config.cpu_us, 0);
	ck_assert_uint_eq(config.allow.count + config.deny.count, 0);
	ck_assert_str_eq(config.user, "aphorismd");
	ck_assert_str_eq(config.group, "");
	ck_assert_str_eq(config.pidfile, RUNSTATEDIR "/aphorismd/aphorismd.pid");
	ck_assert_int_eq(config.sandbox, SANDBOX_AUTO);
	ck_assert_int_eq(config.log_target, TARGET_AUTO);
	ck_assert_int_eq(config_syslog_facility(&config), LOG_DAEMON);
	ck_assert_int_eq(config_syslog_level(&config), LOG_NOTICE);
	ck_assert_str_eq(config.control, RUNSTATEDIR "/aphorismd/control");
	ck_assert(!config.set.aphorisms && !config.set.user && !config.set.pidfile && !config.set.control);
	ck_assert(!config.set.log_level);
	pool = config_section(&config, &schema, "pool");
	other = config_section(&config, &schema, "other");
	ck_assert_int_eq(pool->least, 2);
	ck_assert_int_eq(pool->most, 8);
	ck_assert_int_eq(other->wait_us, 1000000);
	ck_assert_ptr_eq(other, config.sections + 24);
	ck_assert_ptr_null(config_section(&config, &schema, "poo"));
}
END_TEST

START_TEST(values)
{
	const struct pool *pool = config_section(&config, &schema, "pool");

	ck_assert_int_eq(load("model = \"event\"; backlog : 0x10, max_connections = 7L\n"
	                      "listen = ( \"[::1]:1060\",\n"
	                      " { address = \"unix:/run/x\"; mode = \"0600\"; group = \"7\"; user = \"root\"; },\n"
	                      " { protocol = \"echo\"; address = \"*:7\"; proxy = true },"
	                      " \"127.0.0.1:0\", { address = \"127.0.0.1:0\"; proxy = false } );\n"
	                      "aphorisms = \"mine/a\" \"phorisms\"; max_question_length = \"16k\";\n"
	                      "over_limit = \"refuse\";\n"
	                      "timeouts = { question = 5; idle = \"1500ms\"; drain = \"24h\"; }\n"
	                      "work = { cpu = \"3us\" };\n"
	                      "access : { allow = [ \"10.0.0.0/8\", \"::1\" ]; deny = (); }\n"
	                      "process = { user = \"\"; group = \"www\"; pidfile = \"\"; sandbox = \"off\"; };\n"
	                      "log = { target = \"stderr\"; facility = \"local7\"; level = \"debug\"; };\n"
	                      "control = { socket = \"/run/control\"; };\n"
	                      "pool = { least = 3; most = 3; }; # end"), 0);
	ck_assert_str_eq(config.model, "event");
	ck_assert_int_eq(config.backlog, 16);
	ck_assert_int_eq(config.max_connections, 7);
	ck_assert_int_eq(config.listeners, 5);
	ck_assert_str_eq(config.listen[0].address, "[::1]:1060");
	ck_assert_str_eq(config.listen[1].address, "unix:/run/x");
	ck_assert_int_eq(config.listen[1].mode, 0600);
	ck_assert_str_eq(config.listen[1].user.name, "root");
	ck_assert_int_eq(config.listen[1].user.id, 0);
	ck_assert_str_eq(config.listen[1].group.name, "7");
	ck_assert_int_eq(config.listen[1].group.id, 7);
	ck_assert_str_eq(config.listen[1].protocol, "aphorism");
	ck_assert_str_eq(config.listen[2].protocol, "echo");
	ck_assert_str_eq(config.listen[2].address, "*:7");
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(config.listen[i].proxy, i == 2);
	ck_assert_str_eq(config.aphorisms, in_folder("mine/aphorisms"));
	ck_assert_int_eq(config.max_question_length, 16384);
	ck_assert_int_eq(config.over_limit, OVER_LIMIT_REFUSE);
	ck_assert_int_eq(config.question_us, 5000000);
	ck_assert_int_eq(config.idle_us, 1500000);
	ck_assert_int_eq(config.drain_us, INT64_C(86400000000));
	ck_assert_int_eq(config.cpu_us, 3);
	ck_assert_uint_eq(config.allow.count, 2);
	ck_assert_uint_eq(config.deny.count, 0);
	ck_assert_str_eq(config.user, "");
	ck_assert_str_eq(config.group, "www");
	ck_assert_str_eq(config.pidfile, "");
	ck_assert_int_eq(config.sandbox, SANDBOX_OFF);
	ck_assert_int_eq(config.log_target, TARGET_STDERR);
	ck_assert_int_eq(config_syslog_facility(&config), LOG_LOCAL7);
	ck_assert_int_eq(config_syslog_level(&config), LOG_DEBUG);
	ck_assert_str_eq(config.control, "/run/control");
	ck_assert_int_eq(pool->least, 3);
	ck_assert(config.set.aphorisms && config.set.user && config.set.pidfile && config.set.control);
	ck_assert(config.set.log_level);
}
END_TEST

/* Texts, and what is said of each. */
static const struct {
	const char *text, *errors;
} wrong[] = {
	{ "bcklog = 5;", "a.conf:1: bcklog: unknown key, did you mean \"backlog\"?\n" },
	{ "colour = 5;", "a.conf:1: colour: unknown key\n" },
	{ "\n\ntimeouts = {\n idel = 5;\n}",
	  "a.conf:4: timeouts.idel: unknown key, did you mean \"timeouts.idle\"?\n" },
	{ "timeout = { idle = 5; }", "a.conf:1: timeout.idle: unknown key, did you mean \"timeouts.idle\"?\n" },
	{ "timeout = { }", "a.conf:1: timeout: unknown key\n" },
	{ "timeouts = { idle = { a = 1; } }",
	  "a.conf:1: timeouts.idle: must be a string such as \"10s\" or an integer of seconds, not a group\n" },
	{ "timeouts = { x = { y = { z = 1; } } }", "a.conf:1: timeouts.x: unknown key\n" },
	{ "timeouts = 5;", "a.conf:1: timeouts: must be a group: timeouts = { ... }\n" },
	{ "backlog = \"5\";", "a.conf:1: backlog: must be an integer, not a string\n" },
	{ "backlog = 5.0;", "a.conf:1: backlog: must be an integer, not a number with a fraction\n" },
	{ "backlog = true;", "a.conf:1: backlog: must be an integer, not true or false\n" },
	{ "backlog = [ 5 ];", "a.conf:1: backlog: must be an integer, not a list\n" },
	{ "model = 5;", "a.conf:1: model: must be a string, not an integer\n" },
	{ "model = \"frok\";",
	  "a.conf:1: model: \"frok\" is no model, did you mean \"fork\"? (prefork, fork, event)\n" },
	{ "model = \"\\x1b[2J\";", "a.conf:1: model: \"\\x1b[2J\" is no model (prefork, fork, event)\n" },
	{ "over_limit = \"weit\";",
	  "a.conf:1: over_limit: \"weit\" is no value of this key, did you mean \"wait\"? (wait, refuse)\n" },
	{ "other = { engine = \"fast\"; }", "a.conf:1: other.engine: not built in\n" },
	{ "log = { level = \"err\"; }",
	  "a.conf:1: log.level: \"err\" is no value of this key, did you mean \"error\"? "
	  "(error, warning, notice, info, debug)\n" },
	/* ranges, and what libconfig would wrap */
	{ "backlog = 0;", "a.conf:1: backlog: out of range, must be 1 to 65535\n" },
	{ "backlog = -5;", "a.conf:1: backlog: out of range, must be 1 to 65535\n" },
	{ "backlog = 4294967376;", "a.conf:1: backlog: out of range, must be 1 to 65535\n" },
	{ "backlog = -4294967216;", "a.conf:1: backlog: out of range, must be 1 to 65535\n" },
	{ "backlog = +4294967376;", "a.conf:1: backlog: out of range, must be 1 to 65535\n" },
	{ "backlog = 4294967376L;", "a.conf:1: backlog: out of range, must be 1 to 65535\n" },
	{ "backlog = 18446744073709551696L;", "a.conf:1: backlog: out of range, must be 1 to 65535\n" },
	{ "backlog = 18446744073709551696LL;", "a.conf:1: backlog: out of range, must be 1 to 65535\n" },
	{ "backlog = 18446744073709551696;", "a.conf:1: backlog: out of range, must be 1 to 65535\n" },
	{ "backlog = -18446744073709551536;", "a.conf:1: backlog: out of range, must be 1 to 65535\n" },
	{ "backlog = 0x100000050;", "a.conf:1: backlog: out of range, must be 1 to 65535\n" },
	{ "backlog = 0X10000000000000050L;", "a.conf:1: backlog: out of range, must be 1 to 65535\n" },
	{ "backlog = 0xFFFFFFFFFFFFFFFFFFFF;", "a.conf:1: backlog: out of range, must be 1 to 65535\n" },
	{ "bcklog = 4294967376;", "a.conf:1: bcklog: unknown key, did you mean \"backlog\"?\n" },
	{ "max_question_length = \"2m\";", "a.conf:1: max_question_length: out of range, must be 2 to 1m\n" },
	{ "max_question_length = \"4g\";", "a.conf:1: max_question_length: \"4g\": unknown unit, use k or m\n" },
	{ "max_question_length = \"99999999999999999999\";",
	  "a.conf:1: max_question_length: \"99999999999999999999\": too large\n" },
	{ "timeouts = { idle = 0; }", "a.conf:1: timeouts.idle: out of range, must be 1ms to 24h\n" },
	{ "timeouts = { idle = \"0s\"; }", "a.conf:1: timeouts.idle: out of range, must be 1ms to 24h\n" },
	{ "timeouts = { idle = 9223372036854775807L; }",
	  "a.conf:1: timeouts.idle: out of range, must be 1ms to 24h\n" },
	{ "timeouts = { idle = 18446744073710; }", "a.conf:1: timeouts.idle: out of range, must be 1ms to 24h\n" },
	{ "timeouts = { idle = \"5x\"; }",
	  "a.conf:1: timeouts.idle: \"5x\": unknown unit, use us, ms, s, m or h\n" },
	{ "timeouts = { idle = 1.5; }",
	  "a.conf:1: timeouts.idle: must be a string such as \"10s\" or an integer of seconds, "
	  "not a number with a fraction\n" },
	/* lists: each error on its own line, the last element's too */
	{ "listen = \"127.0.0.1:1060\";", "a.conf:1: listen: must be a list, not a string\n" },
	{ "listen = ();", "a.conf:1: listen: must have one address at least\n" },
	{ "listen = (\n\"127.0.0.1:1\",\n\"x\"\n\n);",
	  "a.conf:3: listen: \"x\": must be 127.0.0.1:1060, [::1]:1060, *:1060 or unix:/path; "
	  "names are not looked up\n" },
	{ "listen = [\n\"127.0.0.1:1\"\n,\n\n\"127.0.0.1:99999\" /* \n */ ];",
	  "a.conf:5: listen: \"127.0.0.1:99999\": the port must be a number from 0 to 65535\n" },
	{ "listen = ( \"[::1]:1\",\n { address = \"[0::1]:1\"; } );",
	  "a.conf:2: listen: [0::1]:1 is there twice\n" },
	{ "listen = ( \"unix:/a\", \"unix:/a\" );", "a.conf:1: listen: unix:/a is there twice\n" },
	{ "listen = ( \"[::]:1\", \"0.0.0.0:1\",\n { address = \"*:1\"; } );",
	  "a.conf:2: listen: *:1 collides with [::]:1, which it includes\n" },
	{ "listen = [ \"*:1\",\n \"127.0.0.1:1\" ];",
	  "a.conf:2: listen: 127.0.0.1:1 collides with *:1, which includes it\n" },
	{ "listen = (\n {\n protocol = \"echo\"; } );", "a.conf:2: listen: a listener without an address\n" },
	{ "listen = ( {\n address = \"127.0.0.1:1\";\n protocol = \"ecko\"; } );",
	  "a.conf:3: listen: \"ecko\" is no protocol, did you mean \"echo\"? (aphorism, echo)\n" },
	{ "listen = ( { address = \"127.0.0.1:1\"; mode = \"0660\"; } );",
	  "a.conf:1: listen: mode is for UNIX sockets, and 127.0.0.1:1 is none\n" },
	{ "listen = ( { address = \"127.0.0.1:1\"; user = \"root\";\n group = 0; } );",
	  "a.conf:1: listen: user is for UNIX sockets, and 127.0.0.1:1 is none\n"
	  "a.conf:1: listen: group is for UNIX sockets, and 127.0.0.1:1 is none\n" },
	{ "listen = ( { address = \"unix:/a\"; user = \"no one\";\n group = \"\"; } );",
	  "a.conf:1: listen: user \"no one\": no such user in /etc/passwd; a number is taken as it is\n"
	  "a.conf:2: listen: group \"\": no such group in /etc/group; a number is taken as it is\n" },
	{ "listen = ( { address = \"unix:/a\"; user = 4294967295L;\n group = \"99999999999\"; } );",
	  "a.conf:1: listen: user \"4294967295\": out of range, must be 0 to 4294967294\n"
	  "a.conf:2: listen: group \"99999999999\": out of range, must be 0 to 4294967294\n" },
	{ "listen = ( { address = \"unix:/a\"; user = -1;\n group = [ ]; } );",
	  "a.conf:1: listen: user \"-1\": no such user in /etc/passwd; a number is taken as it is\n"
	  "a.conf:2: listen: group must be a name or a number, not a list\n" },
	{ "listen = ( { address = \"127.0.0.1:1\";\n proxy = 1; } );",
	  "a.conf:2: listen: proxy must be true or false, not an integer\n" },
	{ "listen = ( { address = \"127.0.0.1:1\"; proxy = \"v2\"; } );",
	  "a.conf:1: listen: proxy must be true or false, not a string\n" },
	{ "listen = ( { address = \"127.0.0.1:1\";\n once = 2; } );",
	  "a.conf:2: listen: once must be true or false, not an integer\n" },
	{ "listen = ( { address = \"unix:/a\"; mode = 0660; } );",
	  "a.conf:1: listen: must be a string of octal digits such as \"0660\", not an integer\n" },
	{ "listen = ( { address = \"unix:/a\"; mode = \"0689\"; } );",
	  "a.conf:1: listen: mode must be a string of octal digits such as \"0660\"\n" },
	{ "listen = ( 5, ( ) );",
	  "a.conf:1: listen: must be a list of addresses or { address = \"...\"; } groups, not an integer\n"
	  "a.conf:1: listen: must be a list of addresses or { address = \"...\"; } groups, not a list\n" },
	{ "access = { deny = [ \"10.0.0.0/8\",\n \"10.0.0.1/8\",\n \"::1/129\"\n ]; }",
	  "a.conf:2: access.deny: \"10.0.0.1/8\": has bits set behind its prefix\n"
	  "a.conf:3: access.deny: \"::1/129\": the prefix length must be 0 to 128\n" },
	{ "access = { deny = ( 5 ); }", "a.conf:1: access.deny: must be a list of strings, not an integer\n" },
	/* contradictions */
	{ "max_connections = 5;\nmax_connections_per_source = 6;",
	  "a.conf:2: max_connections_per_source: more than max_connections\n" },
	{ "pool = { most = 1; }", "a.conf:1: pool.most: less than pool.least\n" },
	{ "\npool = { least = 9; }",
	  "a.conf:2: pool.least: does not go with the default of pool.most: less than pool.least\n" },
	{ "pool = { most = 1; least = \"x\"; }", "a.conf:1: pool.least: must be an integer, not a string\n" },
	{ "listen = ( \"unix:/a\" );\ncontrol = { socket = \"/a\"; }",
	  "a.conf:2: control.socket: also an address of listen\n" },
	{ "listen = ( \"unix:/a\" );\nmetrics = { file = \"/a\"; }",
	  "a.conf:2: metrics.file: also an address of listen\n" },
	{ "process = { pidfile = \"/a\"; };\ncontrol = { socket = \"/a\"; };\nmetrics = { file = \"/a\"; }",
	  "a.conf:2: control.socket: the same file as process.pidfile\n"
	  "a.conf:3: metrics.file: the same file as control.socket\n"
	  "a.conf:3: metrics.file: the same file as process.pidfile\n" },
	{ "aphorisms = \"/a\";\nmetrics = { file = \"/a\"; }",
	  "a.conf:2: metrics.file: the same file as aphorisms\n" },
	/* syntax; what stands before it is looked at */
	{ "backlog = ;", "a.conf:1: syntax error\n" },
	{ "backlog = 5\n\n\nmodel", "a.conf:4: syntax error\n" },
	{ "backlog = 0;\nmodel = ;\nbcklog = 5;\n",
	  "a.conf:2: syntax error\na.conf:1: backlog: out of range, must be 1 to 65535\n" },
	{ "backlog = 5;\nbacklog = 6;", "a.conf:2: duplicate setting name\n" },
	{ "backlog = 5;\nmodel = \"prefork;\n\n", "a.conf:2: syntax error: a string without an end begins here\n" },
	{ "backlog = 0;\n/* model = 1;\n\n",
	  "a.conf:2: syntax error: a comment without an end begins here\n"
	  "a.conf:1: backlog: out of range, must be 1 to 65535\n" },
	{ "listen = ( \"127.0.0.1:1\", );", "a.conf:1: syntax error\n" },
	{ "@backlog = 5;", "a.conf:1: syntax error\n" },
	{ "@include\n", "a.conf:1: syntax error\n" },
	{ "backlog = 5; @include \"b.conf\"\n", "a.conf:1: syntax error\n" },
	{ "/* */ @include \"b.conf\"\n", "a.conf:1: syntax error\n" },
	{ "@include \"b.conf\nbacklog = 0;", "a.conf:1: syntax error: an @include's name without an end\n"
	  "a.conf:2: backlog: out of range, must be 1 to 65535\n" },
	{ "backlog = -;", "a.conf:1: syntax error\n" },
};

START_TEST(wrong_text)
{
	ck_assert_int_eq(load(wrong[_i].text), EX_CONFIG);
	ck_assert_str_eq(reports, wrong[_i].errors);
}
END_TEST

START_TEST(unknown_key_of_a_listener)
{
	ck_assert_int_eq(load("listen = ( { adress = \"127.0.0.1:1\"; } );"), EX_CONFIG);
	ck_assert_str_eq(reports, "a.conf:1: listen.adress: unknown key, did you mean \"address\"?\n");
	ck_assert_int_eq(load("listen = ( { address = \"127.0.0.1:1\"; colour = 1; } );"), EX_CONFIG);
	ck_assert_str_eq(reports, "a.conf:1: listen.colour: unknown key\n");
}
END_TEST

START_TEST(all_errors_in_one_run)
{
	write_file("b.conf", "\nbacklog = 4294967376;\n");
	write_file("a.conf", "model = \"x\";\n@include \"b.conf\"\n"
	                     "@include \"missing.conf\"\ntimeouts = { idle = 0; };\n");
	ck_assert_int_eq(load_with(&schema, &(struct config_sources){
		.file = in_folder("a.conf"), .file_needed = true,
		.environment = (char *const[]){ (char *)"HOME=/", (char *)"APHORISMD_LOG_LEVEL=loud",
		                                (char *)"APHORISMD_TIMEOUT_IDLE=5", NULL },
		.settings = (const char *const[]){ "backlog=-1", "timeout.idle=5", "model", NULL },
	}), EX_CONFIG);
	ck_assert_str_eq(reports,
		"a.conf:3: @include: \"missing.conf\": No such file or directory\n"
		"a.conf:1: model: \"x\" is no model (prefork, fork, event)\n"
		"b.conf:2: backlog: out of range, must be 1 to 65535\n"
		"a.conf:4: timeouts.idle: out of range, must be 1ms to 24h\n"
		"environment: APHORISMD_LOG_LEVEL: \"loud\" is no value of this key "
		"(error, warning, notice, info, debug)\n"
		"option: backlog: out of range, must be 1 to 65535\n"
		"option: timeout.idle: unknown key, did you mean \"timeouts.idle\"?\n"
		"option: model: no value: write model=VALUE\n");
	ck_assert_str_eq(notices, "environment: APHORISMD_TIMEOUT_IDLE: unknown variable, "
	                          "did you mean APHORISMD_TIMEOUTS_IDLE?\n");
}
END_TEST

START_TEST(text_of_any_kind)
{
	/* each of these is right, and none of it means more than it says */
	ck_assert_int_eq(load("# @include \"/tmp\"\n// 4294967376\n"
	                      "/* @include \"/tmp\"\n backlog = 4294967376; */ backlog = 5;"), 0);
	ck_assert_int_eq(config.backlog, 5);
	ck_assert_int_eq(load("backlog = 5; # no newline behind this"), 0);
	ck_assert_int_eq(load("\xef\xbb\xbf" "backlog = 5;\r\n\tmodel = \"fork\";\r\n"), 0);
	ck_assert_str_eq(config.model, "fork");
	ck_assert_int_eq(load("process = { user = \"4294967376 # /* @ \\\" \\\\\"; };"), 0);
	ck_assert_str_eq(config.user, "4294967376 # /* @ \" \\");
	ck_assert_int_eq(load("process = { user = \"a\n@include \\\"/tmp\\\"\n\"; };"), 0);
	ck_assert_str_eq(config.user, "a\n@include \"/tmp\"\n");
	ck_assert_int_eq(load("process = { user = \"a\"\n\n\"b\"\n; };\nbacklog = 5;"), 0);
	ck_assert_str_eq(config.user, "ab");
	/* a long number in a name or behind a point is not an integer */
	ck_assert_int_eq(load("b4294967376 = 1;"), EX_CONFIG);
	ck_assert_str_eq(reports, "a.conf:1: b4294967376: unknown key\n");
	ck_assert_int_eq(load("backlog = 1.4294967376;\n"
	                      "model = 4294967376e1; over_limit = .4294967376;"), EX_CONFIG);
	ck_assert_str_eq(reports, "a.conf:1: backlog: must be an integer, not a number with a fraction\n"
	                          "a.conf:2: model: must be a string, not a number with a fraction\n"
	                          "a.conf:2: over_limit: must be a string, not a number with a fraction\n");
}
END_TEST

START_TEST(sandbox_that_is_not_built_in)
{
	ck_assert_int_eq(load("process = { sandbox = \"required\"; }"), 0);
	schema.has_sandbox = false;
	ck_assert_int_eq(load("process = { sandbox = \"required\"; }"), EX_CONFIG);
	schema.has_sandbox = true;
	ck_assert_str_eq(reports, "a.conf:1: process.sandbox: \"required\" is not built in, use \"auto\" or \"off\"\n");
}
END_TEST

START_TEST(nul_byte)
{
	write_bytes("a.conf", "backlog = 0;\n\0model = 5;", 24);
	ck_assert_int_eq(load_file("a.conf"), EX_CONFIG);
	ck_assert_str_eq(reports, "a.conf:2: syntax error: a NUL byte\n"
	                          "a.conf:1: backlog: out of range, must be 1 to 65535\n");
}
END_TEST

START_TEST(includes)
{
	char text[512];

	write_file("b.conf", "backlog = 6; # no newline");
	write_file("c.conf", "timeouts = {\n@include \"d.conf\"\n};\n");
	write_file("d.conf", "idle = 5;");
	snprintf(text, sizeof text, "\t @include \t\"%s\" model = \"fork\";\n@include \"c.conf\"\n",
	         in_folder("b.conf"));
	ck_assert_int_eq(load(text), 0);
	ck_assert_int_eq(config.backlog, 6);
	ck_assert_str_eq(config.model, "fork");
	ck_assert_int_eq(config.idle_us, 5000000);
	ck_assert_ptr_nonnull(strstr(dumped, "d.conf:1\n"));
	/* places behind an include are right, and it ends where its file ends */
	write_file("d.conf", "idle = 5;\n\n/* ");
	ck_assert_int_eq(load("\n@include \"c.conf\"\n\nbacklog = 0;"), EX_CONFIG);
	ck_assert_str_eq(reports, "d.conf:3: syntax error: a comment without an end begins here\n"
	                          "a.conf:4: backlog: out of range, must be 1 to 65535\n");
	write_file("d.conf", "idle = \n");
	ck_assert_int_eq(load("\n@include \"c.conf\"\n\nbacklog = 0;"), EX_CONFIG);
	ck_assert_str_eq(reports, "c.conf:3: syntax error\n");
}
END_TEST

START_TEST(includes_that_would_end_or_hang_a_daemon)
{
	ck_assert_int_eq(mkfifo(in_folder("fifo"), 0600), 0);
	ck_assert_int_eq(load("@include \"fifo\"\n@include \".\"\n@include \"/dev/null\"\n@include \"\"\n"
	                      "@include \"a\\x1b\"\n@include \"a.conf/x\"\nbacklog = 0;"), EX_CONFIG);
	ck_assert_str_eq(reports, "a.conf:1: @include: \"fifo\": not a regular file\n"
	                          "a.conf:2: @include: \".\": not a regular file\n"
	                          "a.conf:3: @include: \"/dev/null\": not a regular file\n"
	                          "a.conf:4: @include: \"\": No such file or directory\n"
	                          "a.conf:5: @include: \"a\\\\x1b\": No such file or directory\n"
	                          "a.conf:6: @include: \"a.conf/x\": Not a directory\n"
	                          "a.conf:7: backlog: out of range, must be 1 to 65535\n");
	unlink(in_folder("fifo"));
}
END_TEST

START_TEST(includes_without_end)
{
	ck_assert_int_eq(load("backlog = 0;\n@include \"a.conf\"\n"), EX_CONFIG);
	ck_assert_ptr_nonnull(strstr(reports, "a.conf:2: @include: \"a.conf\": includes are nested too deeply\n"));
	/* twice in each: 2^10 files, were there no limit of their number */
	ck_assert_int_eq(load("@include \"a.conf\"\n@include \"a.conf\"\n"), EX_CONFIG);
	ck_assert_ptr_nonnull(strstr(reports, "too many files: a configuration is at most 100\n"));
}
END_TEST

START_TEST(large_files)
{
	static char text[(1 << 20) + 1];

	memset(text, '\n', sizeof text);
	write_bytes("a.conf", text, sizeof text - 1);
	ck_assert_int_eq(load_file("a.conf"), 0);
	write_bytes("b.conf", text, sizeof text);
	ck_assert_int_eq(load_file("b.conf"), EX_NOINPUT);
	ck_assert_str_eq(reports, "b.conf: too large: a configuration is at most 1 MiB, all its files together\n");
	ck_assert_int_eq(load("@include \"b.conf\"\n"), EX_CONFIG);
	ck_assert_str_eq(reports, "a.conf:1: @include: \"b.conf\": too large: a configuration is at most 1 MiB, "
	                          "all its files together\n");
	/* what grows on the way to libconfig */
	memset(text, ' ', sizeof text);
	memcpy(text, "long = [ 1L", 11);
	for (size_t at = 11; at < sizeof text - 32; at += 11)
		memcpy(text + at, ",0x80000000", 11);
	memcpy(text + sizeof text - 4, "];", 2);
	write_bytes("a.conf", text, sizeof text - 1);
	ck_assert_int_eq(load_file("a.conf"), EX_CONFIG);
	ck_assert_str_eq(reports, "a.conf:1: long: unknown key\n");
}
END_TEST

START_TEST(file_that_cannot_be_read)
{
	struct config_sources sources = { .file = in_folder("missing.conf") };

	ck_assert_int_eq(load_with(&schema, &sources), 0);
	ck_assert_str_eq(notices, "missing.conf: No such file or directory: the defaults are used\n");
	ck_assert_str_eq(config.model, "prefork");
	sources.file_needed = true;
	ck_assert_int_eq(load_with(&schema, &sources), EX_NOINPUT);
	ck_assert_str_eq(reports, "missing.conf: No such file or directory\n");
	sources.file = in_folder("");
	sources.file_needed = false;
	ck_assert_int_eq(load_with(&schema, &sources), EX_NOINPUT);
	/* other errors are told all the same */
	sources.settings = (const char *const[]){ "backlog=0", NULL };
	ck_assert_int_eq(load_with(&schema, &sources), EX_NOINPUT);
	ck_assert_ptr_nonnull(strstr(reports, "option: backlog: out of range"));
}
END_TEST

/* A key of each type, as an option and as a variable. */
static const struct {
	const char *key, *value, *dump;
} texts[] = {
	{ "model", "fork", "model = \"fork\";" },
	{ "model", "\"fork\"", "model = \"fork\";" },
	{ "backlog", "7", "backlog = 7;" },
	{ "backlog", "0x10 # comment", "backlog = 16;" },
	{ "max_question_length", "16k", "max_question_length = 16384;" },
	{ "max_question_length", "\"1m\"", "max_question_length = 1048576;" },
	{ "timeouts.idle", "5", "idle = \"5s\";" },
	{ "timeouts.idle", "5s", "idle = \"5s\";" },
	{ "timeouts.idle", "\"5 s\"", "idle = \"5s\";" },
	{ "over_limit", "refuse", "over_limit = \"refuse\";" },
	{ "process.user", "1000", "user = \"1000\";" },
	{ "process.user", "", "user = \"\";" },
	{ "process.user", "true", "user = \"true\";" },
	{ "process.pidfile", "/a//b # c", "pidfile = \"/a//b # c\";" },
	{ "process.pidfile", "\"/a \\\"b\\\"\"", "pidfile = \"/a \\\"b\\\"\";" },
	{ "listen", "127.0.0.1:1", "listen = ( \"127.0.0.1:1\" );" },
	{ "listen", "127.0.0.1:1, *:2,unix:/a//b", "listen = ( \"127.0.0.1:1\", \"*:2\", \"unix:/a//b\" );" },
	{ "listen", "\"127.0.0.1:1\", \"*:2\"", "listen = ( \"127.0.0.1:1\", \"*:2\" );" },
	{ "listen", "\"127.0.0.1:1\" # comment, and so on", "listen = ( \"127.0.0.1:1\" );" },
	{ "listen", "[::1]:1060", "listen = ( \"[::1]:1060\" );" },
	{ "listen", " [fe80::1]:1,127.0.0.1:2 , [::]:3", "listen = ( \"[fe80::1]:1\", \"127.0.0.1:2\", \"[::]:3\" );" },
	{ "listen", "[F::]:1, \"[::1]:2\", unix:/a\"b\\c # d",
	  "listen = ( \"[F::]:1\", \"[::1]:2\", \"unix:/a\\\"b\\\\c # d\" );" },
	{ "listen", "\"unix:/a,\\\"}\", *:2", "listen = ( \"unix:/a,\\\"}\", \"*:2\" );" },
	{ "listen", "[\"127.0.0.1:1\",\"[::1]:2\"]", "listen = ( \"127.0.0.1:1\", \"[::1]:2\" );" },
	{ "listen", "[ \"[::1]:2\" ]", "listen = ( \"[::1]:2\" );" },
	{ "listen", "(\"127.0.0.1:1\")", "listen = ( \"127.0.0.1:1\" );" },
	{ "listen", "{ address = \"127.0.0.1:1\"; protocol = \"echo\"; }",
	  "listen = ( { address = \"127.0.0.1:1\"; protocol = \"echo\"; } );" },
	{ "listen", "{ address = \"127.0.0.1:7\"; protocol = \"echo\"; once = true; }, "
	  "{ address = \"*:1\"; once = false; }",
	  "listen = ( { address = \"127.0.0.1:7\"; protocol = \"echo\"; once = true; }, \"*:1\" );" },
	{ "listen", "{ address = \"127.0.0.1:1\"; proxy = true; }, { address = \"127.0.0.1:2\"; proxy = false; }",
	  "listen = ( { address = \"127.0.0.1:1\"; protocol = \"aphorism\"; proxy = true; }, \"127.0.0.1:2\" );" },
	{ "listen", "{ address = \"unix:/a\"; group = 4294967294L; }, { address = \"unix:/b\"; user = \"root\"; }",
	  "listen = ( { address = \"unix:/a\"; protocol = \"aphorism\"; group = \"4294967294\"; }, "
	  "{ address = \"unix:/b\"; protocol = \"aphorism\"; user = \"root\"; } );" },
	{ "listen", "[::1]:1, { address = \"unix:/a,}\"; protocol = \"echo\"; } , *:2",
	  "listen = ( \"[::1]:1\", { address = \"unix:/a,}\"; protocol = \"echo\"; }, \"*:2\" );" },
	{ "access.allow", "10.0.0.0/8,::1", "allow = [ \"10.0.0.0/8\", \"::1/128\" ];" },
	{ "access.allow", "::1, \"10.0.0.0/8\"", "allow = [ \"::1/128\", \"10.0.0.0/8\" ];" },
	{ "access.allow", "", "allow = [];" },
	{ "access.allow", "[]", "allow = [];" },
};

START_TEST(text_value)
{
	char assignment[256], variable[512] = "APHORISMD_", dump[1024];
	size_t len = strlen(variable);

	snprintf(assignment, sizeof assignment, "%s=%s", texts[_i].key, texts[_i].value);
	ck_assert_int_eq(load_option(assignment), 0);
	snprintf(dump, sizeof dump, "%s  # option\n", texts[_i].dump);
	ck_assert_msg(strstr(dumped, dump) != NULL, "no %s in %s", dump, dumped);
	for (const char *at = texts[_i].key; *at; at++)
		variable[len++] = *at == '.' ? '_' : (char)toupper((unsigned char)*at);
	variable[len] = '\0';
	snprintf(dump, sizeof dump, "%s  # environment %s\n", texts[_i].dump, variable);
	snprintf(variable + len, sizeof variable - len, "=%s", texts[_i].value);
	ck_assert_int_eq(load_variable(variable), 0);
	ck_assert_msg(strstr(dumped, dump) != NULL, "no %s in %s", dump, dumped);
}
END_TEST

#define ADDRESS_FORM "must be 127.0.0.1:1060, [::1]:1060, *:1060 or unix:/path; names are not looked up\n"

static const struct {
	const char *option, *errors;
} wrong_options[] = {
	{ "backlog=4294967376", "option: backlog: out of range, must be 1 to 65535\n" },
	{ "backlog=0x100000050", "option: backlog: out of range, must be 1 to 65535\n" },
	{ "backlog=x", "option: backlog: must be an integer, not a string\n" },
	{ "backlog=", "option: backlog: must be an integer, not a string\n" },
	{ "backlog=5; model = \"fork\"", "option: backlog: must be an integer, not a string\n" },
	{ "backlog=5 /*", "option: backlog: must be an integer, not a string\n" },
	{ "backlog=5\n@include \"/tmp\"", "option: backlog: must be an integer, not a string\n" },
	{ "process.user=\"a\"; b = \"c\"", "option: process.user: \"\\\"a\\\"; b = \\\"c\\\"\": syntax error\n" },
	{ "access.deny=[@", "option: access.deny: \"[@\": syntax error\n" },
	{ "process.user=\"a", "option: process.user: \"\\\"a\": syntax error\n" },
	{ "listen=", "option: listen: must have one address at least\n" },
	{ "listen=(\"127.0.0.1:1\"", "option: listen: \"(\\\"127.0.0.1:1\\\"\": syntax error\n" },
	{ "listen=[::1]:1,", "option: listen: \"\": " ADDRESS_FORM },
	{ "listen=[::1]", "option: listen: \"[::1]\": " ADDRESS_FORM },
	{ "listen=[127.0.0.1:1]", "option: listen: \"[127.0.0.1:1]\": " ADDRESS_FORM },
	{ "listen=[::1]:70000", "option: listen: \"[::1]:70000\": the port must be a number from 0 to 65535\n" },
	{ "listen=[\"127.0.0.1:1\"", "option: listen: \"[\\\"127.0.0.1:1\\\"\": syntax error\n" },
	{ "listen=*:1, { address = \"*:2\";", "option: listen: \"*:1, { address = \\\"*:2\\\";\": syntax error\n" },
	{ "access.deny=[::1]",
	  "option: access.deny: \"[::1]\": is no address or network: write 10.0.0.0/8 or 2001:db8::/32\n" },
	{ "timeouts.idle=1.5s", "option: timeouts.idle: \"1.5s\": unknown unit, use us, ms, s, m or h\n" },
	{ "timeouts=5", "option: timeouts: unknown key\n" },
	{ "=5", "option: : unknown key\n" },
	{ "process.pidfile=a/b",
	  "option: process.pidfile: must be absolute: there is no configuration file "
	  "whose folder it could go by\n" },
};

START_TEST(wrong_option)
{
	ck_assert_int_eq(load_option(wrong_options[_i].option), EX_CONFIG);
	ck_assert_str_eq(reports, wrong_options[_i].errors);
}
END_TEST

START_TEST(precedence)
{
	struct config_sources sources = {
		.file = in_folder("a.conf"),
		.environment = (char *const[]){ (char *)"APHORISMD_BACKLOG=2", (char *)"APHORISMD_MAX_CONNECTIONS=2",
		                                (char *)"APHORISMD_ACCESS_ALLOW=10.0.0.0/8", NULL },
		.settings = (const char *const[]){ "backlog=9", "process.pidfile=pid", "backlog=3", NULL },
	};

	write_file("a.conf", "backlog = 1; max_connections = 1; max_questions_per_connection = 1;\n"
	                     "access = { allow = [ \"::1\", \"127.0.0.0/8\" ]; };");
	ck_assert_int_eq(load_with(&schema, &sources), 0);
	ck_assert_int_eq(config.backlog, 3);
	ck_assert_int_eq(config.max_connections, 2);
	ck_assert_int_eq(config.max_questions_per_connection, 1);
	ck_assert_uint_eq(config.allow.count, 1);
	ck_assert_str_eq(config.pidfile, in_folder("pid"));
	ck_assert_ptr_nonnull(strstr(dumped, "max_questions_per_connection = 1;  # /"));
	/* what is overridden must be right all the same */
	write_file("a.conf", "backlog = 0;");
	ck_assert_int_eq(load_with(&schema, &sources), EX_CONFIG);
}
END_TEST

START_TEST(dump_is_a_configuration)
{
	static struct config before;

	ck_assert_int_eq(load("model = \"fork\"; aphorisms = \"a\\\"b\\\\c\\x01\\xff\\n\";\n"
	                      "listen = ( \"*:1\", { address = \"unix:/a b\"; mode = \"0600\"; user = 5;"
	                      " proxy = true; }, { address = \"[::1]:2\"; protocol = \"echo\" } );\n"
	                      "max_question_length = \"3k\"; timeouts = { idle = \"1500us\"; question = 86400; };\n"
	                      "access = { allow = [ \"0.0.0.0/0\", \"2001:db8::/33\" ];\n"
	                      "deny = [ \"10.1.2.3\" ]; };\n"
	                      "log = { facility = \"local3\"; }; pool = { most = 99; }; other = { wait = 5; };"), 0);
	before = config;
	write_file("b.conf", dumped);
	ck_assert_int_eq(load_file("b.conf"), 0);
	/* then everything is said by somebody */
	ck_assert(config.set.user && config.set.pidfile && config.set.control && config.set.log_level);
	config.set = before.set;
	ck_assert_mem_eq(&config, &before, sizeof config);
}
END_TEST

START_TEST(dump_tells_origins)
{
	ck_assert_int_eq(load("\ntimeouts = {\n question = 5;\n};"), 0);
	ck_assert_ptr_nonnull(strstr(dumped, "backlog = 511;  # default\n"));
	ck_assert_ptr_nonnull(strstr(dumped, "\tidle = \"1m\";  # default\n"));
	ck_assert_ptr_nonnull(strstr(dumped, "\tquestion = \"5s\";  # /tmp/test_config."));
	ck_assert_ptr_nonnull(strstr(dumped, "/a.conf:3\n"));
	/* a name of a file can't end the line or the comment that it stands in */
	write_file("a\nbacklog = 1;", "backlog = 0;");
	ck_assert_int_eq(load_file("a\nbacklog = 1;"), EX_CONFIG);
	ck_assert_str_eq(reports, "a?backlog = 1;:1: backlog: out of range, must be 1 to 65535\n");
	write_file("a\nbacklog = 1;", "backlog = 5;");
	ck_assert_int_eq(load_file("a\nbacklog = 1;"), 0);
	write_file("b.conf", dumped);
	unlink(in_folder("a\nbacklog = 1;"));
	ck_assert_int_eq(load_file("b.conf"), 0);
	ck_assert_int_eq(config.backlog, 5);
}
END_TEST

START_TEST(bytes_that_are_no_value_are_zero)
{
	static struct config before;

	ck_assert_int_eq(load_option("model=fork"), 0);
	before = config;
	ck_assert_int_eq(load("model = \"event\"; model2 = 1;"), EX_CONFIG);
	ck_assert_int_eq(load_with(&schema, &(struct config_sources){ .settings = (const char *const[]){
		"model=prefork", "access.allow=10.0.0.0/8,::1", "listen=*:1,*:2", "process.user=a-long-name",
		"listen={ address = \"unix:/a\"; user = 7; group = \"root\"; }",
		"process.user=aphorismd", "listen=127.0.0.1:1060", "access.allow=", "model=fork", NULL } }), 0);
	config.set = before.set;
	ck_assert_mem_eq(&config, &before, sizeof config);
}
END_TEST

static void count_key(void *arg, const struct key *key)
{
	unsigned *count = arg;

	ck_assert_ptr_nonnull(key->name);
	ck_assert_ptr_nonnull(key->value);
	ck_assert_msg(key->help && key->help[0] && key->help[strlen(key->help) - 1] == '.', "help of %s", key->name);
	++*count;
}

START_TEST(each_key_is_called)
{
	static const struct section *const none[] = { NULL };
	static const struct config_schema core = { none, model_names, protocol_names, true };
	unsigned count = 0, without;

	config_each_key(&core, count_key, &count);
	without = count;
	count = 0;
	config_each_key(&schema, count_key, &count);
	ck_assert_uint_eq(count, without + 4);
	count = 0;
	config_each_key(model_schema(), count_key, &count);
	ck_assert_uint_gt(count, without);
}
END_TEST

/* A file of the source tree; fails when it is missing. */
static char *read_source(const char *name)
{
	const char *top = getenv("srcdir");
	char path[4096], *text = calloc(1, 1 << 20);
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", top ? top : ".", name);
	file = fopen(path, "r");
	ck_assert_msg(file != NULL, "%s can't be read", path);
	ck_assert_uint_gt(fread(text, 1, (1 << 20) - 1, file), 0);
	fclose(file);
	return text;
}

static int load_real(void)
{
	struct config_sources sources = { .file = in_folder("a.conf"), .file_needed = true };

	return load_with(model_schema(), &sources);
}

/* Paths of the sample are those of a usual installation; this one may be another. */
static void make_usual(struct config *with)
{
	memset(with->aphorisms, 0, sizeof with->aphorisms);
	memset(with->pidfile, 0, sizeof with->pidfile);
	memset(with->control, 0, sizeof with->control);
	memset(&with->set, 0, sizeof with->set);
}

START_TEST(sample_holds_the_defaults)
{
	static struct config defaults;
	char *text = read_source("etc/aphorismd.conf"), *at;
	unsigned keys = 0, loaded;

	write_file("a.conf", "");
	ck_assert_int_eq(load_real(), 0);
	defaults = config;
	write_file("a.conf", text);
	ck_assert_msg(load_real() == 0, "%s", reports);
	ck_assert_mem_eq(&config, &defaults, sizeof config);

	/* "#key = value;" is a key, "# text" is not: each alone */
	for (at = text; (at = strchr(at, '#')) != NULL; at++) {
		if (at[1] == ' ' || at[1] == '\n')
			continue;
		*at = ' ';
		write_file("a.conf", text);
		ck_assert_msg(load_real() == 0, "%s", reports);
		ck_assert_msg(strstr(dumped, "a.conf:") != NULL, "not a key: %.40s", at);
		*at = '#';
		keys++;
	}

	/* and all at once */
	for (at = text; (at = strchr(at, '#')) != NULL; at++)
		if (at[1] != ' ' && at[1] != '\n')
			*at = ' ';
	write_file("a.conf", text);
	ck_assert_msg(load_real() == 0, "%s", reports);
	ck_assert_msg(strstr(dumped, "# default") == NULL, "a key is not in the sample: %s", dumped);
	ck_assert_str_eq(config.aphorisms, in_folder("zen.aphorisms"));
	if (strcmp(RUNSTATEDIR, "/run") == 0) {
		ck_assert_str_eq(config.pidfile, defaults.pidfile);
		ck_assert_str_eq(config.control, defaults.control);
	}
	make_usual(&config);
	make_usual(&defaults);
	ck_assert_mem_eq(&config, &defaults, sizeof config);
	loaded = 0;
	config_each_key(model_schema(), count_key, &loaded);
	ck_assert_uint_eq(keys, loaded);
	free(text);
}
END_TEST

/* Whatever a loader that was taken over puts into a listener, in each of its keys. */
START_TEST(validation_of_listeners)
{
	static const int64_t counts[] = { -1, 0, CONFIG_LISTENERS + 1 };
	static struct config odd;

	ck_assert_int_eq(load_option("listen={ address = \"*:1\"; once = true; }, "
	                             "{ address = \"unix:/a\"; user = 7; }"), 0);
	ck_assert(config_validate(&config, &schema));
	for (const struct key *key = config_listen_keys; key->name; key++) {
		odd = config;
		memset((char *)&odd.listen[1] + key->offset, 0xff, key->size);
		ck_assert_msg(!config_validate(&odd, &schema), "%s", key->name);
	}
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
		odd = config;
		odd.listeners = counts[i];
		ck_assert(!config_validate(&odd, &schema));
	}
}
END_TEST

#define COUNT(list) (int)(sizeof (list) / sizeof *(list))

static TCase *cases(void)
{
	TCase *tcase = tcase_create("config");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, built_in_defaults);
	tcase_add_test(tcase, values);
	tcase_add_loop_test(tcase, wrong_text, 0, COUNT(wrong));
	tcase_add_test(tcase, unknown_key_of_a_listener);
	tcase_add_test(tcase, all_errors_in_one_run);
	tcase_add_test(tcase, text_of_any_kind);
	tcase_add_test(tcase, sandbox_that_is_not_built_in);
	tcase_add_test(tcase, nul_byte);
	tcase_add_test(tcase, includes);
	tcase_add_test(tcase, includes_that_would_end_or_hang_a_daemon);
	tcase_add_test(tcase, includes_without_end);
	tcase_add_test(tcase, large_files);
	tcase_add_test(tcase, file_that_cannot_be_read);
	tcase_add_loop_test(tcase, text_value, 0, COUNT(texts));
	tcase_add_loop_test(tcase, wrong_option, 0, COUNT(wrong_options));
	tcase_add_test(tcase, precedence);
	tcase_add_test(tcase, dump_is_a_configuration);
	tcase_add_test(tcase, dump_tells_origins);
	tcase_add_test(tcase, bytes_that_are_no_value_are_zero);
	tcase_add_test(tcase, each_key_is_called);
	tcase_add_test(tcase, sample_holds_the_defaults);
	tcase_add_test(tcase, validation_of_listeners);
	return tcase;
}

int main(void)
{
	static const char *const files[] = { "a.conf", "b.conf", "c.conf", "d.conf", "fifo" };
	Suite *suite = suite_create("config");
	SRunner *runner = srunner_create(suite);
	int failed;

	if (!mkdtemp(folder))
		return 99;
	suite_add_tcase(suite, cases());
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		unlink(in_folder(files[i]));
	rmdir(folder);
	return failed > 0;
}
