/*
 * wish.h - what a part of the supervisor wants of the whole.
 *
 * A part knows those that it is built upon, and nobody above it.  So it leaves a wish, and the loop, which knows all,
 * carries it out as soon as that part has returned.
 */
#ifndef APHORISMD_WISH_H
#define APHORISMD_WISH_H

#include <stdbool.h>
#include <stdint.h>

enum { WISH_AT_ONCE = 2 };

/* The daemon is to stop: gracefully (1), or at once (WISH_AT_ONCE, or when that is wished a second time). */
void wish_stop(int urgency);

/* How urgently it is to stop, from the first wish on: 0 (not at all), 1 or WISH_AT_ONCE. */
int wish_stopping(void);

/* True once for all wishes to stop that have come since it was asked last. */
bool wish_take_stop(void);

/* Another reload.  It is kept until none is under way; those that are wished meanwhile are one. */
void wish_reload(void);
bool wish_has_reload(void);

/* True if there was one; it is no more. */
bool wish_take_reload(void);

/*
 * Workers are to look at their listeners, as somebody may be queued of whom another one was told: see
 * worker_listens_no_more().  Once, or on each turn until then.
 */
void wish_look(uint64_t until_us);
bool wish_has_look(void);

/* They have been told to. */
void wish_looked(uint64_t now_us);

#endif
