/*
 * cpus.c - affinity and cgroup quota.
 */
#include "common/cpus.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>

#include "common/cgroup.h"

enum { PATH = 1100 };

/* v2 says "max 100000" or "150000 100000" in one file. */
static bool read_both(const char *folder, int64_t *quota, int64_t *period)
{
	char path[PATH];
	FILE *file;
	bool both;

	snprintf(path, sizeof path, "%s/cpu.max", folder);
	if (!(file = fopen(path, "re")))
		return false;
	both = fscanf(file, "%" SCNd64 " %" SCNd64, quota, period) == 2;
	fclose(file);
	return both;
}

/* The quota of a cgroup in whole CPUs, rounded up. */
static uint64_t quota_in(const char *folder, bool v2)
{
	int64_t quota = 0, period = 0;

	if (v2 && !read_both(folder, &quota, &period))
		return UINT64_MAX;
	if (!v2) {
		quota = (int64_t)cgroup_number(folder, "cpu.cfs_quota_us");
		period = (int64_t)cgroup_number(folder, "cpu.cfs_period_us");
	}
	return quota > 0 && period > 0 ? (uint64_t)((quota + period - 1) / period) : UINT64_MAX;
}

uint32_t cpus_usable(void)
{
	cpu_set_t set;
	uint32_t count = sched_getaffinity(0, sizeof set, &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
	uint64_t quota = cgroup_least("cpu", quota_in);

	return quota < count ? (uint32_t)quota : count > 0 ? count : 1;
}
