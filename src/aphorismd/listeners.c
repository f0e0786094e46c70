/*
 * listeners.c - the sockets that all generations share.
 */
#include "aphorismd/listeners.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismd/generations.h"
#include "aphorismd/inherited.h"
#include "aphorismd/predecessor.h"
#include "aphorismd/report.h"
#include "common/log.h"

static struct listener *all[2 * CONFIG_LISTENERS];        /* that are open */
static size_t count;

int listeners_adopt(void)
{
	char reason[INHERITED_REASON];

	return inherited_adopt(all, &count, reason) ? 0 : report_complain(EX_USAGE, "%s", reason);
}

struct listener *const *listeners_all(size_t *how_many)
{
	*how_many = count;
	return all;
}

static bool is_listed(const struct generation *generation, const struct listener *listener)
{
	if (generation)
		for (int64_t i = 0; i < generation->snapshot.config->listeners; i++)
			if (generation->listeners[i] == listener)
				return true;
	return false;
}

bool listeners_set_blocking(void)
{
	bool done = true;

	for (size_t i = 0; i < count; i++) {
		bool nonblocking = false;

		for (unsigned k = 0; k < GENERATIONS; k++) {
			const struct generation *generation = generations_at(k);

			if (is_listed(generation, all[i]))
				nonblocking |= generation->model->nonblocking ||
				               generation->snapshot.config->listeners > 1 || predecessor_is_there();
		}
		done &= listener_nonblocking(all[i]->fd, nonblocking);
	}
	return done;
}

void listeners_close_unlisted(void)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (is_listed(generations.current, all[i]) || is_listed(generations.next, all[i]) || all[i]->theirs)
			all[kept++] = all[i];
		else
			listener_close(all[i]);
	}
	count = kept;
}

uint64_t listeners_taken(void)
{
	uint64_t taken = 0, bit = 1;

	for (size_t i = 0; i < count; i++) {
		if (all[i]->theirs && is_listed(generations.current, all[i]))
			taken |= bit;
		bit <<= all[i]->theirs;
	}
	return taken;
}

void listeners_own(void)
{
	for (size_t i = 0; i < count; i++) {
		if (all[i]->theirs && !is_listed(generations.current, all[i]))
			all[i]->inode = 0;       /* its file is the predecessor's to remove */
		all[i]->theirs = false;
	}
	listeners_close_unlisted();
}

void listeners_forget(const struct generation *generation)
{
	for (size_t i = 0; i < count; i++)
		if (!is_listed(generation, all[i]))
			close(all[i]->fd);
}

/*
 * Not one of a predecessor's whose file was removed: it serves the queue to its end, and we open the address anew.  Nor
 * one that a worker has shut down.
 */
static struct listener *find_listener(const struct config_listen *at, struct listener *const *taken,
                                      int64_t taken_count)
{
	for (size_t i = 0; i < count; i++) {
		bool is_taken = (all[i]->theirs && listener_is_lost(all[i])) || (all[i]->shut && !all[i]->borrowed);

		for (int64_t k = 0; k < taken_count; k++)
			is_taken |= taken[k] == all[i];
		if (!is_taken && listener_serves(all[i], at))
			return all[i];
	}
	return NULL;
}

/* Those of ours that exclude the address.  Returns whether there is one. */
static bool share(const struct config_listen *at, bool on)
{
	bool any = false;

	for (size_t i = 0; i < count; i++)
		if (all[i]->family != AF_UNIX && listener_excludes(all[i], at))
			any |= listener_share(all[i], on);
	return any;
}

/*
 * Of 127.0.0.1 and * each excludes the other, and no reload may close what still serves.  Two sockets that share an
 * address (SO_REUSEPORT) may both have it, and keep it when they cease to share: so that is for the moment of binding,
 * and a second daemon of the same user still finds the address in use.
 */
static struct listener *open_one(const struct config_listen *at, int backlog, int *status, char *reason)
{
	const struct listener_owner ours = { environment.privileges.uid, environment.privileges.gid };
	bool beside = share(at, true);
	struct listener *listener = beside ? listener_open_beside(at, &ours, backlog, status, reason)
	                                   : listener_open(at, &ours, backlog, status, reason);
	int error = errno;

	share(at, false);
	for (size_t i = 0; !listener && error == EADDRINUSE && i < count; i++)
		if (listener_is_at(all[i], at->address))
			snprintf(reason, LISTENER_REASON, "can't listen on %s: our own %s is the same file",
			         at->address, all[i]->address);
	errno = error;
	return listener;
}

