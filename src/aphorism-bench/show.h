/*
 * show.h - figures as people read them, the same in the table and in the report; "-" is one that could not be read.
 */
#ifndef BENCH_SHOW_H
#define BENCH_SHOW_H

#include <stdint.h>

#include "aphorism-bench/cell.h"

enum { SHOW_TEXT = 32, SHOW_REMARK = 256, SHOW_BLOCK = 192 };

/* Each writes at most SHOW_TEXT bytes and returns `to`. */
char *show_count(char *to, double);               /* 182,300 */
char *show_real(char *to, double);                /* three digits: 0.214, 7.25, 112 */
char *show_duration(char *to, double us);         /* 120us, 1.21ms, 2.05s */
char *show_bytes(char *to, double bytes);         /* 12.1M */
char *show_spread(char *to, struct figure);       /* the wider side of its interval: 3% */

/* The load that the cells of a block have in common: "steady, 64 connections"; at most SHOW_BLOCK bytes. */
char *show_block(char *to, const struct cell *);

/* A kind of error in words. */
char *show_error(char *to, enum load_error);

/*
 * What must be known of a cell before its figures are believed, in words ("best", "never served 63 of 64; 12 late");
 * writes at most SHOW_REMARK bytes and returns `to`.
 */
char *show_remark(char *to, const struct cell *);

#endif
