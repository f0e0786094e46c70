/*
 * idle.h - the end for want of clients, where whoever lent the sockets starts the daemon again.
 */
#ifndef APHORISMD_IDLE_H
#define APHORISMD_IDLE_H

#include <stdint.h>

/* When to look whether there is a client; UINT64_MAX for never. */
uint64_t idle_due_us(void);

/* Looks when that is due; wishes for a stop when there has been none for as long as the configuration says. */
void idle_tend(uint64_t now_us);

#endif
