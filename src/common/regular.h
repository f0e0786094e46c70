/*
 * regular.h - files that are read to their end: regular ones, and nothing that could make a reader wait.
 */
#ifndef COMMON_REGULAR_H
#define COMMON_REGULAR_H

#include <sys/stat.h>

/*
 * Opens a regular file for reading and looks at it; returns the descriptor, which is the caller's, and never waits for
 * a FIFO's other end or a device.  Else -1 with errno, and *reason in words (static, or strerror's).
 */
int regular_open(const char *path, struct stat *, const char **reason);

#endif
