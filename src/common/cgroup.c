/*
 * cgroup.c - what the control groups of this process grant.
 */
#include "common/cgroup.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PATH = 512 };

uint64_t cgroup_number(const char *folder, const char *name)
{
	char path[2 * PATH];
	uint64_t number;
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	if (!(file = fopen(path, "re")))
		return UINT64_MAX;
	if (fscanf(file, "%" SCNu64, &number) != 1)
		number = UINT64_MAX;
	fclose(file);
	return number;
}

/* From a group up to its root; in a container the root itself holds the limit. */
static uint64_t least_above(const char *root, char *group, bool v2, cgroup_read *read)
{
	uint64_t least = UINT64_MAX;

	for (;;) {
		char *slash = strrchr(group, '/'), folder[2 * PATH];
		uint64_t own;

		snprintf(folder, sizeof folder, "%s%s", root, strcmp(group, "/") == 0 ? "" : group);
		own = read(folder, v2);
		if (own < least)
			least = own;
		if (!slash)
			return least;
		*slash = '\0';
	}
}

/* Is it one of these names, which go by commas? */
static bool is_among(const char *controllers, const char *wanted)
{
	size_t len = strlen(wanted);

	for (const char *at = controllers; *at; at += strcspn(at, ","), at += *at == ',')
		if (strcspn(at, ",") == len && memcmp(at, wanted, len) == 0)
			return true;
	return false;
}

/* Lines are "0::/path" (v2) or "4:cpu,cpuacct:/path" (v1). */
uint64_t cgroup_least(const char *controller, cgroup_read *read)
{
	char line[PATH], root[PATH];
	uint64_t least = UINT64_MAX, own;
	FILE *file = fopen("/proc/self/cgroup", "re");

	snprintf(root, sizeof root, "/sys/fs/cgroup/%s", controller);
	while (file && fgets(line, sizeof line, file)) {
		char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!path)
			continue;
		controllers++;
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		if (*controllers != '\0' && !is_among(controllers, controller))
			continue;
		own = least_above(*controllers ? root : "/sys/fs/cgroup", path, *controllers == '\0', read);
		least = own < least ? own : least;
	}
	if (file)
		fclose(file);
	return least;
}
