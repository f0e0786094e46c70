/*
 * upgrade.h - to the program as it is now on disk, in the process that leaves; heir.h is the one that comes.
 */
#ifndef APHORISMD_UPGRADE_H
#define APHORISMD_UPGRADE_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Makes what it needs before the sandbox is entered.  NULL, or the call that failed, with errno. */
const char *upgrade_open(void);

/*
 * Asks for an upgrade, as soon as one can begin.  Returns 0, or a sysexits code with the reason why there will be none
 * (static): EX_TEMPFAIL where asking again helps.
 */
int upgrade_ask(const char **why);

/* At a stop: there will be none, and one that has begun is given up. */
void upgrade_cancel(uint64_t now_us);

/* Whether a new process is there, or was and is not gone; it starts; it has taken our place, and we leave, for good. */
bool upgrade_is_under_way(void);
bool upgrade_is_starting(void);
bool upgrade_is_done(void);

/* Whether another process has our place, and all is finished that was left to do. */
bool upgrade_is_over(void);

/* Has the heir reload: whoever asked us has read the pidfile a moment too early. */
void upgrade_pass_reload(void);

/* Has the heir's workers look at their listeners: one of ours that was woken may have left a connection to them. */
void upgrade_look(void);

/*
 * What the loop asks for: descriptors to poll, at most 2; what starter and heir have said; when something is due,
 * UINT64_MAX for never; whether a child that was reaped was the heir; to take the steps that can be taken now.
 */
int upgrade_list(struct pollfd *);
void upgrade_hear(uint64_t now_us);
uint64_t upgrade_due_us(void);
bool upgrade_reaped(pid_t, int wait_status, uint64_t now_us);
void upgrade_tend(uint64_t now_us);

/* Closes what is not a worker's, in one. */
void upgrade_forget(void);

/* Ends and reaps the process that starts programs. */
void upgrade_close(void);

#endif
