/*
 * generations.h - the three generations that there may be at a time: the next one, which starts, the current one, which
 * serves, and the old one, which finishes what it holds.
 */
#ifndef APHORISMD_GENERATIONS_H
#define APHORISMD_GENERATIONS_H

#include "aphorismd/generation.h"

/* NULL where there is none.  They stay owned here, and change in generations.c alone. */
extern struct generations {
	struct generation *next, *current, *old;
} generations;

/* For all of them, the youngest first: one of these, or NULL. */
enum { GENERATIONS = 3 };
struct generation *generations_at(unsigned position);

/* Whether there is none. */
bool generations_are_gone(void);

/* A new one, next to the current one: see generation_new().  NULL with errno. */
struct generation *generations_make_next(struct snapshot *, struct listener *const *);

/* It has no workers, and never was. */
void generations_drop_next(void);

/* The next one is the current one now, and that the old one, of which there is none before. */
void generations_replace(void);

/* The next one can't start: it is killed, and goes the way of the old one, of which there is none before. */
void generations_fail_next(uint64_t now_us);

/* Discards the old one, or any, if it has left.  Returns whether one has. */
bool generations_discard(bool any);

/* Adds up what all of them have counted since the start. */
void generations_sum(struct scoreboard_totals *);

/* Unmaps, in a worker, all but its own: what it kept, their table above all, would live as long as it does. */
void generations_forget(const struct generation *);

#endif
