/*
 * notices.h - workers' notices: the pipe through which they speak to the supervisor, and a limit to what that costs it.
 */
#ifndef APHORISMD_NOTICES_H
#define APHORISMD_NOTICES_H

#include <stdbool.h>
#include <stdint.h>

/* Makes the pipe.  Returns the end that they write to, for life; -1 with errno. */
int notices_open(void);

/* Before each wait: reckons up what workers have cost since the last one. */
void notices_reckon(uint64_t now_us);

/* Whether workers have cost more than they may: then their deaths are not to wake us either, for a while. */
bool notices_deaf(void);

/* Something was done at their instance that only the caller knows of. */
void notices_blame(void);

/* Takes all that they have said, when they have gone. */
void notices_hear_rest(void);

#endif
