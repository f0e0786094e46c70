/*
 * queues.h - nobody is to wait in a queue for one worker while others are idle.
 */
#ifndef APHORISMD_QUEUES_H
#define APHORISMD_QUEUES_H

#include <poll.h>
#include <stdint.h>

/*
 * Lists the listeners to poll for, as somebody may come whom a busy worker is told of; returns how many, at most
 * CONFIG_LISTENERS.  The second is given what came of it.
 */
int queues_list(struct pollfd *);
void queues_see(const struct pollfd *, int count);

/* When to look who is queued; UINT64_MAX for not before somebody has come. */
uint64_t queues_due_us(void);

/* Looks, when that is due, and has the workers look when somebody is still there. */
void queues_tend(uint64_t now_us);

#endif
