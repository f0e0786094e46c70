/*
 * endpoint.h - where the server is: from what a user writes to a connection.
 */
#ifndef COMMON_ENDPOINT_H
#define COMMON_ENDPOINT_H

#include <stdint.h>

enum { ENDPOINT_NAME = 256, ENDPOINT_ADDRESS = ENDPOINT_NAME + 16, ENDPOINT_REASON = 2 * ENDPOINT_NAME };

/* This machine, and where nobody says another: ::1 and 127.0.0.1 of both families, which no resolver is asked for. */
#define ENDPOINT_LOCALHOST "localhost"

struct endpoint {
	char host[ENDPOINT_NAME];         /* a name or an address; of a UNIX socket its path */
	char port[8];                     /* "" for a UNIX socket */
	char name[ENDPOINT_ADDRESS];      /* for messages: "localhost:1060", "[::1]:1060", "unix:/path" */
};

/*
 * Parses "HOST", "HOST:PORT", "[ADDRESS]", "[ADDRESS]:PORT", a bare IPv6 address or "unix:/path"; port
 * is used where the text has none.  Returns NULL, or the reason (static).
 */
const char *endpoint_parse(struct endpoint *, const char *text, unsigned port);

/*
 * Connects, within timeout_us (the look-up of a name not counted) and until `cancel` can be read.  Returns a
 * descriptor as dial.h does, which the caller owns; or -1 with errno (0: the name could not be looked up), the exit
 * status in *status and the reason, which names the server, in `reason` (ENDPOINT_REASON bytes).  Blocks.
 */
int endpoint_connect(const struct endpoint *, uint64_t timeout_us, int cancel, char *reason, int *status);

/*
 * The address that fd is connected to, as a name has many: "127.0.0.1:1060", "[::1]:1060", "unix:/path".
 * Writes it to `to` (ENDPOINT_ADDRESS bytes), the endpoint's name when the system doesn't tell.
 */
void endpoint_address(const struct endpoint *, int fd, char *to);

#endif
