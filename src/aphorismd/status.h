/*
 * status.h - how the daemon is, for whoever asks.
 */
#ifndef APHORISMD_STATUS_H
#define APHORISMD_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "metrics/figures.h"

/* From here on it is up. */
void status_begin(void);

/* A reload has ended; the start is the first one.  Returns how many have by now. */
uint32_t status_count_reload(bool failed);
uint32_t status_reloads(void);

/* All that there is to show, at this moment. */
void status_figures(struct figures *);

/* The same as a function of figures.h prints it, to be freed; NULL with errno. */
char *status_text(void (*print)(const struct figures *, FILE *));

/* To the log, as a line. */
void status_log(void);

/* Tells the service manager that there is a generation that serves, after a start or a reload, however that ended. */
void status_notify_ready(bool failed);

#endif
