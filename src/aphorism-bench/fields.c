/*
 * fields.c - the members of a cell and of a record by name, in the order of the files.
 */
#include "aphorism-bench/fields.h"

#include <math.h>

#define MEMBER(holder, name, member, kind) \
	{ name, kind, offsetof(struct holder, member), sizeof ((struct holder *)NULL)->member }
#define CELL(name, kind) MEMBER(cell, #name, name, kind)
#define FIGURE(name) \
	MEMBER(cell, #name, name.value, FIELD_REAL), \
	MEMBER(cell, #name "_low", name.low, FIELD_REAL), \
	MEMBER(cell, #name "_high", name.high, FIELD_REAL)
#define RECORD(name, kind) MEMBER(record, #name, name, kind)

const struct field fields_cell[] = {
	CELL(model, FIELD_TEXT),
	CELL(scenario, FIELD_TEXT),
	CELL(connections, FIELD_COUNT),
	CELL(pipeline, FIELD_COUNT),
	CELL(rounds, FIELD_COUNT),
	CELL(seconds, FIELD_REAL),
	CELL(answers, FIELD_LARGE),
	CELL(rate, FIELD_REAL),
	FIGURE(answers_per_second),
	CELL(p50_us, FIELD_REAL),
	CELL(p90_us, FIELD_REAL),
	CELL(p99_us, FIELD_REAL),
	CELL(p999_us, FIELD_REAL),
	CELL(max_us, FIELD_REAL),
	FIGURE(tail_us),
	CELL(service_p50_us, FIELD_REAL),
	CELL(service_p99_us, FIELD_REAL),
	CELL(never_served, FIELD_COUNT),
	CELL(longest_wait_us, FIELD_LARGE),
	CELL(fairness, FIELD_SHARE),
	CELL(unasked, FIELD_LARGE_NEWER),
	CELL(saturated, FIELD_TRUTH),
	CELL(has_cost, FIELD_TRUTH),
	FIGURE(cpu_us_per_answer),
	CELL(system_share, FIELD_SHARE),
	CELL(context_switches_per_answer, FIELD_REAL),
	CELL(processes, FIELD_SEEN),
	CELL(threads, FIELD_SEEN),
	CELL(rss_bytes, FIELD_LARGE_SEEN),
	CELL(pss_bytes, FIELD_LARGE_SEEN),
	CELL(bytes_per_connection, FIELD_REAL),
	{ 0 }
};

const struct field fields_record[] = {
	RECORD(version, FIELD_TEXT),
	RECORD(server, FIELD_TEXT),
	RECORD(machine, FIELD_TEXT),
	RECORD(kernel, FIELD_TEXT),
	RECORD(cpus, FIELD_COUNT),
	RECORD(memory_bytes, FIELD_LARGE_SEEN),
	RECORD(seed, FIELD_LARGE),
	RECORD(date, FIELD_TEXT),
	RECORD(command, FIELD_TEXT),
	RECORD(complete, FIELD_TRUTH),
	{ 0 }
};

bool field_known(const struct field *field, const void *holder)
{
	const void *at = (const char *)holder + field->offset;

	switch (field->kind) {
	case FIELD_SEEN:
		return *(const uint32_t *)at > 0;
	case FIELD_LARGE_SEEN:
		return *(const uint64_t *)at > 0;
	case FIELD_REAL:
	case FIELD_SHARE:
		return isfinite(*(const double *)at) && *(const double *)at >= 0;
	default:
		return true;
	}
}
