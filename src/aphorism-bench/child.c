/*
 * child.c - what we start does not outlive us.
 */
#include "aphorism-bench/child.h"

#include <sys/prctl.h>
#include <sysexits.h>
#include <unistd.h>

void child_follow(pid_t parent, int signal)
{
	prctl(PR_SET_PDEATHSIG, signal);
	/* one that died before has told nobody */
	if (getppid() != parent)
		_exit(EX_OSERR);
}
