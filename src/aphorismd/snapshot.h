/*
 * snapshot.h - a configuration and its table as one sealed block of memory.
 *
 * The loader, a process of its own, fills a memfd and seals it; the supervisor maps it read-only and never parses;
 * workers inherit the mapping.  So the table is held once, whoever crashes, and an old one is gone with its last user.
 */
#ifndef APHORISMD_SNAPSHOT_H
#define APHORISMD_SNAPSHOT_H

#include <stddef.h>

#include "config/config.h"
#include "protocol/conversation.h"
#include "protocol/table.h"

struct snapshot {
	const struct config *config;
	const struct table *table;
	void *at;
	size_t size;
};

/*
 * Fills and seals the memfd with a configuration and with the table that it names.  Reads that file; blocks.  Without a
 * file named by anybody and without the default one, the three aphorisms of the protocol are built in if allowed.
 * Returns 0, EX_NOINPUT, EX_CONFIG or EX_OSERR, after reporting.
 */
int snapshot_write(int memfd, const struct config *, bool built_in, config_report *, void *arg);

/* What is served at one of the configuration's addresses; points into the snapshot. */
struct service snapshot_service(const struct snapshot *, const struct config_listen *);

/* Maps what was sealed.  Returns 0; -1 when it is not a whole snapshot. */
int snapshot_map(struct snapshot *, int memfd);
void snapshot_unmap(struct snapshot *);

#endif
