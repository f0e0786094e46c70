/*
 * endpoint.c - where the server is: from what a user writes to a connection.
 */
#include "common/endpoint.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include "common/clock.h"
#include "common/dial.h"
#include "common/options.h"

static const char unix_prefix[] = "unix:";

static const char *parse_unix(struct endpoint *endpoint, const char *path)
{
	if (path[0] != '/')
		return "the path of a UNIX socket begins with /";
	if (snprintf(endpoint->host, sizeof endpoint->host, "%s", path) >= (int)sizeof endpoint->host)
		return "the path is too long";
	endpoint->port[0] = '\0';
	snprintf(endpoint->name, sizeof endpoint->name, "unix:%s", endpoint->host);
	return NULL;
}

static void put_name(char *to, const char *host, const char *port)
{
	snprintf(to, ENDPOINT_ADDRESS, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
}

const char *endpoint_parse(struct endpoint *endpoint, const char *text, unsigned port)
{
	const char *end, *colon;
	size_t len;

	if (strncmp(text, unix_prefix, sizeof unix_prefix - 1) == 0)
		return parse_unix(endpoint, text + sizeof unix_prefix - 1);
	if (text[0] == '[') {
		end = strchr(++text, ']');
		if (!end || (end[1] != '\0' && end[1] != ':'))
			return "not of the form [ADDRESS]:PORT";
		colon = end[1] == ':' ? end + 1 : NULL;
	} else {
		colon = strchr(text, ':');
		if (colon && strchr(colon + 1, ':'))
			colon = NULL;     /* a bare IPv6 address */
		end = colon ? colon : text + strlen(text);
	}
	len = (size_t)(end - text);
	if (len == 0 || len >= sizeof endpoint->host)
		return len == 0 ? "no host" : "the name is too long";
	if (colon) {
		port = (unsigned)options_number(colon + 1, 65535);
		if (port == 0)
			return "a port is a number from 1 to 65535";
	}
	memcpy(endpoint->host, text, len);
	endpoint->host[len] = '\0';
	snprintf(endpoint->port, sizeof endpoint->port, "%u", port & 0xffff);
	put_name(endpoint->name, endpoint->host, endpoint->port);
	return NULL;
}

/* What a failed look-up means: that there is no such host only if the resolver has said so.  Returns an exit status. */
static int explain_lookup(int error, const char *host, char *why)
{
	const char *reason = error == EAI_SYSTEM ? strerror(errno) : gai_strerror(error);
	int status;

	switch (error) {
	case EAI_AGAIN:                   /* no server can be reached, or it can't answer */
	case EAI_FAIL:
		status = EX_TEMPFAIL;
		break;
	case EAI_MEMORY:
	case EAI_SYSTEM:
		status = EX_OSERR;
		break;
	default:
		status = EX_NOHOST;
	}
	snprintf(why, ENDPOINT_REASON, "%s: %s: %s", host,
	         status == EX_NOHOST ? "no such host" : "the name can't be looked up", reason);
	return status;
}

/*
 * This machine's addresses for itself need no look-up, and no line in /etc/hosts, which a container or a chroot may
 * lack (RFC 6761, 6.3): of no name getaddrinfo says ::1 and 127.0.0.1, and asks nobody.
 */
static int resolve(const struct endpoint *endpoint, struct addrinfo **list)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV };
	bool here = strcasecmp(endpoint->host, ENDPOINT_LOCALHOST) == 0;

	return getaddrinfo(here ? NULL : endpoint->host, endpoint->port, &hints, list);
}

static int connect_host(const struct endpoint *endpoint, uint64_t timeout_us, int cancel, char *why, int *status)
{
	struct addrinfo *list;
	int reason = resolve(endpoint, &list);
	int fd;

	if (reason != 0) {
		*status = explain_lookup(reason, endpoint->host, why);
		errno = 0;
		return -1;
	}
	fd = dial_first(list, clock_now_us() + timeout_us, cancel);
	reason = errno;
	freeaddrinfo(list);
	errno = reason;
	return fd;
}

int endpoint_connect(const struct endpoint *endpoint, uint64_t timeout_us, int cancel, char *reason, int *status)
{
	int fd;

	*status = EX_OK;
	if (endpoint->port[0] == '\0')
		fd = dial_unix(endpoint->host, clock_now_us() + timeout_us, cancel);
	else
		fd = connect_host(endpoint, timeout_us, cancel, reason, status);
	if (fd < 0 && *status == EX_OK) {
		*status = errno == ETIMEDOUT ? EX_TEMPFAIL : EX_UNAVAILABLE;
		snprintf(reason, ENDPOINT_REASON, "%s: %s", endpoint->name, strerror(errno));
	}
	return fd;
}

void endpoint_address(const struct endpoint *endpoint, int fd, char *to)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof address;
	char host[ENDPOINT_NAME], port[sizeof endpoint->port];

	if (endpoint->port[0] == '\0' || getpeername(fd, (struct sockaddr *)&address, &len) < 0 ||
	    getnameinfo((const struct sockaddr *)&address, len, host, sizeof host, port, sizeof port,
	                NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(to, ENDPOINT_ADDRESS, "%s", endpoint->name);
	else
		put_name(to, host, port);
}
