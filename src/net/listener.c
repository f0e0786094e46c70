/*
 * listener.c - binding, and what connections inherit.
 */
#include "net/listener_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"

enum { UNSENT_BYTES = 65536 };

static int status_of(int error)
{
	switch (error) {
	case EADDRINUSE:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
	case EINVAL:
	case ENOENT:
	case ENOTDIR:
	case ENOTSOCK:
		return EX_UNAVAILABLE;
	case EACCES:
	case EPERM:
	case EROFS:
		return EX_NOPERM;
	default:
		return EX_OSERR;
	}
}

const char *listener_reason(const char *address, int error)
{
	const char *port = strncmp(address, "unix:", strlen("unix:")) == 0 ? NULL : strrchr(address, ':');

	if (error == EADDRINUSE)
		return "in use by another process";
	if (error == EADDRNOTAVAIL)
		return "no address of this machine";
	if (error == EAFNOSUPPORT)
		return "the kernel has no addresses of this kind, or the unit excludes them (RestrictAddressFamilies)";
	if (error == EINVAL && port)
		return "a link-local address, of which the interface can't be named, or a multicast one";
	if (error == ENOTSOCK)
		return "what is there is no socket, and stays as it is";
	if (error == EACCES && port && atoi(port + 1) < 1024)
		return "a port under 1024 needs the capability CAP_NET_BIND_SERVICE";
	return strerror(error);
}

/*
 * Inherited by each connection.  A client that never reads would else have the kernel keep megabytes of answers for it,
 * and a thousand of them all the memory that the machine has for TCP.  What is on its way does not count, so that quick
 * clients get as much as the path carries.  And answers are sent whole: there is nothing to wait for.
 */
bool listener_set_tcp(int fd)
{
	int most = UNSENT_BYTES, one = 1;

	return setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof most) == 0 &&
	       setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0;
}

static int bind_inet(struct listener *listener, const struct address *address)
{
	int one = 1, only = !address->any;

	if (!listener_set_tcp(listener->fd) ||
	    setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0)
		return -1;
	if (listener->family == AF_INET6 &&
	    setsockopt(listener->fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) < 0)
		return -1;
	return bind(listener->fd, (const struct sockaddr *)&address->sockaddr, address->len);
}

/* `*` means IPv6 that takes IPv4 too; on a host without IPv6 it means IPv4 alone. */
static int open_socket(struct address *address)
{
	int fd = socket(address->sockaddr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 && errno == EAFNOSUPPORT && address->any) {
		struct sockaddr_in in = { .sin_family = AF_INET };

		in.sin_port = ((struct sockaddr_in6 *)(void *)&address->sockaddr)->sin6_port;
		memcpy(&address->sockaddr, &in, sizeof in);
		address->len = sizeof in;
		fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	}
	return fd;
}

/* The address as bound.  `any`: IPv6 that takes IPv4 too. */
static int note_address(struct listener *listener, bool any)
{
	struct sockaddr_storage bound = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof bound;

	if (getsockname(listener->fd, (struct sockaddr *)&bound, &len) < 0)
		return -1;
	if (any && listener->family == AF_INET6)
		snprintf(listener->address, sizeof listener->address, "*:%u",
		         (unsigned)ntohs(((struct sockaddr_in6 *)(void *)&bound)->sin6_port));
	else
		address_format(listener->address, sizeof listener->address, (struct sockaddr *)&bound);
	return 0;
}

bool listener_share(const struct listener *listener, bool on)
{
	int value = on;

	return setsockopt(listener->fd, SOL_SOCKET, SO_REUSEPORT, &value, sizeof value) == 0;
}

static int open_and_bind(struct listener *listener, const struct config_listen *listen_at,
                         const struct listener_owner *ours, int backlog, bool beside)
{
	struct address address;

	if (address_parse(&address, listen_at->address) != NULL) {
		errno = EINVAL;
		return -1;
	}
	if ((listener->fd = open_socket(&address)) < 0)
		return -1;
	listener->family = address.sockaddr.ss_family;
	if (listener->family == AF_UNIX)
		return listener_bind_file(listener, &address, listen_at, ours) ? listen(listener->fd, backlog) : -1;
	if ((beside && !listener_share(listener, true)) || bind_inet(listener, &address) < 0 ||
	    listen(listener->fd, backlog) < 0 || (beside && !listener_share(listener, false)))
		return -1;
	return note_address(listener, address.any);
}

static struct listener *open_new(const struct config_listen *listen_at, const struct listener_owner *ours, int backlog,
                                 bool beside, int *status, char *reason)
{
	struct listener *listener = calloc(1, sizeof *listener);

	if (listener) {
		listener->fd = -1;
		snprintf(listener->asked, sizeof listener->asked, "%s", listen_at->address);
	}
	if (!listener || open_and_bind(listener, listen_at, ours, backlog, beside) < 0) {
		int error = errno;

		*status = status_of(error);
		snprintf(reason, LISTENER_REASON, "can't listen on %s: %s", listen_at->address,
		         listener_reason(listen_at->address, error));
		listener_close(listener);
		errno = error;
		return NULL;
	}
	return listener;
}

