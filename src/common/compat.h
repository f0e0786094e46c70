/*
 * compat.h - what not every system has; the only place that asks configure.
 */
#ifndef COMMON_COMPAT_H
#define COMMON_COMPAT_H

#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

/*
 * The kernel's younger calls have something older behind them, here or in the C library.  A kernel that is older than a
 * call says ENOSYS; a container's filter of system calls that is older says EPERM, which is taken for the same, but not
 * where it is the kernel's true answer.  What is lacking is not tried again.
 */

/* Receives a call's name, who withholds it and what follows from that, and what mends it.  Texts last for the call. */
typedef void compat_report(void *arg, const char *call, const char *what, const char *mend);

/* Tells of each call that is lacking here, if somebody may want to know.  Asks the kernel; does not block. */
void compat_each_lacking(compat_report *, void *arg);

/* epoll_wait(2) until a point of CLOCK_MONOTONIC in us: exact where the kernel can (5.11), else late by up to 1 ms. */
int compat_epoll_wait(int set, struct epoll_event *, int most, uint64_t until_us);

/*
 * sem_wait(3) until a point of CLOCK_MONOTONIC in us.  0, or -1 with errno: ETIMEDOUT, EINTR.  Where the C library can
 * wait by the wall clock alone (musl), who sets that back at the very moment when a wait begins prolongs it.
 */
int compat_sem_wait(sem_t *, uint64_t until_us);

/* Sends a signal to a thread of a process; 0, or -1 with errno.  Async-signal-safe. */
int compat_signal_thread(pid_t, pid_t thread, int signal);

/*
 * chmod of what a descriptor of O_PATH stands for, which fchmod does not take.  0, or -1 with errno: ENOENT where the
 * kernel is older than 6.6 and there is no /proc.
 */
int compat_chmod(int fd, mode_t);

/* Closes all descriptors from that one on. */
void compat_close_from(int first);

/*
 * As pthread_create(3), which takes a filter's EPERM to clone3 for its answer: that call is hidden then from the
 * calling thread and all that it starts, by a filter that brings along PR_SET_NO_NEW_PRIVS.
 */
int compat_start_thread(pthread_t *, const pthread_attr_t *, void *(*run)(void *), void *given);

#endif
