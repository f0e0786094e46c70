/*
 * elder.c - the socket to the process whose place this one takes.
 */
#include "aphorismd/elder.h"

#include <sys/socket.h>

struct elder elder = { .fd = -1, .control = -1 };

void elder_meet(int fd)
{
	struct ucred peer = { .pid = 0 };
	socklen_t len = sizeof peer;

	elder.fd = fd;
	elder.owns = true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		elder.pid = peer.pid;
}

bool elder_is_there(void)
{
	return elder.fd >= 0;
}
