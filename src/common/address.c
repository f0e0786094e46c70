/*
 * address.c - socket addresses as people write them.
 */
#include "common/address.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static const char unix_prefix[] = "unix:";

static const char *parse_unix(struct address *address, const char *path)
{
	struct sockaddr_un *sockaddr = (struct sockaddr_un *)(void *)&address->sockaddr;

	if (*path != '/')
		return "the path of a UNIX socket must be absolute";
	if (strlen(path) >= sizeof sockaddr->sun_path)
		return "the path of a UNIX socket is at most 107 bytes long";
	sockaddr->sun_family = AF_UNIX;
	strcpy(sockaddr->sun_path, path);
	address->len = sizeof *sockaddr;
	return NULL;
}

/* Returns -1 for what is no port. */
static int parse_port(const char *text)
{
	size_t len = strspn(text, "0123456789");

	return len > 0 && len <= 5 && text[len] == '\0' && atoi(text) <= 65535 ? atoi(text) : -1;
}

static void set_ipv4(struct address *address, const void *bytes, int port)
{
	struct sockaddr_in *sockaddr = (struct sockaddr_in *)(void *)&address->sockaddr;

	sockaddr->sin_family = AF_INET;
	sockaddr->sin_port = htons((uint16_t)port);
	memcpy(&sockaddr->sin_addr, bytes, sizeof sockaddr->sin_addr);
	address->len = sizeof *sockaddr;
}

static void set_ipv6(struct address *address, const struct in6_addr *bytes, int port)
{
	struct sockaddr_in6 *sockaddr = (struct sockaddr_in6 *)(void *)&address->sockaddr;

	sockaddr->sin6_family = AF_INET6;
	sockaddr->sin6_port = htons((uint16_t)port);
	sockaddr->sin6_addr = *bytes;
	address->len = sizeof *sockaddr;
}

const char *address_parse(struct address *address, const char *text)
{
	static const char form[] =
		"must be 127.0.0.1:1060, [::1]:1060, *:1060 or unix:/path; names are not looked up";
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	size_t host_len = colon ? (size_t)(colon - text) : 0;
	struct in6_addr ipv6;
	struct in_addr ipv4;
	int port;

	memset(address, 0, sizeof *address);
	if (strncmp(text, unix_prefix, strlen(unix_prefix)) == 0)
		return parse_unix(address, text + strlen(unix_prefix));
	if (host_len == 0 || host_len >= sizeof host)
		return form;
	memcpy(host, text, host_len);
	host[host_len] = '\0';
	port = parse_port(colon + 1);
	address->any = strcmp(host, "*") == 0;
	if (address->any) {
		set_ipv6(address, &in6addr_any, port);
	} else if (inet_pton(AF_INET, host, &ipv4) == 1) {
		set_ipv4(address, &ipv4, port);
	} else if (host[0] == '[' && host[host_len - 1] == ']') {
		host[host_len - 1] = '\0';
		if (inet_pton(AF_INET6, host + 1, &ipv6) != 1)
			return form;
		if (IN6_IS_ADDR_V4MAPPED(&ipv6))
			set_ipv4(address, ipv6.s6_addr + 12, port);
		else
			set_ipv6(address, &ipv6, port);
	} else {
		return form;
	}
	return port < 0 ? "the port must be a number from 0 to 65535" : NULL;
}

in_port_t address_port(const struct address *address)
{
	return address->sockaddr.ss_family == AF_INET
	       ? ((const struct sockaddr_in *)(const void *)&address->sockaddr)->sin_port
	       : ((const struct sockaddr_in6 *)(const void *)&address->sockaddr)->sin6_port;
}

bool address_is_unspecified(const struct address *address)
{
	return address->sockaddr.ss_family == AF_INET
	       ? ((const struct sockaddr_in *)(const void *)&address->sockaddr)->sin_addr.s_addr == INADDR_ANY
	       : IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)(const void *)&address->sockaddr)->sin6_addr);
}

bool address_covers(const struct address *outer, const struct address *inner)
{
	int family = inner->sockaddr.ss_family;

	if (outer->sockaddr.ss_family == AF_UNIX || family == AF_UNIX)
		return memcmp(&outer->sockaddr, &inner->sockaddr, sizeof outer->sockaddr) == 0;
	if (address_port(outer) != address_port(inner) || address_port(outer) == 0 || (inner->any && !outer->any))
		return false;
	if (outer->any || (outer->sockaddr.ss_family == family && address_is_unspecified(outer)))
		return true;
	return memcmp(&outer->sockaddr, &inner->sockaddr, sizeof outer->sockaddr) == 0;
}

static void format_ipv6(char *to, size_t size, const struct sockaddr_in6 *sockaddr)
{
	char host[INET6_ADDRSTRLEN];
	unsigned port = ntohs(sockaddr->sin6_port);

	if (IN6_IS_ADDR_V4MAPPED(&sockaddr->sin6_addr)) {
		inet_ntop(AF_INET, sockaddr->sin6_addr.s6_addr + 12, host, sizeof host);
		snprintf(to, size, "%s:%u", host, port);
	} else {
		inet_ntop(AF_INET6, &sockaddr->sin6_addr, host, sizeof host);
		snprintf(to, size, "[%s]:%u", host, port);
	}
}

const char *address_format(char *to, size_t size, const struct sockaddr *sockaddr)
{
	const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)(const void *)sockaddr;
	const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)sockaddr;
	char host[INET_ADDRSTRLEN];

	switch (sockaddr->sa_family) {
	case AF_INET:
		inet_ntop(AF_INET, &ipv4->sin_addr, host, sizeof host);
		snprintf(to, size, "%s:%u", host, (unsigned)ntohs(ipv4->sin_port));
		break;
	case AF_INET6:
		format_ipv6(to, size, (const struct sockaddr_in6 *)(const void *)sockaddr);
		break;
	case AF_UNIX:
		if (un->sun_path[0] == '\0' && un->sun_path[1] != '\0')
			snprintf(to, size, "%s@%.*s", unix_prefix, (int)sizeof un->sun_path - 1, un->sun_path + 1);
		else
			snprintf(to, size, "%s%.*s", unix_prefix, (int)sizeof un->sun_path, un->sun_path);
		break;
	default:
		snprintf(to, size, "an address of family %d", sockaddr->sa_family);
	}
	return to;
}
