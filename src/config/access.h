/*
 * access.h - who may connect: lists of networks, the longest match wins.
 */
#ifndef CONFIG_ACCESS_H
#define CONFIG_ACCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* An IPv4 network is held as its IPv6-mapped form, ::ffff:a.b.c.d, with 96 added to its prefix length. */
struct access_network {
	uint8_t address[16];
	uint8_t bits;
};

enum { ACCESS_NETWORKS = 1024, ACCESS_TEXT = 64 };

struct access_list {
	uint32_t count;
	struct access_network networks[ACCESS_NETWORKS];
};

/*
 * Parses "10.0.0.0/8", "::1/128" or a bare address.  Returns NULL, or the reason (static): bits set behind
 * the prefix are an error, *network is then undefined.
 */
const char *access_parse(struct access_network *, const char *text);

/* The network as access_parse() takes it; to holds ACCESS_TEXT bytes.  Returns `to`. */
const char *access_format(char *to, const struct access_network *);

/*
 * May a peer of that address be served?  UNIX peers always.  A tie between allow and deny is denied.  An IPv6
 * network wider than the space of mapped addresses, such as ::/0, says nothing of IPv4.
 */
bool access_allows(const struct access_list *allow, const struct access_list *deny, const struct sockaddr *);

#endif
