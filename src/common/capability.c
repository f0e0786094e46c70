/*
 * capability.c - capget(2) and capset(2), which the C library does not have.
 */
#include "common/capability.h"

#include <sys/syscall.h>
#include <unistd.h>

bool capability_get(struct capabilities *capabilities)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	*capabilities = (struct capabilities){ { { .effective = 0 } } };
	return syscall(SYS_capget, &header, capabilities->words) == 0;
}

bool capability_set(const struct capabilities *capabilities)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };

	return syscall(SYS_capset, &header, capabilities->words) == 0;
}
