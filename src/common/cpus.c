/*
 * cpus.c - affinity and cgroup quota.
 */
#include "common/cpus.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

enum { PATH = 512 };

/* The quota of a cgroup in whole CPUs, rounded up; 0 for none.  v2 says "max 100000" or "150000 100000" in one file. */
static uint32_t quota_v2(const char *cgroup)
{
	char path[PATH + 64];
	long long quota = 0, period = 0;
	FILE *file;

	snprintf(path, sizeof path, "/sys/fs/cgroup%s/cpu.max", cgroup);
	if (!(file = fopen(path, "re")))
		return 0;
	if (fscanf(file, "%lld %lld", &quota, &period) != 2)
		quota = 0;
	fclose(file);
	return quota > 0 && period > 0 ? (uint32_t)((quota + period - 1) / period) : 0;
}

static long long number_in(const char *cgroup, const char *name)
{
	char path[PATH + 64];
	long long number = 0;
	FILE *file;

	snprintf(path, sizeof path, "/sys/fs/cgroup/cpu%s/%s", cgroup, name);
	if (!(file = fopen(path, "re")))
		return 0;
	if (fscanf(file, "%lld", &number) != 1)
		number = 0;
	fclose(file);
	return number;
}

static uint32_t quota_v1(const char *cgroup)
{
	long long quota = number_in(cgroup, "cpu.cfs_quota_us"), period = number_in(cgroup, "cpu.cfs_period_us");

	return quota > 0 && period > 0 ? (uint32_t)((quota + period - 1) / period) : 0;
}

/* The least quota from a cgroup up to its root; in a container the root itself holds it. */
static uint32_t least_quota(char *cgroup, uint32_t (*quota)(const char *))
{
	uint32_t least = UINT32_MAX;

	for (;;) {
		char *slash = strrchr(cgroup, '/');
		uint32_t own = quota(strcmp(cgroup, "/") == 0 ? "" : cgroup);

		if (own > 0 && own < least)
			least = own;
		if (!slash)
			return least;
		*slash = '\0';
	}
}

/* Lines are "0::/path" (v2) or "4:cpu,cpuacct:/path" (v1). */
static uint32_t cgroup_quota(void)
{
	char line[PATH];
	uint32_t least = UINT32_MAX, own;
	FILE *file = fopen("/proc/self/cgroup", "re");

	while (file && fgets(line, sizeof line, file)) {
		char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		if (controllers[1] == '\0')
			own = least_quota(path, quota_v2);
		else if (strstr(controllers, "cpu,") || strcmp(controllers, ":cpu") == 0)
			own = least_quota(path, quota_v1);
		else
			continue;
		least = own < least ? own : least;
	}
	if (file)
		fclose(file);
	return least;
}

uint32_t cpus_usable(void)
{
	cpu_set_t set;
	uint32_t count = sched_getaffinity(0, sizeof set, &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 1;
	uint32_t quota = cgroup_quota();

	return quota < count ? quota : count > 0 ? count : 1;
}
