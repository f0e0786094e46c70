/*
 * dial.h - a client's side of a stream socket, with a time limit on each wait.
 *
 * Deadlines are absolute times of CLOCK_MONOTONIC in us (clock.h), so that a peer that moves a byte now
 * and then cannot renew them.
 */
#ifndef COMMON_DIAL_H
#define COMMON_DIAL_H

#include <netdb.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>

/*
 * Connects to a UNIX socket by its path.  Returns a descriptor, non-blocking and close-on-exec, that the caller owns,
 * or -1 with errno: ETIMEDOUT when the deadline has passed, ENAMETOOLONG when no socket address can hold the path,
 * ECANCELED when `cancel` (-1: none) can be read, which is looked at before each try and after a signal that is
 * caught without SA_RESTART.  Blocks, at most until then.
 */
int dial_unix(const char *path, uint64_t deadline_us, int cancel);

/*
 * Tries the addresses of getaddrinfo(3) in their order until one answers; each gets its share of the
 * time that is left, so that one silent address leaves some to the others.  Returns as dial_unix does,
 * errno being that of the last one to which there is a way from here, if there is any.
 */
int dial_first(const struct addrinfo *, uint64_t deadline_us, int cancel);

/*
 * poll(2) until a deadline (0: none), undisturbed by signals.  Returns as poll does: 0 when the deadline
 * has passed.
 */
int dial_wait(struct pollfd *, nfds_t, uint64_t deadline_us);

#endif
