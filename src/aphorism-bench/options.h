/*
 * options.h - the command line of all commands.
 */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/nearest.h"

/* In the order of the list of commands. */
enum task { RUN, COMPARE, REPORT, EXPLAIN };

enum { OPTIONS_LIST = 32, OPTIONS_COMMAND = 512 };

struct options_names {
	size_t count;                     /* 0: not given */
	const char *at[OPTIONS_LIST];
};

/* Times are 0 when they were not given, unless said otherwise: each subcommand has its own defaults. */
struct options {
	enum task asked;
	const char *operand;              /* run: HOST:PORT; report: FILE.json; explain: MODEL; NULL: not given */
	char command[OPTIONS_COMMAND];    /* the whole command line, for the record */

	/* the load */
	uint32_t connections[OPTIONS_LIST];       /* run has one */
	size_t connection_count;          /* 0: not given */
	int64_t duration_us;              /* compare: of each cell in each round */
	int64_t warmup_us;                /* -1: not given */
	int64_t timeout_us;               /* never 0 */
	uint64_t count;                   /* 0: no limit */
	uint64_t threads;                 /* never 0 */
	uint64_t seed;                    /* random when not given */

	/* run's alone */
	uint64_t rate;                    /* 0: closed loop */
	const char *arrivals;             /* "uniform", "poisson"; NULL: not given, which is uniform */
	uint64_t burst;
	uint64_t pipeline;                /* never 0 */
	uint64_t per_connection;
	int64_t think_us;
	uint64_t drippers;

	/* compare's alone */
	struct options_names models, scenarios;
	uint64_t rounds;                  /* 0: not given */
	bool quick, list_scenarios;
	const char *aphorismd;            /* NULL: looked for */

	/* what is shown, and where: "-" is standard output */
	const char *json, *csv, *report;  /* NULL: not wanted */
	const char *from;                 /* explain: the JSON file with the figures; NULL: the last run's */
	bool no_progress;
};

/*
 * Parses the command line.  Returns EX_OK to go on, EX_USAGE after one line of reason; --help, --version and `help` end
 * the program.  The texts are argv's own, lists are cut up in place.
 */
int options_parse(struct options *, int argc, char **argv);

/* Says that no `what` has that name, and which was meant, or where all are to be seen.  Returns EX_USAGE. */
int options_unknown(const char *what, const struct nearest *name, const char *see);

#endif
