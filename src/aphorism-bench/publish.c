/*
 * publish.c - the conditions that a record was made under, and its ways out.
 */
#include "aphorism-bench/publish.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "aphorism-bench/advice.h"
#include "aphorism-bench/csv.h"
#include "aphorism-bench/json.h"
#include "aphorism-bench/out.h"
#include "aphorism-bench/report.h"
#include "aphorism-bench/table.h"
#include "common/cpus.h"

int publish_try(const struct options *options)
{
	int status = options->json ? out_try(options->json) : EX_OK;

	if (status == EX_OK && options->csv)
		status = out_try(options->csv);
	if (status == EX_OK && options->report)
		status = report_try(options->report);
	return status;
}

/* The CPU's name as /proc has it, or the architecture's. */
static void read_machine(char *to, size_t size, const char *architecture)
{
	FILE *file = fopen("/proc/cpuinfo", "re");
	char line[256];

	snprintf(to, size, "%s", architecture);
	while (file && fgets(line, sizeof line, file)) {
		const char *name = strstr(line, ": ");

		if (strncmp(line, "model name", 10) == 0 && name) {
			snprintf(to, size, "%s", name + 2);
			to[strcspn(to, "\n")] = '\0';
			break;
		}
	}
	if (file)
		fclose(file);
}

void publish_conditions(struct record *record, const struct options *options)
{
	struct utsname system;
	time_t now = time(NULL);
	struct tm utc;

	uname(&system);
	snprintf(record->version, sizeof record->version, "%s", PACKAGE_VERSION);
	snprintf(record->kernel, sizeof record->kernel, "%.60s %.60s", system.sysname, system.release);
	read_machine(record->machine, sizeof record->machine, system.machine);
	record->cpus = cpus_usable();
	record->memory_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);
	record->seed = options->seed;
	strftime(record->date, sizeof record->date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
	snprintf(record->command, sizeof record->command, "%s", options->command);
}

static int is_stdout(const char *file)
{
	return file && strcmp(file, "-") == 0;
}

int publish_record(const struct record *record, const struct options *options)
{
	bool taken = is_stdout(options->json) || is_stdout(options->csv) || is_stdout(options->report);
	FILE *stream = taken ? stderr : stdout;
	int status = EX_OK, results[3] = { EX_OK, EX_OK, EX_OK };

	table_print(record, stream);
	advice_print(record, stream);
	if (ferror(stream))
		status = EX_IOERR;        /* of standard error, too, though there is nowhere to say it */
	if (options->json)
		results[0] = json_write(record, options->json);
	if (options->csv)
		results[1] = csv_write(record, options->csv);
	if (options->report)
		results[2] = report_write(record, options->report);
	for (size_t i = 0; i < sizeof results / sizeof results[0] && status == EX_OK; i++)
		status = results[i];
	return status;
}
