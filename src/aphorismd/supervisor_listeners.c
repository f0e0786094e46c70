/*
 * supervisor_listeners.c - the sockets that all generations share.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/inherited.h"
#include "aphorismd/supervisor_parts.h"
#include "common/log.h"

int supervisor_adopt_listeners(struct supervisor *s)
{
	char reason[INHERITED_REASON];

	if (inherited_adopt(s->listeners, &s->listener_count, reason))
		return 0;
	supervisor_complain(s, EX_USAGE, "%s", reason);
	return EX_USAGE;
}

static struct listener_owner own(const struct supervisor *s)
{
	return (struct listener_owner){ s->privileges.uid, s->privileges.gid };
}

static bool is_listed(const struct generation *generation, const struct listener *listener)
{
	if (generation)
		for (int64_t i = 0; i < generation->image.config->listeners; i++)
			if (generation->listeners[i] == listener)
				return true;
	return false;
}

bool supervisor_set_blocking(struct supervisor *s)
{
	const struct generation *generations[] = { s->next, s->current, s->old };
	bool done = true;

	for (size_t i = 0; i < s->listener_count; i++) {
		bool nonblocking = false;

		for (size_t k = 0; k < 3; k++)
			if (is_listed(generations[k], s->listeners[i]))
				nonblocking |= generations[k]->model->nonblocking ||
				               generations[k]->image.config->listeners > 1 || s->elder >= 0;
		done &= listener_nonblocking(s->listeners[i]->fd, nonblocking);
	}
	return done;
}

void supervisor_close_unlisted(struct supervisor *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->listener_count; i++) {
		if (is_listed(s->current, s->listeners[i]) || is_listed(s->next, s->listeners[i]) ||
		    s->listeners[i]->theirs)
			s->listeners[kept++] = s->listeners[i];
		else
			listener_close(s->listeners[i]);
	}
	s->listener_count = kept;
}

uint64_t supervisor_taken_listeners(const struct supervisor *s)
{
	uint64_t taken = 0, bit = 1;

	for (size_t i = 0; i < s->listener_count; i++) {
		if (s->listeners[i]->theirs && is_listed(s->current, s->listeners[i]))
			taken |= bit;
		bit <<= s->listeners[i]->theirs;
	}
	return taken;
}

void supervisor_own_listeners(struct supervisor *s)
{
	for (size_t i = 0; i < s->listener_count; i++) {
		if (s->listeners[i]->theirs && !is_listed(s->current, s->listeners[i]))
			s->listeners[i]->inode = 0;       /* its file is the elder's to remove */
		s->listeners[i]->theirs = false;
	}
	supervisor_close_unlisted(s);
}

void supervisor_forget_unlisted(struct supervisor *s, const struct generation *generation)
{
	for (size_t i = 0; i < s->listener_count; i++)
		if (!is_listed(generation, s->listeners[i]))
			close(s->listeners[i]->fd);
}

/*
 * Not one of an elder's whose file was removed: it serves the queue to its end, and we open the address anew.  Nor one
 * that a worker has shut down.
 */
static struct listener *find_listener(struct supervisor *s, const struct config_listen *at,
                                      struct listener *const *taken, int64_t count)
{
	for (size_t i = 0; i < s->listener_count; i++) {
		bool is_taken = (s->listeners[i]->theirs && listener_is_lost(s->listeners[i])) ||
		                (s->listeners[i]->shut && !s->listeners[i]->lent);

		for (int64_t k = 0; k < count; k++)
			is_taken |= taken[k] == s->listeners[i];
		if (!is_taken && listener_serves(s->listeners[i], at))
			return s->listeners[i];
	}
	return NULL;
}

/* Those of ours that exclude the address.  Returns whether there is one. */
static bool share(const struct supervisor *s, const struct config_listen *at, bool on)
{
	bool any = false;

	for (size_t i = 0; i < s->listener_count; i++)
		if (s->listeners[i]->family != AF_UNIX && listener_excludes(s->listeners[i], at))
			any |= listener_share(s->listeners[i], on);
	return any;
}

/*
 * Of 127.0.0.1 and * each excludes the other, and no reload may close what still serves.  Two sockets that share an
 * address (SO_REUSEPORT) may both have it, and keep it when they cease to share: so that is for the moment of binding,
 * and a second daemon of the same user still finds the address in use.
 */
