/*
 * standard.c - descriptors 0 to 2, what was printed, and what has failed.
 */
#include "common/standard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/json.h"
#include "common/plain.h"

enum { REASON = 8192 };

bool standard_json;

static const char *name;
static int error;                         /* the first that standard output has met */

const char *standard_flush(void)
{
	if (fflush(stdout) != 0 && error == 0)
		error = errno;
	return error != 0 ? strerror(error) : ferror(stdout) ? "not all of it could be written" : NULL;
}

/* Some file systems say at the close alone that there was no room. */
static void check_at_exit(void)
{
	const char *reason = standard_flush();

	if (!reason && fclose(stdout) != 0)
		reason = strerror(errno);
	if (!reason)
		return;
	fprintf(stderr, "%s: standard output: %s\n", name, reason);
	_exit(EX_IOERR);
}

void standard_open(const char *program)
{
	static const int modes[] = {
		[STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDWR,
	};

	name = program;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		/* those below are open, so it gets this number */
		if (fcntl(fd, F_GETFD) >= 0 || open("/dev/null", modes[fd]) == fd)
			continue;
		fprintf(stderr, "%s: /dev/null: %s\n", name, strerror(errno));
		_exit(EX_OSERR);
	}
	atexit(check_at_exit);
}

int standard_fail(int status, const char *format, ...)
{
	char reason[REASON];
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof reason, format, args);
	va_end(args);
	plain_say(stderr, "%s: %s", name, reason);
	if (standard_json)
		json_failure(status, reason);
	return status;
}
