/*
 * scenario.c - the situations that models are compared in.
 */
#include "aphorism-bench/scenario.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"

enum { MAX_CONNECTIONS = 1024, BACKLOG = 511, SPARE = 24 };       /* the first two are aphorismd's defaults */

const struct scenario scenarios[] = {
	{
		.name = "steady",
		.workload = "clients that stay connected",
		.story = "Clients that stay connected and ask one question after the other, one client to a thousand.  "
		         "Shows what an answer costs, and how many clients a model holds before the rest wait in vain.",
		.crowds = { { .pipeline = 1 } },
		.counts = { 1, 16, 64, 256, 1000 },
		.quick = { 1, 64, 256 },
	},
	{
		.name = "connect",
		.workload = "short connections",
		.story = "Every client connects anew for each question.  "
		         "Shows the price of a connection's begin and end, dearest with a process or thread for each.",
		.crowds = { { .pipeline = 1, .per_connection = 1 } },
		.counts = { 64 },
		.quick = { 64 },
	},
	{
		.name = "pipeline",
		.workload = "clients that ask ahead",
		.story = "Every client has 16 questions in flight.  "
		         "Shows what an answer costs when one system call carries many of them.",
		.crowds = { { .pipeline = 16 } },
		.counts = { 16 },
	},
	{
		.name = "think",
		.workload = "many clients, mostly silent",
		.story = "Clients that pause for 50 ms before each question, so that hardly any is busy at a time.  "
		         "Shows what a silent client holds: an object, a thread, a process, a place others wait for.",
		.crowds = { { .pipeline = 1, .think_us = 50 * CLOCK_MS } },
		.counts = { 256 },
	},
	{
		.name = "delay",
		.workload = "answers that wait",
		.story = "Each answer waits for 5 ms, as if for a disk or another server, on a connection of its own.  "
		         "Shows how many answers a model lets wait at the same time.",
		.crowds = { { .pipeline = 1, .per_connection = 1 } },
		.counts = { 32 },
		.quick = { 32 },
		.setting = "work.delay=5ms",
	},
	{
		.name = "cpu",
		.workload = "answers that compute",
		.story = "Each answer computes for 1 ms, on a connection of its own.  "
		         "Shows whether a model uses all CPUs, and who waits while one answer is computed.",
		.crowds = { { .pipeline = 1, .per_connection = 1 } },
		.counts = { 32 },
		.setting = "work.cpu=1ms",
	},
	{
		.name = "slowloris",
		.workload = "clients that cannot be trusted",
		.story = "Two hundred clients send a byte of a question now and then and never end it; polite ones "
		         "beside them connect for each question, and the figures are theirs.  "
		         "Shows whether clients that cost nothing can shut out the rest.",
		.crowds = { { .pipeline = 1, .per_connection = 1 },
		            { .connections = 200, .pipeline = 1, .drips = true, .think_us = 100 * CLOCK_MS } },
		.counts = { 16 },
	},
	{
		.name = "hog",
		.workload = "a greedy client among others",
		.story = "One client keeps 256 questions in flight beside polite ones that ask one at a time, "
		         "whose figures these are.  "
		         "Shows how much of the server a single client can take from the others.",
		.crowds = { { .pipeline = 1 }, { .connections = 1, .pipeline = 256 } },
		.counts = { 12 },
	},
	{
		.name = "burst",
		.workload = "questions that come in bursts",
		.story = "Two hundred questions arrive at once, twenty times a second, whatever became of the last.  "
		         "Shows how long the last of a burst waits, counted from when it wanted to ask.",
		.crowds = { { .pipeline = 1, .rate = 4000, .burst = 200 } },
		.counts = { 16 },
		.judge = SCENARIO_BY_TAIL,
	},
	{
		.name = "reload",
		.workload = "changes while serving",
		.story = "The server is told three times to reload its configuration while clients ask on and on.  "
		         "Shows what clients notice: connections that end before an answer, so that they have to ask "
		         "again, and the longest wait.",
		.crowds = { { .pipeline = 1 } },
		.counts = { 16 },
		.event = SCENARIO_RELOADS,
		.events = 3,
	},
	{
		.name = "kill",
		.workload = "a worker that crashes",
		.story = "The busiest worker process is killed, twice, while clients ask on and on.  "
		         "Shows how many of them a crash takes along, and how soon all are served again.",
		.crowds = { { .pipeline = 1 } },
		.counts = { 16 },
		.event = SCENARIO_KILLS,
		.events = 2,
	},
	{ .name = NULL },
};

const struct scenario *scenario_find(const char *name)
{
	for (const struct scenario *s = scenarios; s->name; s++)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

bool scenario_churns(const struct scenario *scenario)
{
	return scenario->crowds[0].per_connection > 0 || scenario->event != SCENARIO_CALM;
}

uint32_t scenario_connections(const struct scenario *scenario, uint32_t connections)
{
	for (int i = 1; i < LOAD_CROWDS; i++)
		connections += scenario->crowds[i].connections;
	return connections;
}

void scenario_limits(uint32_t connections, char settings[SCENARIO_SETTINGS][SCENARIO_SETTING])
{
	int count = 0;

	/* some more, since a place is free only when the server has seen the end of a connection */
	if (connections + SPARE > MAX_CONNECTIONS)
		snprintf(settings[count++], SCENARIO_SETTING, "max_connections=%u",
		         connections + connections / 8 + SPARE);
	if (connections > BACKLOG)
		snprintf(settings[count++], SCENARIO_SETTING, "backlog=%u", connections < 65535 ? connections : 65535);
	settings[count][0] = '\0';
}
