/*
 * listener_parts.h - what the files of listener.h share among themselves.
 *
 *   listener.c        sockets
 *   listener_file.c   the files of those that are UNIX sockets
 */
#ifndef SERVER_LISTENER_PARTS_H
#define SERVER_LISTENER_PARTS_H

#include "server/address.h"
#include "server/listener.h"

/*
 * Binds to that address, replaces a file that nobody answers on, and notes address and file; the file has that mode
 * from the first moment on.  False with errno; then the file is noted if there is one.
 */
bool listener_bind_file(struct listener *, const struct address *, mode_t);

/* Gives the file another mode, if it is still the listener's.  False with errno. */
bool listener_set_mode(const struct listener *, mode_t);

/* Removes the file if it is still the listener's. */
void listener_remove_file(const struct listener *);

#endif
