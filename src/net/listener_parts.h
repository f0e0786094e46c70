/*
 * listener_parts.h - what the files of listener.h share among themselves.
 *
 *   listener.c        sockets
 *   listener_file.c   the files of those that are UNIX sockets
 *   listener_owner.c  whom these belong to
 */
#ifndef NET_LISTENER_PARTS_H
#define NET_LISTENER_PARTS_H

#include "common/address.h"
#include "common/folder.h"
#include "net/listener.h"

/*
 * Binds to that address, replaces a file that nobody answers on, and notes address and file; the file has its mode, and
 * belongs to whom the entry names, else to the daemon's own, from the first moment on at which somebody can connect.
 * False with errno; then the file is noted if there is one.
 */
bool listener_bind_file(struct listener *, const struct address *, const struct config_listen *,
                        const struct listener_owner *);

/* Removes the file if it is still the listener's. */
void listener_remove_file(const struct listener *);

/* Whom the entry's file is to belong to. */
struct listener_owner listener_wanted_owner(const struct config_listen *, const struct listener_owner *);

/*
 * Gives a file that has just been bound, and that is `from`'s and has one name, to those whom it is to belong to.  A
 * folder that has its files belong to its own group does so where the entry names none.  False with errno; that a file
 * of ours stays with its user or group, whom the entry does not name, is no failure, and logged.
 */
bool listener_give(int file, const struct folder *, const struct stat *, const struct config_listen *,
                   const struct listener_owner *, uid_t from);

/* Gives a file the mode and the owners that are wanted now.  NULL, or with errno what could not be changed (static). */
const char *listener_change_file(int file, const struct folder *, const struct stat *, const struct config_listen *,
                                 const struct listener_owner *);

#endif
