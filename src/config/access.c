/*
 * access.c - who may connect.
 */
#include "config/access.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { MAPPED_BITS = 96 };

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static bool parse_address(uint8_t address[16], const char *text, int *most)
{
	*most = 128;
	if (inet_pton(AF_INET6, text, address) == 1)
		return true;
	*most = 32;
	memcpy(address, mapped, sizeof mapped);
	return inet_pton(AF_INET, text, address + sizeof mapped) == 1;
}

/* Returns -1 for what is not 0 to most. */
static int parse_bits(const char *text, int most)
{
	int bits = 0;

	if (*text == '\0' || strlen(text) > 3)
		return -1;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		bits = bits * 10 + (*text - '0');
	}
	return bits <= most ? bits : -1;
}

/* Do the first bits of both agree? */
static bool agree(const uint8_t *a, const uint8_t *b, unsigned bits)
{
	uint8_t mask = (uint8_t)(0xff00 >> bits % 8);

	return memcmp(a, b, bits / 8) == 0 && (bits % 8 == 0 || ((a[bits / 8] ^ b[bits / 8]) & mask) == 0);
}

/* Is every bit behind the first ones 0? */
static bool ends(const uint8_t address[16], unsigned bits)
{
	for (unsigned bit = bits; bit < 128; bit++)
		if (address[bit / 8] & (0x80 >> bit % 8))
			return false;
	return true;
}

const char *access_parse(struct access_network *network, const char *text)
{
	size_t len = strcspn(text, "/");
	char address[INET6_ADDRSTRLEN];
	int bits, most;

	if (len >= sizeof address)
		return "is no address or network: write 10.0.0.0/8 or 2001:db8::/32";
	memcpy(address, text, len);
	address[len] = '\0';
	if (!parse_address(network->address, address, &most))
		return "is no address or network: write 10.0.0.0/8 or 2001:db8::/32";
	bits = text[len] == '/' ? parse_bits(text + len + 1, most) : most;
	if (bits < 0)
		return most == 32 ? "the prefix length must be 0 to 32"
		                  : "the prefix length must be 0 to 128";
	network->bits = (uint8_t)(most == 32 ? bits + MAPPED_BITS : bits);
	return ends(network->address, network->bits) ? NULL : "has bits set behind its prefix";
}

const char *access_format(char *to, const struct access_network *network)
{
	bool ipv4 = network->bits >= MAPPED_BITS && memcmp(network->address, mapped, sizeof mapped) == 0;
	char address[INET6_ADDRSTRLEN];

	inet_ntop(ipv4 ? AF_INET : AF_INET6, network->address + (ipv4 ? sizeof mapped : 0), address,
	          sizeof address);
	snprintf(to, ACCESS_TEXT, "%s/%d", address, network->bits - (ipv4 ? MAPPED_BITS : 0));
	return to;
}

/* The longest prefix of the list that the address is in, or -1. */
static int longest_match(const struct access_list *list, const uint8_t address[16], unsigned least)
{
	int longest = -1;

	for (uint32_t i = 0; i < list->count; i++) {
		const struct access_network *network = &list->networks[i];

		if (network->bits >= least && network->bits > longest &&
		    agree(network->address, address, network->bits))
			longest = network->bits;
	}
	return longest;
}

bool access_allows(const struct access_list *allow, const struct access_list *deny,
                   const struct sockaddr *peer)
{
	const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)(const void *)peer;
	const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)(const void *)peer;
	uint8_t address[16];
	unsigned least = 0;
	int allowed, denied;

	if (peer->sa_family == AF_INET) {
		memcpy(address, mapped, sizeof mapped);
		memcpy(address + sizeof mapped, &ipv4->sin_addr, 4);
	} else if (peer->sa_family == AF_INET6) {
		memcpy(address, &ipv6->sin6_addr, sizeof address);
	} else {
		return true;
	}
	/* ::/0 means IPv6: the space that IPv4 is mapped into does not make it mean both. */
	if (memcmp(address, mapped, sizeof mapped) == 0)
		least = MAPPED_BITS;
	allowed = longest_match(allow, address, least);
	denied = longest_match(deny, address, least);
	if (denied >= 0 && denied >= allowed)
		return false;
	return allowed >= 0 || allow->count == 0;
}
