/*
 * picture.h - a picture drawn by gnuplot, as SVG inside of an HTML page that gives it its colours.
 *
 * A line type from 1 to PICTURE_LINES is a model's: a colour, a dash and a shape.  The colour is only a number: the
 * page's style sheet says which one it is on a light and on a dark screen.
 */
#ifndef BENCH_PICTURE_H
#define BENCH_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum { PICTURE_CURVES = 32, PICTURE_LINES = 8, PICTURE_CAPTION = 160, PICTURE_NAME = 48 };

/* One of its plots, in their order. */
struct picture_curve {
	char name[PICTURE_NAME];          /* as text of the page */
	unsigned line;                    /* 0 to PICTURE_LINES - 1 */
};

struct picture {
	char caption[PICTURE_CAPTION];
	bool has_key;                     /* a list of the curves under the picture */
	FILE *script;                     /* gnuplot's commands */
	struct picture_curve curves[PICTURE_CURVES];
	size_t curve_count;
	unsigned number;                  /* in the page: 0, 1, ... */
};

/* Whether there is a gnuplot.  Returns EX_OK, or EX_UNAVAILABLE after one line that says what to install. */
int picture_try(void);

/* Begins the script of a picture of that size.  Returns EX_OK, or EX_OSERR after one line of reason. */
int picture_begin(struct picture *, int width, int height);

/* Writes text as gnuplot's string constant, to be shown at a tic as it is, but a long one without its middle. */
void picture_put_tic(struct picture *, const char *);

/*
 * Runs gnuplot on the script, waits for it, writes the picture with its caption to the page and goes on to the next
 * number; nothing when there are no curves.  Returns EX_OK, or EX_UNAVAILABLE or EX_OSERR after one line of reason.
 * Frees the script in any case.
 */
int picture_end(struct picture *, FILE *page);

#endif
