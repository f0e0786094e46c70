/*
 * sandbox.c - both mechanisms, one after the other.
 */
#include "sandbox/sandbox.h"

#include <stdio.h>
#include <sys/prctl.h>

#include "sandbox/sandbox_parts.h"

bool sandbox_is_built(void)
{
	return sandbox_has_landlock && sandbox_has_seccomp;
}

bool sandbox_enter(enum sandbox_role role, unsigned makes, const struct sandbox_descriptors *descriptors, char *reason)
{
	const char *landlock, *seccomp;

	/* both ask for this of those who are not root */
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	landlock = sandbox_enter_landlock(role);
	seccomp = sandbox_enter_seccomp(role, makes, descriptors);        /* last: it denies the calls of the other */
	snprintf(reason, SANDBOX_REASON, "%s%s%s", landlock ? landlock : "", landlock && seccomp ? ", " : "",
	         seccomp ? seccomp : "");
	return !landlock && !seccomp;
}
