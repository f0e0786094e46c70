/*
 * loader_covered.c - listeners that a wider address of the new configuration covers.
 *
 * Where 127.0.0.1:1060 is followed by *:1060, the kernel prefers the narrower one as long as that is open, and whoever
 * is on the way to it when it is closed is reset, though his address is served before and after.  Worse, one worker
 * that is busy can hold it open for long when the others have left it.  So it stays open beside the wider one, and is
 * served in the same way.
 */
#include <stdio.h>
#include <string.h>

#include "aphorismd/loader.h"
#include "net/listener.h"

static bool is_served(const struct listener *listener, const struct config *config, int64_t entries)
{
	for (int64_t i = 0; i < entries; i++)
		if (listener_serves(listener, &config->listen[i]))
			return true;
	return false;
}

static const struct config_listen *covering(const struct listener *listener, const struct config *config,
                                            int64_t entries)
{
	for (int64_t i = 0; i < entries; i++)
		if (listener_is_covered(listener, &config->listen[i]))
			return &config->listen[i];
	return NULL;
}

void loader_list_covered(struct config *config, const struct loader_before *before, config_report *report, void *arg)
{
	const int64_t written = config->listeners;
	char line[2 * CONFIG_ADDRESS + 64];

	for (size_t i = 0; i < before->listener_count && config->listeners < CONFIG_LISTENERS; i++) {
		const struct listener *listener = before->listeners[i];
		const struct config_listen *wider = covering(listener, config, written);
		struct config_listen *kept = &config->listen[config->listeners];

		if (listener->lent || listener->shut || !wider || is_served(listener, config, written))
			continue;
		*kept = *wider;
		memset(kept->address, 0, sizeof kept->address);
		snprintf(kept->address, sizeof kept->address, "%s", listener->address);
		config->listeners++;
		snprintf(line, sizeof line, "listen: %s stays open beside %s until a restart", kept->address,
		         wider->address);
		report(arg, false, line);
	}
}