static struct listener *open_one(struct supervisor *s, const struct config_listen *at, int backlog, int *status,
                                 char *reason)
{
	const struct listener_owner ours = own(s);
	bool beside = share(s, at, true);
	struct listener *listener = beside ? listener_open_beside(at, &ours, backlog, status, reason)
	                                   : listener_open(at, &ours, backlog, status, reason);
	int error = errno;

	share(s, at, false);
	for (size_t i = 0; !listener && error == EADDRINUSE && i < s->listener_count; i++)
		if (listener_is_at(s->listeners[i], at->address))
			snprintf(reason, LISTENER_REASON, "can't listen on %s: our own %s is the same file",
			         at->address, s->listeners[i]->address);
	errno = error;
	return listener;
}

static bool can_give(const struct config *config, char *reason)
{
	for (int64_t i = 0; i < config->listeners; i++) {
		const char *why = listener_cant_give(&config->listen[i]);

		if (why) {
			snprintf(reason, LISTENER_REASON, "can't listen on %s: %s", config->listen[i].address, why);
			errno = EPERM;
			return false;
		}
	}
	return true;
}

int supervisor_open_listeners(struct supervisor *s, const struct config *config, struct listener **listeners,
                              char *reason)
{
	int status;

	if (!can_give(config, reason))
		return EX_NOPERM;
	for (int64_t i = 0; i < config->listeners; i++) {
		listeners[i] = find_listener(s, &config->listen[i], listeners, i);
		if (listeners[i])
			continue;
		listeners[i] = open_one(s, &config->listen[i], (int)config->backlog, &status, reason);
		if (!listeners[i])
			return status;
		s->listeners[s->listener_count++] = listeners[i];
	}
	return 0;
}

bool supervisor_tune_listeners(const struct supervisor *s, const struct generation *generation)
{
	const struct config *config = generation->image.config;
	const struct listener_owner ours = own(s);
	bool done = true;

	for (int64_t i = 0; i < config->listeners; i++)
		done &= listener_tune(generation->listeners[i], config, &config->listen[i], &ours);
	return done;
}

/* Not at an end, when workers close what nobody takes over. */
int supervisor_poll_listeners(const struct supervisor *s, struct pollfd *fds)
{
	int count = 0;

	if (!s->current || s->step != STEP_NONE || s->stopping || s->upgrade.step != UPGRADE_NONE || s->elder >= 0)
		return 0;
	for (int64_t i = 0; i < s->current->image.config->listeners; i++)
		if (!s->current->listeners[i]->shut)
			fds[count++] = (struct pollfd){ .fd = s->current->listeners[i]->fd, .events = POLLRDHUP };
	return count;
}

bool supervisor_see_listeners(struct supervisor *s, const struct pollfd *fds, int count)
{
	bool again = false;

	for (int64_t i = 0; count > 0 && i < s->current->image.config->listeners; i++) {
		struct listener *listener = s->current->listeners[i];
		int k = 0;

		while (k < count && (fds[k].fd != listener->fd || fds[k].revents == 0))
			k++;
		if (k == count)
			continue;
		listener->shut = true;
		again |= !listener->lent;
		log_error("%s was shut down by a worker: %s", listener->address,
		          listener->lent ? "whoever has opened it is to do so anew" : "it is opened anew");
	}
	return again;
}

bool supervisor_lacks_listener(const struct supervisor *s)
{
	for (int64_t i = 0; s->current && i < s->current->image.config->listeners; i++)
		if (s->current->listeners[i]->shut && !s->current->listeners[i]->lent)
			return true;
	return false;
}

void supervisor_mark_removed(struct supervisor *s)
{
	uint64_t removed = 0;

	for (int64_t i = 0; i < s->old->image.config->listeners; i++)
		if (!is_listed(s->current, s->old->listeners[i]))
			removed |= (uint64_t)1 << i;
	atomic_store(&s->old->board->shared->removed, removed);
}

void supervisor_announce_listeners(struct supervisor *s)
{
	for (int64_t i = 0; i < s->current->image.config->listeners; i++)
		if (!is_listed(s->old, s->current->listeners[i]) && !s->current->listeners[i]->theirs)
			log_message(LOG_ALWAYS | LOG_NOTICE, "listening on %s", s->current->listeners[i]->address);
}
