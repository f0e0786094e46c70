/*
 * last.c - where the figures of the last comparison are kept.
 */
#include "aphorism-bench/last.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "aphorism-bench/json.h"

static void make_folders(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700);        /* what is there already, or can't be made, shows when the file is written */
		*slash = '/';
	}
}

bool last_path(char path[PATH_MAX], bool make)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	int len;

	/* the XDG specification: a relative path is to be ignored */
	if (state && *state == '/')
		len = snprintf(path, PATH_MAX, "%s/aphorism-bench/last.json", state);
	else if (home && *home == '/')
		len = snprintf(path, PATH_MAX, "%s/.local/state/aphorism-bench/last.json", home);
	else
		return false;
	if (len < 0 || len >= PATH_MAX)
		return false;
	if (make)
		make_folders(path);
	return true;
}

void last_keep(const struct record *record)
{
	char path[PATH_MAX];

	if (last_path(path, true))
		json_write(record, path);
}
