#include "aphorism-bench/out.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/plain.h"
#include "common/standard.h"

static int complain(const char *file, int status)
{
	plain_say(stderr, "aphorism-bench: %s: %s", file, strerror(errno));
	return status;
}

static void forget(struct out *out)
{
	free(out->temporary);
	free(out->name);
	memset(out, 0, sizeof(*out));
}

/* A new file beside the named one, with the rights that fopen() would have given it. */
static FILE *open_temporary(struct out *out)
{
	mode_t mask = umask(0);
	FILE *file = NULL;
	int fd;

	umask(mask);
	if (asprintf(&out->temporary, "%s.XXXXXX", out->name) < 0) {
		out->temporary = NULL;
		return NULL;
	}
	fd = mkostemp(out->temporary, O_CLOEXEC);
	if (fd >= 0 && fchmod(fd, 0666 & ~mask) == 0)
		file = fdopen(fd, "w");
	if (!file) {
		int error = errno;

		if (fd >= 0) {
			close(fd);
			unlink(out->temporary);
		}
		errno = error;
	}
	return file;
}

int out_open(struct out *out, const char *file)
{
	struct stat status;

	memset(out, 0, sizeof(*out));
	if (strcmp(file, "-") == 0) {
		out->file = stdout;
		return EX_OK;
	}
	/* a symbolic link stays one: what it points to is replaced */
	out->name = realpath(file, NULL);
	if (!out->name)
		out->name = strdup(file);
	if (out->name && stat(out->name, &status) == 0 && !S_ISREG(status.st_mode))
		out->file = fopen(out->name, "we");
	else if (out->name)
		out->file = open_temporary(out);
	if (out->file)
		return EX_OK;
	complain(file, EX_CANTCREAT);
	forget(out);
	return EX_CANTCREAT;
}

int out_close(struct out *out)
{
	int failed;

	if (out->file == stdout)
		return standard_flush() ? EX_IOERR : EX_OK;       /* the reason is told on the way out */
	failed = fflush(out->file) != 0 || ferror(out->file);
	if (fclose(out->file) != 0)
		failed = 1;
	if (!failed && out->temporary && rename(out->temporary, out->name) != 0)
		failed = 1;
	if (failed) {
		complain(out->name, EX_IOERR);
		if (out->temporary)
			unlink(out->temporary);
	}
	forget(out);
	return failed ? EX_IOERR : EX_OK;
}

void out_abandon(struct out *out)
{
	if (out->file != stdout)
		fclose(out->file);
	if (out->temporary)
		unlink(out->temporary);
	forget(out);
}

int out_try(const char *file)
{
	struct out out;
	int status = out_open(&out, file);

	if (status == EX_OK)
		out_abandon(&out);
	return status;
}
