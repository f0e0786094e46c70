/*
 * inherited.h - listening sockets that were open when this program began: sd_listen_fds(3).
 *
 * They are served in place of the addresses that the configuration lists, for life: whoever opened them decides where
 * the daemon listens, and goes on with them after it.
 *
 * An upgrade takes the same road.  Then there are two descriptors more, and names that say so: a listener of the daemon
 * itself is "=ADDRESS", as the configuration had it; it is kept if the configuration still has it, like at a reload.
 * Behind the names there is for each but the last, in the same order, DEVICE-INODE of the file that it is bound to:
 * that can't be seen at the socket, and at its path there may be somebody else's by now.
 */
#ifndef APHORISMD_INHERITED_H
#define APHORISMD_INHERITED_H

#include <stdbool.h>
#include <stddef.h>

#include "config/config.h"
#include "net/listener.h"

enum { INHERITED_FIRST = 3, INHERITED_REASON = 256 };

/*
 * Takes LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES out of the environment.  Returns how many descriptors from
 * INHERITED_FIRST on are meant for this process.  To be called before anything is opened.
 */
int inherited_take(void);

/*
 * Puts together the LISTEN_FDNAMES of an upgrade, of STARTER_NAMES bytes; the descriptors go in the same order.
 * control: NULL if there is none.
 */
void inherited_name(char *names, size_t size, struct listener *const *, size_t count,
                    const struct listener *control);

/* Notes in a listener, made of a descriptor that came in an upgrade, which file it is bound to, if that was told. */
void inherited_note_file(struct listener *);

/*
 * In place of that: INHERITED_FIRST is the only one, a listening socket, or a connection, of which the configuration is
 * to know the protocol.
 */
void inherited_set(bool is_connection);

/*
 * Makes listeners of them, which are the caller's then, at most CONFIG_LISTENERS.  False with a reason when LISTEN_FDS
 * made no sense, or when a descriptor was no listening stream socket.
 */
bool inherited_adopt(struct listener **, size_t *count, char *reason);

/*
 * In a loader, after that: puts them into the configuration in place of `listen`.  Each gets the protocol that its name
 * is, else that of the address in the configuration which is its own or, with any host, has its port; else the first.
 * `proxy` is that of the address.  False when an address of a list that somebody wrote is not served now; the first one
 * is in `unserved` then, of CONFIG_ADDRESS bytes.
 */
bool inherited_list(struct config *, char *unserved);

#endif
