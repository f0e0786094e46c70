/*
 * compat.h - what not every system has; the only place that asks configure.
 */
#ifndef COMMON_COMPAT_H
#define COMMON_COMPAT_H

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

/* epoll_wait(2) until a point of CLOCK_MONOTONIC in us: exact where the kernel can (5.11), else late by up to 1 ms. */
int compat_epoll_wait(int set, struct epoll_event *, int most, uint64_t until_us);

/*
 * chmod of what a descriptor of O_PATH stands for, which fchmod does not take.  0, or -1 with errno: ENOENT where the
 * kernel is older than 6.6 and there is no /proc.
 */
int compat_chmod(int fd, mode_t);

/* Closes all descriptors from that one on. */
void compat_close_from(int first);

#endif
