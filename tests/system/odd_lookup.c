/*
 * odd_lookup.c - loaded into programs by tests: getaddrinfo where the resolver answers as LOOKUP says, an EAI_ number.
 */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>

int getaddrinfo(const char *host, const char *port, const struct addrinfo *hints, struct addrinfo **list)
{
	(void)host;
	(void)port;
	(void)hints;
	(void)list;
	errno = EMFILE;
	return atoi(getenv("LOOKUP"));
}
