/*
 * main.c - aphorismd: questions answered under a concurrency model of your choice.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/daemonize.h"
#include "aphorismd/inetd.h"
#include "aphorismd/inherited.h"
#include "aphorismd/loader.h"
#include "aphorismd/options.h"
#include "aphorismd/predecessor.h"
#include "aphorismd/supervisor.h"
#include "common/compat.h"
#include "common/log.h"
#include "common/proctitle.h"
#include "common/standard.h"

int main(int argc, char **argv)
{
	static struct options options;
	bool inetd = inetd_is_asked(argv);
	int status, launcher = -1;

	signal(SIGXFSZ, SIG_IGN);         /* a log that has grown to a limit is a write that fails, not our end */
	/* what whoever started us left open, and has not passed on, is nobody's business of ours, or of our workers */
	compat_close_from(INHERITED_FIRST + (inetd ? inetd_take() : inherited_take()));
	standard_open("aphorismd");
	proctitle_init(argc, argv);
	log_open("aphorismd", inetd_mute ? LOG_TO_SYSLOG : LOG_TO_STDERR, LOG_DAEMON, LOG_NOTICE);
	if ((status = options_parse(&options, argc, argv)) >= 0)
		return status;
	options.mute = inetd_mute;
	if (options.action != ACTION_SERVE)
		return loader_try(&options);
	if (options.inetd && (status = inetd_run(&options)) >= 0)
		return status;
	/* whoever takes the place of a daemon has that one's session */
	if (!options.foreground && !predecessor_is_there() && (launcher = daemonize()) < 0) {
		fprintf(stderr, "aphorismd: can't become a daemon: %s\n", strerror(errno));
		return EX_OSERR;
	}
	return supervisor_run(&options, launcher);
}
