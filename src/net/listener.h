/*
 * listener.h - a socket that takes connections.  The supervisor owns it for life, workers inherit it.
 */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "config/config.h"

struct listener {
	int fd;
	int family;
	char asked[CONFIG_ADDRESS];       /* as the configuration says it; of a borrowed one its name */
	char address[CONFIG_ADDRESS];     /* as bound, with the real port */
	dev_t device;                     /* of a UNIX socket's file: so that no other is touched */
	ino_t inode;
	bool inside;                      /* bound by its name in its folder: the path may come to lead elsewhere */
	bool borrowed;                    /* whoever opened it goes on with it after us: queue, file and backlog */
	bool shut;                        /* by a worker that was taken over: nobody can be served there any more */
	bool theirs;                      /* of the process whose place we take, until that leaves it to us */
};

/* The daemon's user and group, to whom the file of a UNIX socket belongs where its entry does not say. */
struct listener_owner {
	uid_t uid;
	gid_t gid;
};

enum {
	LISTENER_REASON = 2 * CONFIG_ADDRESS + 64,        /* two addresses, and what they have to do with each other */
	LISTENER_WRITE_PARTS = 4,         /* send times out after this part of timeouts.write, to see progress */
};

/*
 * Binds and listens.  Returns a listener, to be closed by listener_close(); or NULL with errno, a sysexits code in
 * *status and the address and the reason in reason[LISTENER_REASON].  A UNIX socket that nobody answers on is
 * replaced.  Never blocks.  For a UNIX socket the working directory becomes /.
 */
struct listener *listener_open(const struct config_listen *, const struct listener_owner *, int backlog, int *status,
                               char *reason);

/* The same, next to listeners of ours that exclude the address, and that share (listener_share()) during the call. */
struct listener *listener_open_beside(const struct config_listen *, const struct listener_owner *, int backlog,
                                      int *status, char *reason);

/* Why this process can't give a UNIX socket to whom its entry names; NULL when it can, or will hear when it tries. */
const char *listener_cant_give(const struct config_listen *);

/* Why that address can't be listened on, for people; error: errno.  Lasts until the next call of strerror(). */
const char *listener_reason(const char *address, int error);

/* Could it be bound here and by us?  0, also where somebody listens there or it is a UNIX socket; or errno. */
int listener_try(const struct config_listen *);

/*
 * Lets another socket of the same user, which does so too, be bound to an address that excludes this one; false with
 * errno.  For moments: as long as it is set any process of that user could join in.
 */
bool listener_share(const struct listener *, bool);

/*
 * Takes a descriptor that is a listening socket (descriptor.h) and that somebody else has opened, for connections that
 * are served like those of our own.  It is borrowed, or `theirs` if the caller says so; of one that is bound inside its
 * folder the caller knows the address.  NULL with errno when that can't be; the descriptor is the caller's again.
 */
struct listener *listener_adopt(int fd, const char *asked, bool borrowed);

/*
 * Is the file at a UNIX socket's path the one that this listener is bound to?  False with errno ENOENT when there is
 * none, EADDRINUSE when it is somebody else's, or why the path can't be looked at.
 */
bool listener_has_file(const struct listener *);

/* Has its file been removed, so that nobody finds it any more?  Not if it is borrowed: its path is not ours to fill. */
bool listener_is_lost(const struct listener *);

/*
 * Gives its file, if it is still there and its own, the mode and the owners that the entry asks for.  What fails is
 * logged.
 */
void listener_set_file(const struct listener *, const struct config_listen *, const struct listener_owner *);

/* What a TCP connection inherits from a listener of ours beside time-outs.  False with errno when that is not done. */
bool listener_set_tcp(int fd);

/* Closes, and removes a UNIX socket's file if it is ours, not `theirs`.  listener_end() leaves what is known of it. */
void listener_end(struct listener *);
void listener_close(struct listener *);

/* Closes this process's descriptor of what another process goes on with. */
void listener_forget(struct listener *);

/* Is it what this entry of a configuration asks for? */
bool listener_serves(const struct listener *, const struct config_listen *);

/* Would this entry's listener take all clients who come to this one, were it closed? */
bool listener_is_covered(const struct listener *, const struct config_listen *);

/* Can't both be bound, unless they share?  Of 127.0.0.1 and * with the same port each excludes the other. */
bool listener_excludes(const struct listener *, const struct config_listen *);

/* Is a UNIX listener's file the one at that address, by whatever path? */
bool listener_is_at(const struct listener *, const char *address);

/*
 * Sets what a reload may have changed: the backlog and a UNIX socket's mode and owners, unless it is borrowed, and the
 * time-outs that TCP connections inherit from it at no cost (UNIX ones do not): idle for input, a part of write for
 * output.  Of one that was shut nothing.  False with errno when that is not done.
 */
bool listener_set_timeouts(int fd, const struct config *);
bool listener_tune(const struct listener *, const struct config *, const struct config_listen *,
                   const struct listener_owner *);

/* Clients in its queue, whom nobody has taken yet; -1 for what is not TCP, as the kernel does not tell there. */
int64_t listener_queued(int fd);

/*
 * Sets or clears O_NONBLOCK, which belongs to the open socket that all processes share.  False with errno when that is
 * not done.  Async-signal-safe.
 */
bool listener_nonblocking(int fd, bool);

#endif
