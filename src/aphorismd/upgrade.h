/*
 * upgrade.h - to the program as it is now on disk, in the process that leaves; successor.c is the one that comes.
 */
#ifndef APHORISMD_UPGRADE_H
#define APHORISMD_UPGRADE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Asks for an upgrade, as soon as one can begin.  Returns 0, or a sysexits code with the reason why there will be none
 * (static): EX_TEMPFAIL where asking again helps.
 */
int upgrade_ask(const char **why);

/* At a stop: there will be none, and one that has begun is given up. */
void upgrade_cancel(uint64_t now_us);

/* How far one has come. */
extern enum upgrade_step {
	UPGRADE_NONE,
	UPGRADE_STARTS,                   /* the new process is starting */
	UPGRADE_ENDS,                     /* it has failed, and is to go */
	UPGRADE_DONE,                     /* it has taken our place: we leave, for good */
} upgrade_step;

/* Where it has: whether all is finished that was left to do. */
bool upgrade_is_over(void);

/* Has the successor reload in our place: whoever asked us has read the pidfile a moment too early. */
void upgrade_pass_reload(void);

/*
 * Has the successor's workers recheck their listeners: one of ours that was woken may have left a connection to them.
 */
void upgrade_recheck(void);

#endif
