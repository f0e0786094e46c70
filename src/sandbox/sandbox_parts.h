/*
 * sandbox_parts.h - the two mechanisms behind sandbox.h.
 */
#ifndef SANDBOX_SANDBOX_PARTS_H
#define SANDBOX_SANDBOX_PARTS_H

#include "sandbox/sandbox.h"

extern const bool sandbox_has_landlock, sandbox_has_seccomp;      /* in this build */

/* Puts one of them in force.  Returns NULL, or the reason why not, which is static. */
const char *sandbox_enter_landlock(enum sandbox_role);
const char *sandbox_enter_seccomp(enum sandbox_role, unsigned makes, const struct sandbox_descriptors *);

#endif
