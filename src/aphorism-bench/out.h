/*
 * out.h - a text file that appears as a whole or not at all, whatever ends the program meanwhile: it is kept in
 * memory until it is complete.
 */
#ifndef BENCH_OUT_H
#define BENCH_OUT_H

#include <stdio.h>

struct out {
	FILE *file;                       /* to be written to; errors are looked at in the end */
	char *name;
	char *text;                       /* what has been written so far; NULL: it is in the file */
	size_t len;
};

/*
 * Opens the file for writing: "-" is standard output; a regular file keeps its old content until out_close();
 * anything else (a pipe, a device) is written to as it is.  Returns EX_OK, or EX_CANTCREAT after one line that says
 * file and reason.
 */
int out_open(struct out *, const char *file);

/*
 * Completes it.  Returns EX_OK, or EX_IOERR after one line, which for standard output comes when the program exits: the
 * old file is untouched then.
 */
int out_close(struct out *);

/* Leaves no trace of it; not for one that is closed. */
void out_abandon(struct out *);

/* Whether the file could be written: as out_open(), but nothing remains.  To be asked before a long measurement. */
int out_try(const char *file);

#endif
