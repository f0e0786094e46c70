/*
 * predecessor.c - the socket to the process whose place this one takes.
 */
#include "aphorismd/predecessor.h"

#include <sys/socket.h>

struct predecessor predecessor = { .fd = -1, .control = -1 };

void predecessor_meet(int fd)
{
	struct ucred peer = { .pid = 0 };
	socklen_t len = sizeof peer;

	predecessor.fd = fd;
	predecessor.owns = true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		predecessor.pid = peer.pid;
}

bool predecessor_is_there(void)
{
	return predecessor.fd >= 0;
}