struct listener *listener_open(const struct config_listen *listen_at, const struct listener_owner *ours, int backlog,
                               int *status, char *reason)
{
	return open_new(listen_at, ours, backlog, false, status, reason);
}

struct listener *listener_open_beside(const struct config_listen *listen_at, const struct listener_owner *ours,
                                      int backlog, int *status, char *reason)
{
	return open_new(listen_at, ours, backlog, true, status, reason);
}

int listener_try(const struct config_listen *listen_at)
{
	struct listener listener = { .fd = -1 };
	struct address address;
	int error = 0;

	if (address_parse(&address, listen_at->address) != NULL || address.sockaddr.ss_family == AF_UNIX)
		return 0;
	if ((listener.fd = open_socket(&address)) < 0)
		return errno;
	listener.family = address.sockaddr.ss_family;
	if (bind_inet(&listener, &address) < 0 && errno != EADDRINUSE)
		error = errno;
	close(listener.fd);
	return error;
}

static bool takes_ipv4_too(int fd)
{
	struct sockaddr_in6 bound = { .sin6_family = AF_INET6 };
	socklen_t len = sizeof bound, only_len = sizeof(int);
	int only = 1;

	return getsockname(fd, (struct sockaddr *)&bound, &len) == 0 && bound.sin6_family == AF_INET6 &&
	       IN6_IS_ADDR_UNSPECIFIED(&bound.sin6_addr) &&
	       getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &only_len) == 0 && !only;
}

struct listener *listener_adopt(int fd, const char *asked, bool borrowed)
{
	struct listener *listener = calloc(1, sizeof *listener);
	socklen_t len = sizeof listener->family;

	if (!listener)
		return NULL;
	snprintf(listener->asked, sizeof listener->asked, "%s", asked);
	listener->fd = fd;
	listener->borrowed = borrowed;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &listener->family, &len) == 0 &&
	    fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
	    (listener->family == AF_UNIX || listener_set_tcp(fd)) &&
	    note_address(listener, takes_ipv4_too(fd)) == 0) {
		listener->inside = !borrowed && listener->family == AF_UNIX &&
		                   listener->address[strlen("unix:")] != '/';
		return listener;
	}
	free(listener);
	return NULL;
}

void listener_forget(struct listener *listener)
{
	if (listener->fd >= 0)
		close(listener->fd);
	free(listener);
}

void listener_end(struct listener *listener)
{
	if (!listener->theirs)
		listener_remove_file(listener);
	listener->inode = 0;
	if (listener->fd >= 0)
		close(listener->fd);
	listener->fd = -1;
}

void listener_close(struct listener *listener)
{
	if (!listener)
		return;
	listener_end(listener);
	free(listener);
}

static bool covers(const char *outer, const char *inner)
{
	struct address one, other;

	return address_parse(&one, outer) == NULL && address_parse(&other, inner) == NULL &&
	       address_covers(&one, &other);
}

bool listener_serves(const struct listener *listener, const struct config_listen *listen_at)
{
	return strcmp(listener->asked, listen_at->address) == 0 || strcmp(listener->address, listen_at->address) == 0 ||
	       (covers(listener->address, listen_at->address) && covers(listen_at->address, listener->address));
}

bool listener_is_covered(const struct listener *listener, const struct config_listen *listen_at)
{
	return covers(listen_at->address, listener->address);
}

bool listener_excludes(const struct listener *listener, const struct config_listen *listen_at)
{
	return covers(listen_at->address, listener->address) || covers(listener->address, listen_at->address);
}

static struct timeval timeval_of(int64_t us)
{
	return (struct timeval){ us / CLOCK_S, us % CLOCK_S };
}

bool listener_set_timeouts(int fd, const struct config *config)
{
	struct timeval idle = timeval_of(config->idle_us);
	struct timeval part = timeval_of((config->write_us + LISTENER_WRITE_PARTS - 1) / LISTENER_WRITE_PARTS);

	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &idle, sizeof idle) == 0 &&
	       setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &part, sizeof part) == 0;
}

bool listener_tune(const struct listener *listener, const struct config *config, const struct config_listen *listen_at,
                   const struct listener_owner *ours)
{
	if (listener->shut)
		return true;      /* to listen again would have it take clients, for whom nobody hears what they say */
	if (listener->borrowed)
		return listener_set_timeouts(listener->fd, config);
	if (listener->family == AF_UNIX)
		listener_set_file(listener, listen_at, ours);
	/* listen() again: only the backlog changes */
	return listen(listener->fd, (int)config->backlog) == 0 && listener_set_timeouts(listener->fd, config);
}

bool listener_nonblocking(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 &&
	       (!(flags & O_NONBLOCK) != on || fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK) == 0);
}

int64_t listener_queued(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof info;

	/* of a listener these two tell of its queue: how long it is, how long it may be */
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && len > offsetof(struct tcp_info, tcpi_sacked)
	       ? (int64_t)info.tcpi_unacked : -1;
}
