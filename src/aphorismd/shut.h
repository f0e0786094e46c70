/*
 * shut.h - a worker that was taken over can shut listeners down, for all who share them: then a reload opens them anew.
 */
#ifndef APHORISMD_SHUT_H
#define APHORISMD_SHUT_H

#include <poll.h>

/* Lists the listeners that are to be asked about; returns how many, at most CONFIG_LISTENERS. */
int shut_list(struct pollfd *);

/* What came of it: says which have been shut down, and wishes for a reload where that helps. */
void shut_see(const struct pollfd *, int count);

#endif
