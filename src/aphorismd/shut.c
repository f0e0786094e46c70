/*
 * shut.c - sees which listeners have been shut down.
 */
#include "aphorismd/shut.h"

#include <stdbool.h>
#include <stdint.h>

#include "aphorismd/elder.h"
#include "aphorismd/generations.h"
#include "aphorismd/reload.h"
#include "aphorismd/upgrade.h"
#include "aphorismd/wish.h"
#include "common/log.h"

/* Not at an end, or beside another process, when workers close what nobody takes over. */
int shut_list(struct pollfd *fds)
{
	const struct generation *current = generations_current();
	int count = 0;

	if (!current || reload_is_under_way() || upgrade_is_under_way() || elder_is_there())
		return 0;
	for (int64_t i = 0; i < current->image.config->listeners; i++)
		if (!current->listeners[i]->shut)
			fds[count++] = (struct pollfd){ .fd = current->listeners[i]->fd, .events = POLLRDHUP };
	return count;
}

void shut_see(const struct pollfd *fds, int count)
{
	const struct generation *current = generations_current();
	bool again = false;

	for (int64_t i = 0; count > 0 && i < current->image.config->listeners; i++) {
		struct listener *listener = current->listeners[i];
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
	if (again)
		wish_reload();
}
