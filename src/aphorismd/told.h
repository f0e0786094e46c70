/*
 * told.h - what workers tell the supervisor, and how much of its time that may take.
 */
#ifndef APHORISMD_TOLD_H
#define APHORISMD_TOLD_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* Makes the pipe through which workers speak.  Returns the end that they write to, for life; -1 with errno. */
int told_open(void);

/*
 * Before a wait: takes what workers have cost since the last one from what they may.  When that is too much the
 * supervisor is deaf to them until told_due_us(), and to signals of their deaths, too.  Lists the pipe, if it is not;
 * returns how many descriptors.
 */
int told_list(struct pollfd *);
bool told_is_deaf(void);

/* The end of the rest; UINT64_MAX when there is none. */
uint64_t told_due_us(void);

/* Something was done at their instance that only the caller knows of. */
void told_blame(void);

/*
 * Takes what they have said, if it is not deaf: that there is something to see in the scoreboard, or lines for the log.
 * The second: all of it, when they have gone.
 */
void told_hear(uint64_t now_us);
void told_hear_rest(void);

/* Closes its end, in a worker. */
void told_forget(void);

#endif
