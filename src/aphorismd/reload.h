/*
 * reload.h - from one generation to the next; a start is the first reload.
 */
#ifndef APHORISMD_RELOAD_H
#define APHORISMD_RELOAD_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Starts one, where neither a reload nor an upgrade is under way: see wish_reload(). */
void reload_begin(void);
bool reload_is_under_way(void);

/* The number, as status_count_reload() counts, of the next one that has not begun to read files yet. */
uint32_t reload_number(void);

/* At a stop: gives up one that has no workers yet. */
void reload_cancel(void);

/* After something that failed: sockets and log as the current generation left them. */
void reload_restore(void);

/*
 * What the loop asks for: descriptors to poll, at most 1; what the loader has said; when something is due, UINT64_MAX
 * for never; whether a child that was reaped was the loader; to take the steps that can be taken now.
 */
int reload_list(struct pollfd *);
void reload_hear(uint64_t now_us);
uint64_t reload_due_us(void);
bool reload_reaped(pid_t, int wait_status, uint64_t now_us);
void reload_tend(uint64_t now_us);

/* Closes and unmaps, in a worker, what is not its generation's. */
void reload_forget(void);

#endif
