/*
 * out.c - a text file that appears as a whole or not at all.
 */
#include "aphorism-bench/out.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
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
	free(out->text);
	free(out->name);
	memset(out, 0, sizeof *out);
}

/*
 * Writes the text to a new file beside the named one, with the rights that fopen() would have given it, and puts that
 * in the named one's place, or only looks whether that could be done.  Returns 0 or an errno; nothing else is left.
 */
static int replace(const struct out *out, bool really)
{
	mode_t mask = umask(0);
	int error = 0, fd = -1;
	char *temporary;

	umask(mask);
	if (asprintf(&temporary, "%s.XXXXXX", out->name) < 0)
		return ENOMEM;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0 || fchmod(fd, 0666 & ~mask) < 0)
		error = errno;
	for (size_t done = 0; really && error == 0 && done < out->len;) {
		ssize_t n = write(fd, out->text + done, out->len - done);

		if (n < 0)
			error = errno;
		else
			done += (size_t)n;
	}
	if (fd >= 0 && close(fd) < 0 && error == 0)
		error = errno;
	if (really && error == 0 && rename(temporary, out->name) < 0)
		error = errno;
	if (fd >= 0 && (!really || error != 0))
		unlink(temporary);
	free(temporary);
	return error;
}

/* A signal that ends the program does so before or afterwards: meanwhile there is a file that nobody has asked for. */
static int replace_undisturbed(const struct out *out, bool really)
{
	sigset_t all, before;
	int error;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	error = replace(out, really);
	sigprocmask(SIG_SETMASK, &before, NULL);
	return error;
}

int out_open(struct out *out, const char *file)
{
	struct stat status;

	memset(out, 0, sizeof *out);
	if (strcmp(file, "-") == 0) {
		out->file = stdout;
		return EX_OK;
	}
	/* a symbolic link stays one: what it points to is replaced */
	out->name = realpath(file, NULL);
	if (!out->name)
		out->name = strdup(file);
	if (out->name && stat(out->name, &status) == 0 && !S_ISREG(status.st_mode)) {
		out->file = fopen(out->name, "we");
	} else if (out->name) {
		errno = replace_undisturbed(out, false);
		if (errno == 0)
			out->file = open_memstream(&out->text, &out->len);
	}
	if (out->file)
		return EX_OK;
	complain(file, EX_CANTCREAT);
	forget(out);
	return EX_CANTCREAT;
}

int out_close(struct out *out)
{
	bool failed;

	if (out->file == stdout)
		return standard_flush() ? EX_IOERR : EX_OK;       /* the reason is told on the way out */
	failed = fflush(out->file) != 0 || ferror(out->file);
	if (fclose(out->file) != 0)
		failed = true;
	if (!failed && out->text) {
		errno = replace_undisturbed(out, true);
		failed = errno != 0;
	}
	if (failed)
		complain(out->name, EX_IOERR);
	forget(out);
	return failed ? EX_IOERR : EX_OK;
}

void out_abandon(struct out *out)
{
	if (out->file != stdout)
		fclose(out->file);
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
