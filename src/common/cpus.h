/*
 * cpus.h - how many CPUs this process may use.
 */
#ifndef COMMON_CPUS_H
#define COMMON_CPUS_H

#include <stdint.h>

/*
 * The affinity mask's count, or less where a cgroup's quota (v2 or v1) grants less: rounded up, at least 1.  Reads
 * files.
 */
uint32_t cpus_usable(void);

#endif
