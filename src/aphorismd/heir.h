/*
 * heir.h - an upgrade, in the process that comes: upgrade.h is the one that leaves.
 */
#ifndef APHORISMD_HEIR_H
#define APHORISMD_HEIR_H

#include <stdint.h>

/* Our first generation serves: asks for what the elder has, if there is one. */
void heir_claim(void);

/* Takes what the elder has said, a line at a time. */
void heir_hear(uint64_t now_us);

#endif
