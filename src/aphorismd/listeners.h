/*
 * listeners.h - the sockets that all generations share, which are open as long as one of them lists them.
 */
#ifndef APHORISMD_LISTENERS_H
#define APHORISMD_LISTENERS_H

#include "aphorismd/doctor.h"
#include "aphorismd/generation.h"

/* At a start: takes sockets that were inherited.  Returns 0, or EX_USAGE, complained about. */
int listeners_adopt(void);

/* All that are open; they stay owned here. */
struct listener *const *listeners_all(size_t *count);

/*
 * A listener for each entry of the configuration: the one that is open, or a new one.  0, or a sysexits code with the
 * reason, which is of LISTENER_REASON bytes, and errno.
 */
int listeners_open(const struct config *, struct listener **listeners, char *reason);

/* Has a generation's listeners as its configuration wants them.  False with errno when one can't serve like that. */
bool listeners_tune(const struct generation *);

/*
 * O_NONBLOCK belongs to the open socket: set while any generation needs it, cleared when the last of those has left.
 * False when that can't be done: without it an event worker would block, with it a blocking one only polls.
 */
bool listeners_set_blocking(void);

/*
 * Closes what neither the current nor the next generation lists, unless it is the predecessor's still.  The old one
 * holds its own descriptors.
 */
void listeners_close_unlisted(void);

/* Which of those that are still the predecessor's, in its order, the current generation lists; one bit each. */
uint64_t listeners_taken(void);

/* These are ours from now on, and the others are closed. */
void listeners_own(void);

/*
 * Closes, in a worker of that generation, what it does not list: a listener held open would seem to be served for
 * ever.
 */
void listeners_forget(const struct generation *);

/* Is there one that a worker has shut down, and that no reload has opened anew yet? */
bool listeners_lack_one(void);

/* Tells the old generation which of its listeners the current one does not have: their queues are its to finish. */
void listeners_mark_removed(void);

/* Logs "listening on ADDRESS" for those that the old generation, or the predecessor, did not have. */
void listeners_announce(void);

/*
 * Has the current generation drain, and leaves all to another process, which takes these, one bit each in our order;
 * the queues of the others are the generation's to finish.
 */
void listeners_leave(uint64_t taken, uint64_t now_us);

/* Those that nobody finds any more. */
void listeners_check(const struct doctor_ear *);

#endif
