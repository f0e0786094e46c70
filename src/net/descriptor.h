/*
 * descriptor.h - what a descriptor is that somebody else has opened and left to us.
 */
#ifndef NET_DESCRIPTOR_H
#define NET_DESCRIPTOR_H

enum descriptor_kind {
	DESCRIPTOR_LISTENER,              /* a stream socket, TCP or UNIX, that listens */
	DESCRIPTOR_CONNECTION,            /* one that does not */
	DESCRIPTOR_OTHER,
};

/* Asks the kernel.  In *what: the same in words, for an error ("a datagram socket"), static. */
enum descriptor_kind descriptor_kind(int fd, const char **what);

#endif
