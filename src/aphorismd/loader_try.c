/*
 * loader_try.c - what --test and --dump say to people.
 */
#include <errno.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/doctor.h"
#include "aphorismd/loader.h"
#include "aphorismd/privileges.h"
#include "common/plain.h"
#include "models/model.h"

static void print(void *arg, bool error, const char *line)
{
	(void)error;
	plain_say(arg, "%s", line);
}

/* A start as root would resolve them; to anybody else --test says nothing of root's start. */
static int try_privileges(const struct config *config)
{
	char reason[PRIVILEGES_REASON];
	struct privileges privileges;
	int status = geteuid() == 0 ? privileges_resolve(&privileges, config, reason) : 0;

	if (status != 0)
		plain_say(stderr, "%s", reason);
	return status;
}

static int try_model(const struct config *config)
{
	const char *key, *lacking = model_lacks(config, &key);

	if (!lacking)
		return 0;
	plain_say(stderr, "%s: %s", key, lacking);
	return EX_CONFIG;
}

static void print_finding(void *to, const char *about, const char *what, const char *mend)
{
	plain_say(to, "%s: %s; to mend it: %s", about, what, mend);
}

/* Whether an address is in use is not asked: by the daemon that runs it is. */
static void print_addresses(const struct config *config)
{
	char what[CONFIG_ADDRESS + 128];

	for (int64_t i = 0; i < config->listeners; i++) {
		const char *address = config->listen[i].address;
		int error = listener_try(&config->listen[i]);

		if (error == 0)
			continue;
		snprintf(what, sizeof what, "%s: %s", address, listener_reason(address, error));
		print_finding(stderr, "listen", what, error == EACCES
		              ? "a port from 1024 on, or AmbientCapabilities=CAP_NET_BIND_SERVICE in the unit"
		              : "ip address add before the start, or another address");
	}
}

static void print_findings(const struct options *options, const struct image *image)
{
	const struct config *config = image->config;
	struct doctor_facts facts;

	doctor_learn(&facts);
	doctor_check(config, image->size, options, &facts, print_finding, stderr);
	print_addresses(config);
	/* a daemon that somebody else starts may have no pidfile, and another folder for it */
	if (config->pidfile[0] && (config->set.pidfile || (geteuid() == 0 && access(config->pidfile, F_OK) == 0)))
		doctor_check_pidfile(config->pidfile, -1, print_finding, stderr);
}

int loader_try(const struct options *options)
{
	static struct loader loader;
	struct image image = { .at = NULL };
	int status = loader_run(&loader, options, &image);

	loader_each_report(loader.text, print, stderr);
	if (status == 0 && image.config)
		status = try_privileges(image.config);
	if (status == 0 && image.config)
		status = try_model(image.config);
	if (status == 0 && image.config)
		print_findings(options, &image);
	image_unmap(&image);
	return status;
}
