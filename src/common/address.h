/*
 * address.h - socket addresses as people write them; names of hosts are not among them.
 */
#ifndef COMMON_ADDRESS_H
#define COMMON_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

struct address {
	struct sockaddr_storage sockaddr;
	socklen_t len;
	bool any;                         /* "*": the IPv6 any address, which is to take IPv4 too */
};

/*
 * Parses 127.0.0.1:1060, [::1]:1060, *:1060 or unix:/absolute/path.  An IPv4 address in its IPv6 form becomes
 * IPv4. Returns NULL, or the reason (static).  All bytes of the sockaddr are set, so that two of them can be
 * compared.
 */
const char *address_parse(struct address *, const char *text);

/* Of no UNIX address: the port, in network order; and is it that of all interfaces? */
in_port_t address_port(const struct address *);
bool address_is_unspecified(const struct address *);

/*
 * Does the first one take all that comes to the second one, where that is not bound?  So it does if they are the same.
 * Two of which neither takes what comes to the other can be bound at the same time.  Port 0 takes nothing.
 */
bool address_covers(const struct address *, const struct address *);

/*
 * Writes 127.0.0.1:1060, [::1]:1060, an IPv4 address in its IPv6 form as IPv4, unix:/path, unix:@name for an abstract
 * name, or unix: alone for a socket without a name.  Bytes behind a UNIX socket's name must be 0.  Returns `to`.
 */
const char *address_format(char *to, size_t size, const struct sockaddr *);

#endif
