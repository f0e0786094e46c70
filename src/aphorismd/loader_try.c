/*
 * loader_try.c - loading as all that a process does; what --test and --dump say to people.
 *
 * Each line of a test ends with its level, so that what stands before it is what a start or a reload would say.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/doctor.h"
#include "aphorismd/loader.h"
#include "aphorismd/privileges.h"
#include "aphorismd/servant.h"
#include "common/clock.h"
#include "common/plain.h"
#include "models/model.h"

int loader_run(struct loader *loader, const struct options *options, const struct servant *as,
               struct snapshot *snapshot)
{
	const struct loader_before nothing = { .as = as };
	int wait_status, status = loader_start(loader, options, &nothing);

	if (status != 0)
		return status;
	for (;;) {
		struct pollfd lines = { .fd = loader->lines, .events = POLLIN };

		poll(&lines, 1, CLOCK_MS);
		loader_check(loader, clock_now_us());
		if (!loader_read(loader))
			break;
	}
	while (waitpid(loader->pid, &wait_status, 0) < 0 && errno == EINTR)
		;
	loader_ended(loader, wait_status);
	status = options->action == ACTION_DUMP ? loader->status : loader_finish(loader, snapshot);
	loader_cancel(loader);
	return status;
}

void loader_each_report(const char *text, config_report *call, void *arg)
{
	char *copy = strdup(text), *rest = copy, *line;

	while (copy && (line = strsep(&rest, "\n")) != NULL)
		if (strchr(line, ' '))
			call(arg, strncmp(line, "error ", 6) == 0, strchr(line, ' ') + 1);
	free(copy);
}

/* ---- --test and --dump ---- */

/* What was said so far. */
struct test {
	const struct options *options;
	struct servant servant;
	unsigned count[DOCTOR_LEVELS];
};

static void say(struct test *test, enum doctor_level level, const char *line)
{
	bool shown = test->options->action == ACTION_TEST;

	plain_say(stderr, shown ? "%s [%s]" : "%s", line, doctor_levels[level]);
	test->count[level]++;
}

static void say_report(void *test, bool error, const char *line)
{
	say(test, error ? DOCTOR_ERROR : DOCTOR_NOTE, line);
}

static void say_finding(void *test, enum doctor_level level, const char *about, const char *what, const char *mend)
{
	char line[3 * PATH_MAX];

	snprintf(line, sizeof line, "%s: %s%s%s", about, what, *mend ? "; to mend it: " : "", mend);
	say(test, level, line);
}

/* What only a reader who is not root meets: a daemon of root's reads all at its start, and not at a reload. */
static void say_refusal(void *arg, bool error, const char *line)
{
	struct test *test = arg;
	char who[SERVANT_WORDS], all[PATH_MAX + 1024];

	if (!error)
		return;
	snprintf(all, sizeof all, "%s, to %s", line, servant_who(&test->servant, who));
	say(test, test->servant.certain && test->servant.by_unit ? DOCTOR_ERROR : DOCTOR_WARNING, all);
}

/*
 * By who serves, and where he can't by whoever may read all: what remains then is wrong with the files themselves.
 * Only root asks for somebody else.
 */
static int load(struct test *test, struct snapshot *snapshot)
{
	static struct loader theirs, ours;
	bool as_servant = test->options->action == ACTION_TEST && test->servant.by_root && test->servant.reads;
	int status = loader_run(&theirs, test->options, as_servant ? &test->servant : NULL, snapshot);
	bool knows = status != EX_OSERR;  /* else he could not be asked, as servant_inspect() will say */

	if (status == 0 || !as_servant) {
		loader_each_report(theirs.text, say_report, test);
		return status;
	}
	status = loader_run(&ours, test->options, NULL, snapshot);
	loader_each_report(ours.text, say_report, test);
	if (status == 0 && knows)
		loader_each_report(theirs.text, say_refusal, test);
	return status;
}

/*
 * A start as root would resolve them; to anybody else --test says nothing of that.  That the default user is missing is
 * nobody's fault as long as a unit may be to serve, which has its own.
 */
static int try_privileges(struct test *test, const struct config *config)
{
	const struct doctor_ear ear = { say_finding, test };
	char reason[PRIVILEGES_REASON];
	struct privileges privileges;
	bool grave = test->servant.certain || config->set.user || config->group[0] != '\0';
	int status;

	if (!test->servant.by_root || (test->servant.by_unit && test->servant.certain))
		return 0;
	status = privileges_resolve(&privileges, config, reason);
	if (status == 0)
		doctor_check_user(&privileges, &ear);
	else
		say(test, grave ? DOCTOR_ERROR : DOCTOR_WARNING, reason);
	return grave ? status : 0;
}

static int try_model(struct test *test, const struct config *config)
{
	const char *key, *lacking = model_lacks(config, &key);

	if (!lacking)
		return 0;
	say_finding(test, DOCTOR_ERROR, key, lacking, "");
	return EX_CONFIG;
}

static int try_all(struct test *test, struct snapshot *snapshot)
{
	const struct doctor_ear ear = { say_finding, test };
	const struct config *config = snapshot->config;
	struct doctor_facts facts;
	int status;

	if ((status = try_privileges(test, config)) != 0 || (status = try_model(test, config)) != 0)
		return status;
	doctor_learn(&facts);
	doctor_check(config, snapshot->size, test->options, &facts, &ear);
	servant_inspect(&test->servant, config, &ear);
	return test->count[DOCTOR_ERROR] > 0 ? EX_CONFIG : 0;
}

/* "1 error, 2 warnings: " */
static void say_verdict(const struct test *test)
{
	char text[128] = "";
	size_t len = 0;

	for (int level = DOCTOR_LEVELS - 1; level >= 0; level--)
		if (test->count[level] > 0)
			len += (size_t)snprintf(text + len, sizeof text - len, "%s%u %s%s", len > 0 ? ", " : "",
			                        test->count[level], doctor_levels[level],
			                        test->count[level] > 1 ? "s" : "");
	plain_say(stderr, "aphorismd: %s: %s%s%s", test->options->file, text, len > 0 ? ": " : "",
	          test->count[DOCTOR_ERROR] > 0 ? "a start or a reload would fail" : "good");
}

int loader_try(const struct options *options)
{
	static struct test test;
	struct snapshot snapshot = { .at = NULL };
	int status;

	test.options = options;
	servant_learn(&test.servant, options);
	status = load(&test, &snapshot);
	if (status == 0 && snapshot.config)
		status = try_all(&test, &snapshot);
	snapshot_unmap(&snapshot);
	if (options->action == ACTION_TEST)
		say_verdict(&test);
	return status;
}
