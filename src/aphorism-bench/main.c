/*
 * aphorism-bench - loads an aphorism server, and compares the concurrency models of aphorismd.
 */
#include <locale.h>
#include <sysexits.h>

#include "aphorism-bench/compare.h"
#include "aphorism-bench/explain.h"
#include "aphorism-bench/options.h"
#include "aphorism-bench/report.h"
#include "aphorism-bench/run.h"
#include "common/standard.h"

static int (*const commands[])(const struct options *) = {
	[RUN] = run_main, [COMPARE] = compare_main, [REPORT] = report_main, [EXPLAIN] = explain_main,
};

int main(int argc, char **argv)
{
	static struct options options;
	int status;

	standard_open("aphorism-bench");
	setlocale(LC_CTYPE, "");
	status = options_parse(&options, argc, argv);
	return status == EX_OK ? commands[options.asked](&options) : status;
}
