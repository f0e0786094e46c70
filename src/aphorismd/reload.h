/*
 * reload.h - from one generation to the next; a start is the first reload.
 */
#ifndef APHORISMD_RELOAD_H
#define APHORISMD_RELOAD_H

#include <stdbool.h>
#include <stdint.h>

/* Starts one, where neither a reload nor an upgrade is under way: see wish.h. */
void reload_begin(void);
bool reload_is_under_way(void);

/* The number, as status_count_reload() counts, of the next one that has not begun to read files yet. */
uint32_t reload_number(void);

/* At a stop: gives up one that has no workers yet. */
void reload_cancel(void);

/* After something that failed: sockets and log as the current generation left them. */
void reload_restore(void);

#endif
