/*
 * capability.h - what of root's rights this process has.
 */
#ifndef COMMON_CAPABILITY_H
#define COMMON_CAPABILITY_H

#include <linux/capability.h>
#include <stdbool.h>

/* 32 to a word: what is in effect, what may be put in effect, and what programs get. */
struct capabilities {
	struct __user_cap_data_struct words[_LINUX_CAPABILITY_U32S_3];
};

/* Reads or replaces those of this process, which has one thread.  False with errno.  Never block. */
bool capability_get(struct capabilities *);
bool capability_set(const struct capabilities *);

#endif
