/*
 * aphorism-bench - loads an aphorism server, and compares the concurrency models of aphorismd.
 */
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "aphorism-bench/compare.h"
#include "aphorism-bench/explain.h"
#include "aphorism-bench/options.h"
#include "aphorism-bench/report.h"
#include "aphorism-bench/run.h"
#include "common/plain.h"
#include "common/standard.h"

static int complain(const char *word, const char *nearest)
{
	if (nearest)
		plain_say(stderr, "aphorism-bench: unknown command %s, did you mean %s?", word, nearest);
	else
		plain_say(stderr, "aphorism-bench: unknown command %s: run, compare, report or explain", word);
	return EX_USAGE;
}

static int dispatch(const char *command, const struct options *options)
{
	if (strcmp(command, "run") == 0)
		return run_main(options);
	if (strcmp(command, "compare") == 0)
		return compare_main(options);
	if (strcmp(command, "report") == 0)
		return report_main(options);
	return explain_main(options);
}

static int is_one_of(const char *word, const char *brief, const char *full)
{
	return strcmp(word, brief) == 0 || strcmp(word, full) == 0;
}

int main(int argc, char **argv)
{
	static struct options options;
	const char *nearest;
	int status;

	standard_open("aphorism-bench");
	setlocale(LC_CTYPE, "");
	if (argc < 2) {
		fputs("aphorism-bench: no command: run, compare, report or explain, "
		      "see aphorism-bench --help\n", stderr);
		return EX_USAGE;
	}
	if (is_one_of(argv[1], "-h", "--help")) {
		options_help();
		status = EX_OK;
	} else if (is_one_of(argv[1], "-V", "--version")) {
		puts("aphorism-bench " PACKAGE_VERSION);
		status = EX_OK;
	} else if (!options_knows(argv[1], &nearest)) {
		return complain(argv[1], nearest);
	} else {
		status = options_parse(&options, argc - 1, argv + 1);
		if (status == EX_OK)
			status = dispatch(argv[1], &options);
	}
	return status;
}
