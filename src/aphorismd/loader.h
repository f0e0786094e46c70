/*
 * loader.h - reading configuration and table in a process of its own, with a time limit.
 *
 * Parsers die and hang on what people write; the supervisor must not.
 */
#ifndef APHORISMD_LOADER_H
#define APHORISMD_LOADER_H

#include <stdint.h>
#include <sys/types.h>

#include "aphorismd/options.h"
#include "aphorismd/servant.h"
#include "aphorismd/snapshot.h"
#include "net/listener.h"

enum { LOADER_TEXT = 65536 };

struct loader {
	char text[LOADER_TEXT];           /* reports: lines of "error TEXT\n" and "notice TEXT\n" */
	size_t len;
	pid_t pid;                        /* 0: none runs */
	int memfd, lines;                 /* the snapshot; the end of a pipe to read reports from */
	uint64_t began_us, deadline_us;
	bool late, ended;                 /* it was stopped for being late; its exit status is known */
	int status;                       /* sysexits */
};

/* What is in force, and outlives the call. */
struct loader_before {
	const struct config *config;              /* NULL at a start */
	struct listener *const *listeners;        /* the open ones; at a start those of the process that we replace */
	size_t listener_count;
	const struct servant *as;         /* by --test: as whom it is to be read; NULL: by whoever may read all */
};

/*
 * Starts a loader.  What the configuration in force had from files must still be there: defaults stand in for missing
 * files at a start only.  It also says whether the loader is confined; at a start only options and environment can say
 * that it is not to be.  And those who serve by it go before a large table.  Returns 0, or EX_OSERR, reported.
 */
int loader_start(struct loader *, const struct options *, const struct loader_before *);

/* Takes some of what it has reported; never blocks.  False when it has closed its end. */
bool loader_read(struct loader *);

/*
 * Its process has ended with that wait status.  Its reports are taken to the end, and are printable lines of the two
 * kinds from now on, whatever it has said.
 */
void loader_ended(struct loader *, int wait_status);

/* Ends it if it is still running after its deadline; time that it waited for a CPU does not count, up to a limit. */
void loader_check(struct loader *, uint64_t now_us);

/*
 * After its end, with all its reports read: maps the snapshot.  Returns 0 or a sysexits code; in every case the loader
 * is done with, but for its text.
 */
int loader_finish(struct loader *, struct snapshot *);

/* Kills one that is no longer needed, and does not wait for its end. */
void loader_cancel(struct loader *);

/*
 * Loads from the beginning to the end, as a process that does nothing else meanwhile: blocks.  The service is who is to
 * read, or NULL.  Returns 0 with a snapshot (for --dump without one), or a sysexits code; the text of the loader, which
 * lasts, has its reports.
 */
int loader_run(struct loader *, const struct options *, const struct servant *, struct snapshot *);

/* In a text of reports the first error, behind that word; NULL: there is none. */
const char *loader_first_error(const char *text);

/* Takes a text of reports apart, and calls with each. */
void loader_each_report(const char *text, config_report *, void *arg);

/* For --test and --dump: loads, prints every report to standard error, and returns the exit status.  Blocks. */
int loader_try(const struct options *);

#endif
