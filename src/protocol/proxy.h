/*
 * proxy.h - the PROXY protocol, versions 1 and 2: what a proxy says of its client before the client's first byte.
 *
 * https://www.haproxy.org/download/2.6/doc/proxy-protocol.txt
 */
#ifndef PROTOCOL_PROXY_H
#define PROTOCOL_PROXY_H

#include <stddef.h>
#include <stdint.h>

enum {
	PROXY_LINE = 107,                 /* bytes of the longest header of version 1, CR LF counted */
	PROXY_MOST = 4096,                /* of version 2: ours, the protocol allows for 65551 */
};

enum proxy_client {
	PROXY_ITSELF,                     /* nobody else is named: a health check, or a client of an unknown kind */
	PROXY_TCP,
	PROXY_UNIX,                       /* whose names are of no use on another machine */
};

struct proxy_header {
	uint32_t len;                     /* bytes */
	enum proxy_client client;
	uint8_t address[16];              /* of a TCP client; IPv4 in its IPv6-mapped form */
	uint16_t port;
};

/*
 * Reads the header at the front of what has come so far.  Returns NULL and sets header->len to 0 when more bytes are
 * needed, else to its length; or the reason (static) why this is none.  What it says of longer input with the same
 * beginning never differs, but for the need of more.  A whole header takes one pass and is not changed.
 */
const char *proxy_read(struct proxy_header *, const char *at, size_t len);

#endif