int listeners_open(const struct config *config, struct listener **listeners, char *reason)
{
	int status;

	for (int64_t i = 0; i < config->listeners; i++) {
		const char *why = listener_cant_give(&config->listen[i]);

		if (!why)
			continue;
		snprintf(reason, LISTENER_REASON, "can't listen on %s: %s", config->listen[i].address, why);
		errno = EPERM;
		return EX_NOPERM;
	}
	for (int64_t i = 0; i < config->listeners; i++) {
		listeners[i] = find_listener(&config->listen[i], listeners, i);
		if (listeners[i])
			continue;
		listeners[i] = open_one(&config->listen[i], (int)config->backlog, &status, reason);
		if (!listeners[i])
			return status;
		all[count++] = listeners[i];
	}
	return 0;
}

bool listeners_tune(const struct generation *generation)
{
	const struct config *config = generation->snapshot.config;
	const struct listener_owner ours = { environment.privileges.uid, environment.privileges.gid };
	bool done = true;

	for (int64_t i = 0; i < config->listeners; i++)
		done &= listener_tune(generation->listeners[i], config, &config->listen[i], &ours);
	return done;
}

bool listeners_lack_one(void)
{
	for (int64_t i = 0; generations.current && i < generations.current->snapshot.config->listeners; i++)
		if (generations.current->listeners[i]->shut && !generations.current->listeners[i]->borrowed)
			return true;
	return false;
}

void listeners_mark_removed(void)
{
	uint64_t removed = 0;

	for (int64_t i = 0; i < generations.old->snapshot.config->listeners; i++)
		if (!is_listed(generations.current, generations.old->listeners[i]))
			removed |= (uint64_t)1 << i;
	atomic_store(&generations.old->board->shared->removed, removed);
}

void listeners_announce(void)
{
	const struct generation *current = generations.current;

	for (int64_t i = 0; i < current->snapshot.config->listeners; i++)
		if (!is_listed(generations.old, current->listeners[i]) && !current->listeners[i]->theirs)
			log_message(LOG_ALWAYS | LOG_NOTICE, "listening on %s", current->listeners[i]->address);
}

void listeners_leave(uint64_t taken, uint64_t now_us)
{
	uint64_t removed = 0;

	for (int64_t k = 0; k < generations.current->snapshot.config->listeners; k++)
		for (size_t i = 0; i < count; i++)
			if (all[i] == generations.current->listeners[k] && !(taken >> i & 1))
				removed |= (uint64_t)1 << k;
	atomic_store(&generations.current->board->shared->removed, removed);
	generation_end(generations.current, SIGNAL_DRAIN, now_us);
	for (size_t i = 0; i < count; i++) {
		if (taken >> i & 1)
			all[i]->inode = 0;        /* its file is the successor's */
		listener_end(all[i]);             /* workers hold their own */
	}
}

/* ---- findings ---- */

/*
 * An address that is on no interface any more: who can't reach us sees nothing of us, and nor do we of him.  A borrowed
 * socket may be of another network than ours.
 */
static void check_address(const struct listener *listener, const struct doctor_ear *ear)
{
	struct config_listen at = { .mode = 0 };

	memcpy(at.address, listener->address, sizeof at.address);
	if (!listener->borrowed && listener_try(&at) == EADDRNOTAVAIL)
		doctor_find(ear, DOCTOR_ERROR, "listen",
		            "ip address add, or another address in listen and aphorismctl reload", "%s: %s any more",
		            at.address, listener_reason(at.address, EADDRNOTAVAIL));
}

/* A UNIX socket that nobody finds at its path any more. */
static void check_file(const struct listener *listener, const struct doctor_ear *ear)
{
	const char *address = listener->address;
	char mend[CONFIG_ADDRESS + 64];

	if (listener->borrowed || listener_has_file(listener))
		return;
	snprintf(mend, sizeof mend, "rm %s; aphorismctl upgrade", address + strlen("unix:"));
	if (errno == ENOENT)
		doctor_find(ear, DOCTOR_ERROR, "listen", "aphorismctl upgrade",
		            "%s has been removed: nobody finds it", address);
	else if (errno == EADDRINUSE)
		doctor_find(ear, DOCTOR_ERROR, "listen", mend, "%s is not the socket of this daemon any more", address);
}

void listeners_check(const struct doctor_ear *ear)
{
	for (size_t i = 0; i < count; i++)
		(all[i]->family == AF_UNIX ? check_file : check_address)(all[i], ear);
}
