/*
 * unit.c - systemd.unit(5), the part of it that is needed.
 */
#include "aphorismd/unit.h"

#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/regular.h"

#define NAME "aphorismd.service"
static const char blanks[] = " \t\r\n";
const char unit_name[] = NAME;

/* Who comes first counts most. */
static const char *const folders[] = {
	"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
	"/lib/systemd/system",
};
enum { FOLDERS = sizeof folders / sizeof *folders };

static const struct {
	const char *name;
	bool list;                        /* each line adds to it, an empty one makes it empty */
} keys[UNIT_KEYS] = {
	[UNIT_START] = { "ExecStart", true },
	[UNIT_USER] = { "User", false },                        [UNIT_GROUP] = { "Group", false },
	[UNIT_GROUPS] = { "SupplementaryGroups", true },        [UNIT_CAPABILITIES] = { "AmbientCapabilities", true },
	[UNIT_PRIVATE_USERS] = { "PrivateUsers", false },       [UNIT_RUNTIME] = { "RuntimeDirectory", true },
	[UNIT_HOME] = { "ProtectHome", false },                 [UNIT_TMP] = { "PrivateTmp", false },
	[UNIT_SYSTEM] = { "ProtectSystem", false },             [UNIT_WRITABLE] = { "ReadWritePaths", true },
};

/* Where these are said somebody has made a world of his own. */
static const char *const beyond[] = {
	"BindPaths", "BindReadOnlyPaths", "DynamicUser", "InaccessiblePaths", "RootDirectory", "RootImage",
	"TemporaryFileSystem",
};

/* ---- a line ---- */

static bool is_beyond(const char *name, bool is_drop_in)
{
	for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++)
		if (strcmp(name, beyond[i]) == 0)
			return true;
	return is_drop_in && strcmp(name, "ExecStart") == 0;
}

static void assign(char *to, bool list, const char *value)
{
	size_t len = list && *value ? strlen(to) : 0;

	snprintf(to + len, UNIT_VALUE - len, "%s%s", len > 0 ? " " : "", value);
}

static void take(struct unit *unit, const char *name, const char *value, bool is_drop_in)
{
	if (is_beyond(name, is_drop_in) && *value)
		snprintf(unit->beyond, sizeof unit->beyond, "%s", name);
	for (int i = 0; i < UNIT_KEYS; i++)
		if (strcmp(keys[i].name, name) == 0)
			assign(unit->value[i], keys[i].list, value);
}

static char *trimmed(char *text)
{
	char *end;

	text += strspn(text, blanks);
	for (end = text + strlen(text); end > text && strchr(blanks, end[-1]); end--)
		;
	*end = '\0';
	return text;
}

/* ---- files ---- */

/* A line that ends in a backslash goes on in the next one. */
static bool read_line(FILE *file, char **line, size_t *size)
{
	char *more = NULL, *joined;
	size_t more_size = 0;
	ssize_t len = getline(line, size, file);

	while (len > 1 && strcmp(*line + len - 2, "\\\n") == 0 && getline(&more, &more_size, file) > 0) {
		(*line)[len - 2] = '\0';
		if (asprintf(&joined, "%s %s", *line, more) < 0)
			break;
		free(*line);
		*line = joined;
		*size = strlen(joined) + 1;
		len = (ssize_t)strlen(joined);
	}
	free(more);
	return len >= 0;
}

/* False where there is no such regular file: one that leads to /dev/null masks the unit. */
static bool read_file(struct unit *unit, const char *path, bool is_drop_in)
{
	struct stat st;
	const char *reason;
	int fd = regular_open(path, &st, &reason);
	FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
	char *line = NULL;
	size_t size = 0;
	bool inside = false;

	if (!file) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (read_line(file, &line, &size)) {
		char *text = trimmed(line), *equals = strchr(text, '=');

		if (*text == '[')
			inside = strcmp(text, "[Service]") == 0;
		if (!inside || !equals || *text == '#' || *text == ';')
			continue;
		*equals = '\0';
		take(unit, trimmed(text), trimmed(equals + 1), is_drop_in);
	}
	free(line);
	fclose(file);
	return true;
}

static void read_drop_ins(struct unit *unit, const char *folder)
{
	char pattern[PATH_MAX];
	glob_t found;

	snprintf(pattern, sizeof pattern, "%s/" NAME ".d/*.conf", folder);
	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		read_file(unit, found.gl_pathv[i], true);
	globfree(&found);
}

void unit_read(struct unit *unit)
{
	char path[PATH_MAX];

	memset(unit, 0, sizeof *unit);
	if (access("/run/systemd/system", F_OK) < 0)      /* sd_booted(3) */
		return;
	for (int i = 0; i < FOLDERS && !unit->installed; i++) {
		snprintf(path, sizeof path, "%s/" NAME, folders[i]);
		unit->installed = read_file(unit, path, false);
		if (!unit->installed && access(path, F_OK) == 0)
			return;
	}
	/* whose folder counts most comes last */
	for (int i = FOLDERS - 1; unit->installed && i >= 0; i--)
		read_drop_ins(unit, folders[i]);
	unit->enabled = access("/etc/systemd/system/multi-user.target.wants/" NAME, F_OK) == 0;
}

/* ---- values ---- */

bool unit_has(const struct unit *unit, enum unit_key key)
{
	static const char *const no[] = { "", "no", "false", "off", "0", "n", "f" };

	for (size_t i = 0; i < sizeof no / sizeof *no; i++)
		if (strcmp(unit->value[key], no[i]) == 0)
			return false;
	return true;
}

bool unit_any(const struct unit *unit, enum unit_key key, bool (*call)(void *, const char *), void *arg)
{
	char copy[UNIT_VALUE], *rest = copy, *word;

	memcpy(copy, unit->value[key], sizeof copy);
	while ((word = strsep(&rest, blanks)) != NULL)
		if (*word && call(arg, word))
			return true;
	return false;
}

struct sought {
	const char *path;
	bool next;                        /* the word before says that this is it */
};

static bool is_file(void *arg, const char *word)
{
	struct sought *sought = arg;
	bool is = sought->next && strcmp(word, sought->path) == 0;

	sought->next = strcmp(word, "-c") == 0 || strcmp(word, "--config") == 0;
	return is;
}

bool unit_reads(const struct unit *unit, const char *file)
{
	struct sought sought = { file, false };

	return unit_any(unit, UNIT_START, is_file, &sought);
}

static bool is_folder(void *arg, const char *word)
{
	const struct sought *sought = arg;
	char path[UNIT_VALUE + 8];

	snprintf(path, sizeof path, "/run/%s", word);
	return strcmp(path, sought->path) == 0;
}

bool unit_makes(const struct unit *unit, const char *folder)
{
	struct sought sought = { folder, false };

	return unit_any(unit, UNIT_RUNTIME, is_folder, &sought);
}
