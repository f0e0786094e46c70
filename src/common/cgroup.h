/*
 * cgroup.h - what the control groups of this process grant, those above it too; versions 1 and 2.  Reads files of the
 * kernel.
 */
#ifndef COMMON_CGROUP_H
#define COMMON_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

/* Reads a limit in the folder of a group, of version 2 or 1.  UINT64_MAX: there is none. */
typedef uint64_t cgroup_read(const char *folder, bool v2);

/* The least that any group from this process's own up to the root of its hierarchy has for a controller ("cpu"). */
uint64_t cgroup_least(const char *controller, cgroup_read *);

/* The number in a file of a group's folder; UINT64_MAX for a word in its place, or no such file. */
uint64_t cgroup_number(const char *folder, const char *name);

#endif
