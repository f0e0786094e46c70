/*
 * place.h - where the server is: from what a user writes to a connection.
 */
#ifndef COMMON_PLACE_H
#define COMMON_PLACE_H

#include <stdint.h>

enum { PLACE_NAME = 256 };

struct place {
	char host[PLACE_NAME];            /* a name or an address; of a UNIX socket its path */
	char port[8];                     /* "" for a UNIX socket */
	char name[PLACE_NAME + 16];       /* for messages: "localhost:1060", "[::1]:1060", "unix:/path" */
};

/*
 * Parses "HOST", "HOST:PORT", "[ADDRESS]", "[ADDRESS]:PORT", a bare IPv6 address or "unix:/path"; port
 * is used where the text has none.  Returns NULL, or the reason (static).
 */
const char *place_parse(struct place *, const char *text, unsigned port);

/*
 * Connects, within timeout_us (the look-up of a name not counted).  Returns a descriptor as dial.h does,
 * which the caller owns; or -1, with the reason told on standard error in the program's name and the exit
 * status in *status.  Blocks.
 */
int place_connect(const char *program, const struct place *, uint64_t timeout_us, int *status);

#endif
