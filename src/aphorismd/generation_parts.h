/*
 * generation_parts.h - what the files of a generation share among themselves.
 *
 *   generation.c          workers started, adjusted in number, told to go
 *   generation_deaths.c   workers that become ready, each by a word of its own, and that die: whether, and when,
 *                         others are tried; how many there are
 */
#ifndef APHORISMD_GENERATION_PARTS_H
#define APHORISMD_GENERATION_PARTS_H

#include "aphorismd/generation.h"

/* Not ready yet at a time: so few are lost when none can start. */
enum { GENERATION_STARTING = 4 };

/* A page for the worker that is to be forked at that place.  False with errno when there is none. */
bool generation_open_ready(struct generation *, uint32_t number);

/* In a worker: the one for it; the others have gone from its memory. */
_Atomic bool *generation_keep_ready(const struct generation *, uint32_t number);

void generation_close_ready(struct member *);

/* Sees who has said that it is ready, and kills who is late with that, or with a drain; returns how many are ready. */
uint32_t generation_see_ready(struct generation *, uint64_t now_us);

/*
 * The system grants no other process now.  A start waits for no more workers than there are, and the others are tried
 * again later; where there is none it has failed.
 */
void generation_lacks_process(struct generation *, uint64_t now_us);

/* No fork any more; a sysexits code says why. */
void generation_fail(struct generation *, int status);

/*
 * A worker's row is free again when the last process of its group has left: children of a fork worker may outlive
 * it.
 */
void generation_release_rows(struct generation *);

#endif
