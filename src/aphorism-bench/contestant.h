/*
 * contestant.h - aphorismd, found, started under one of its models on a free loopback port, and stopped.
 */
#ifndef BENCH_CONTESTANT_H
#define BENCH_CONTESTANT_H

#include <limits.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "aphorism-bench/cell.h"

enum { CONTESTANT_MODELS = 32, CONTESTANT_SETTINGS = 16, CONTESTANT_SAID = 1024, CONTESTANT_REASON = 512 };

/* The program, and a folder with the files that it needs. */
struct program {
	char path[PATH_MAX];
	char version[64];                 /* "aphorismd 0.1.0" */
	char models[CONTESTANT_MODELS][CELL_NAME];
	size_t model_count;
	char folder[PATH_MAX - 32], config[PATH_MAX], table[PATH_MAX];
};

/* One daemon that runs. */
struct contestant {
	pid_t pid;
	int log;                          /* its standard error, read by us */
	char said[CONTESTANT_SAID];       /* the end of what it said */
	struct sockaddr_in address;
	char reason[CONTESTANT_REASON];   /* why it did not start, or not end, as it should: one line */
};

/*
 * Finds the program: the one that is named; else beside this one, in ../sbin from here, on PATH.  Asks it for its
 * models, and makes the folder with an empty configuration and the table that the generator asks for, so that nobody's
 * own configuration is measured.  Makes this process a subreaper, so that nothing that it starts can get lost.
 * Returns EX_OK, or an exit status after one line of reason.  To be ended by program_forget().
 */
int program_find(struct program *, const char *named);
void program_forget(struct program *);

/*
 * Starts it with these settings (KEY=VALUE, NULL at the end) and waits until it listens, at most 10 s; it dies with
 * this process.  Returns EX_OK, or an exit status with the reason; nothing runs then.
 */
int contestant_start(struct contestant *, const struct program *, const char *model, const char *const settings[]);

/* Reads what it has said, so that it never waits for us.  Does not block. */
void contestant_listen(struct contestant *);

/*
 * Stops it, by force what has not gone after 5 s, and fills in what it and all below it have used in their lives.
 * Returns false, with the reason, when it did not end as it should.
 */
bool contestant_stop(struct contestant *, const char *model, struct rusage *);

#endif
