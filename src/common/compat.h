/*
 * compat.h - what not every system has; the only place that asks configure.
 */
#ifndef COMMON_COMPAT_H
#define COMMON_COMPAT_H

#include <stdint.h>
#include <sys/epoll.h>

/* epoll_wait(2) until a point of CLOCK_MONOTONIC in us: exact where the kernel can (5.11), else late by up to 1 ms. */
int compat_epoll_wait(int set, struct epoll_event *, int most, uint64_t until_us);

/* Closes all descriptors from that one on. */
void compat_close_from(int first);

#endif
