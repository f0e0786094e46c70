/*
 * html.h - what the page of a report is made of.
 */
#ifndef BENCH_HTML_H
#define BENCH_HTML_H

#include <stdio.h>

/* Writes text so that a browser shows it as it is, in an element or in a quoted attribute. */
void html_text(FILE *page, const char *text);

/* The page's style sheet. */
extern const char html_style[];

#endif
