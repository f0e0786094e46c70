/*
 * elder.c - the socket to the process whose place this one takes.
 */
#include "aphorismd/elder.h"

#include <sys/socket.h>

#include "aphorismd/inherited.h"

struct elder elder = { .fd = -1 };

int elder_meet(void)
{
	struct ucred peer = { .pid = 0 };
	socklen_t len = sizeof peer;
	int control;

	elder.fd = inherited_elder(&control);
	elder.owns = elder.fd >= 0;
	if (elder.owns && getsockopt(elder.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0)
		elder.pid = peer.pid;
	return control;
}

bool elder_is_there(void)
{
	return elder.fd >= 0;
}
