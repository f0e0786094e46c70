/*
 * worker_admit.c - whether a connection may come in: access lists, a slot, the limit per source.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "config/access.h"
#include "net/listener.h"
#include "worker/worker_parts.h"

enum {
	REFUSED_READS = 16,               /* of 4096 bytes each */
	WRONG_SLOTS = 1000,
};

struct log_limit *worker_limit(struct worker *worker, enum scoreboard_limit which)
{
	return &worker->board->shared->limits[which];
}

bool worker_take_slot(struct worker *worker, struct connection *connection)
{
	uint32_t first = worker->first_slot;
	int n, tries = 0;

	/* what others write there must not have two connections of ours share a slot, and all that is kept by slot */
	while ((n = scoreboard_take(worker->board, worker->number, first)) >= 0 && worker->fds[n] != 0)
		if (++tries == WRONG_SLOTS)
			return false;
		else
			first = (uint32_t)n + 1;
	if (n < 0)
		return false;
	connection->slot = (uint32_t)n;
	return true;
}

void worker_give_back(struct worker *worker, struct connection *connection)
{
	if (connection->slot == WORKER_NO_SLOT)
		return;
	worker_free_slot(worker, connection->slot);
	connection->slot = WORKER_NO_SLOT;
}

void worker_note_shortage(struct worker *worker, int error)
{
	log_limited(worker_limit(worker, LIMIT_SHORTAGE), LOG_WARNING, "can't accept connections: %s; trying on",
	            strerror(error));
	scoreboard_count(worker->board, worker->number, COUNT_ACCEPT_WAITS);
}

/* Says so, if that goes without waiting; to close it is the caller's. */
static void refuse(struct worker *worker, int fd, const struct service *service, enum scoreboard_count why)
{
	struct span word = service->protocol->too_busy;
	char unread[4096];

	scoreboard_count(worker->board, worker->number, why);
	if (word.len > 0 && send(fd, word.at, word.len, MSG_DONTWAIT | MSG_NOSIGNAL) > 0) {
		shutdown(fd, SHUT_WR);
		/* what the client has sent already would turn the close into a reset, which destroys the word */
		for (int reads = 0; reads < REFUSED_READS; reads++)
			if (recv(fd, unread, sizeof unread, MSG_DONTWAIT) != sizeof unread)
				break;
	}
}

static bool is_allowed(struct worker *worker, const struct sockaddr *peer)
{
	if (access_allows(&worker->config->allow, &worker->config->deny, peer))
		return true;
	scoreboard_count(worker->board, worker->number, COUNT_DENIED);
	return false;
}

/* Notes the slot's peer; unless the limit per source is on and has been reached, which the client is told. */
static bool note_client(struct worker *worker, uint32_t slot, int fd, const struct service *service,
                        const struct sockaddr *client, bool limited)
{
	int most = limited ? (int)worker->config->max_connections_per_source : 0;
	char name[CONFIG_ADDRESS];

	if (scoreboard_set_peer(worker->board, slot, client, (uint32_t)most))
		return true;
	log_limited(worker_limit(worker, LIMIT_SOURCE), LOG_WARNING,
	            "%s refused: max_connections_per_source (%d) reached",
	            scoreboard_peer(&worker->board->slot[slot], name, sizeof name), most);
	refuse(worker, fd, service, COUNT_REFUSED_SOURCE);
	return false;
}

bool worker_meet(struct worker *worker, uint32_t slot, const struct service *service, const struct proxy_header *header)
{
	struct sockaddr_in6 client = { .sin6_family = AF_INET6, .sin6_port = htons(header->port) };
	const struct sockaddr *at = (const struct sockaddr *)&client;

	memcpy(&client.sin6_addr, header->address, sizeof header->address);
	if (header->client == PROXY_UNIX)
		client.sin6_family = AF_UNIX;
	else if (header->client == PROXY_ITSELF)
		client = scoreboard_sockaddr(&worker->board->slot[slot]);
	return is_allowed(worker, at) && note_client(worker, slot, worker->fds[slot], service, at, true);
}

static void begin(struct worker *worker, struct connection *connection)
{
	struct slot *slot = &worker->board->slot[connection->slot];
	uint64_t now_us = clock_coarse_us();

	atomic_store_explicit(&slot->questions, 0, memory_order_relaxed);
	atomic_store_explicit(&slot->began_us, now_us, memory_order_relaxed);
	atomic_store_explicit(&slot->active_us, now_us, memory_order_relaxed);
	scoreboard_count(worker->board, worker->number, COUNT_CONNECTIONS);
	worker_count_busy(worker);
	atomic_store(&worker->fds[connection->slot], connection->fd);
}

bool worker_let_in(struct worker *worker, struct worker_listener *listener, struct connection *connection,
                   const struct sockaddr_storage *from)
{
	const struct sockaddr *peer = (const struct sockaddr *)from;

	connection->service = &listener->service;
	connection->family = listener->family;
	if (!connection->service->proxied && !is_allowed(worker, peer)) {
		close(connection->fd);
		return false;
	}
	if (connection->slot == WORKER_NO_SLOT && !worker_take_slot(worker, connection)) {
		log_limited(worker_limit(worker, LIMIT_SLOTS), LOG_WARNING,
		            "max_connections (%u) reached: clients are refused", worker->board->slots);
		refuse(worker, connection->fd, connection->service, COUNT_REFUSED_LIMIT);
		close(connection->fd);
		return false;
	}
	if (!note_client(worker, connection->slot, connection->fd, connection->service, peer,
	                 !connection->service->proxied)) {
		close(connection->fd);
		worker_give_back(worker, connection);
		return false;
	}
	if (connection->family == AF_UNIX && !listener_set_timeouts(connection->fd, worker->config)) {
		worker_note_shortage(worker, errno);
		close(connection->fd);
		worker_give_back(worker, connection);
		return false;
	}
	begin(worker, connection);
	return true;
}

bool worker_admit(struct worker *worker, int fd, struct connection *connection)
{
	struct sockaddr_storage peer = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof peer;

	*connection = (struct connection){ .worker = worker, .fd = fd, .slot = WORKER_NO_SLOT };
	if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0)
		return worker_let_in(worker, &worker->listeners[0], connection, &peer);
	log_info("the client has gone: %s", strerror(errno));
	close(fd);
	return false;
}
