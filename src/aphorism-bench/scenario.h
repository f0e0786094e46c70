/*
 * scenario.h - the situations that models are compared in.
 */
#ifndef BENCH_SCENARIO_H
#define BENCH_SCENARIO_H

#include <stdbool.h>
#include <stdint.h>

#include "aphorism-bench/load.h"

enum { SCENARIO_COUNTS = 8, SCENARIO_SETTINGS = 4, SCENARIO_SETTING = 48 };

/* What happens to the server while it is measured. */
enum scenario_event { SCENARIO_CALM, SCENARIO_RELOADS, SCENARIO_KILLS };

/* What makes one model better than another. */
enum scenario_judge { SCENARIO_BY_RATE, SCENARIO_BY_TAIL };

struct scenario {
	const char *name;
	const char *workload;             /* whose question it answers */
	const char *story;                /* two sentences on what it shows */
	struct crowd crowds[LOAD_CROWDS]; /* the first one's figures count, its connections are one of the counts */
	uint32_t counts[SCENARIO_COUNTS]; /* of its connections; ends with 0 */
	uint32_t quick[SCENARIO_COUNTS];  /* the same with --quick; the first is 0: left out */
	const char *setting;              /* of the daemon, KEY=VALUE; NULL: none */
	enum scenario_event event;
	uint32_t events;                  /* how often */
	enum scenario_judge judge;
};

/* Ends with a row without a name. */
extern const struct scenario scenarios[];

/* NULL when there is none of that name. */
const struct scenario *scenario_find(const char *name);

/* Whether processes and threads come and go with the load, so that those that live say little of what was done. */
bool scenario_churns(const struct scenario *);

/* All connections of a load with so many of the crowd that counts. */
uint32_t scenario_connections(const struct scenario *, uint32_t connections);

/*
 * The settings that so many connections need, as KEY=VALUE, ended by an empty one: limits that protect a machine
 * (max_connections, backlog) make room for the load.  What belongs to a model, such as the size of its pool, stays at
 * its default: how many clients that can hold is what is being measured.
 */
void scenario_limits(uint32_t connections, char settings[SCENARIO_SETTINGS][SCENARIO_SETTING]);

#endif
