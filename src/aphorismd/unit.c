/*
 * unit.c - systemd.unit(5), the part of it that is needed.
 */
#include "aphorismd/unit.h"

#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
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
enum { FOLDERS = sizeof folders / sizeof *folders, LINE = 1 << 20 };        /* no longer one does systemd read */

static const struct {
	const char *name;
	enum { TEXT, LIST, CHOICE } kind; /* each line of a list adds to it, an empty one makes it empty */
} keys[UNIT_KEYS] = {
	[UNIT_START] = { "ExecStart", LIST },
	[UNIT_USER] = { "User", TEXT },                         [UNIT_GROUP] = { "Group", TEXT },
	[UNIT_GROUPS] = { "SupplementaryGroups", LIST },        [UNIT_CAPABILITIES] = { "AmbientCapabilities", LIST },
	[UNIT_BOUNDING] = { "CapabilityBoundingSet", LIST },    [UNIT_PRIVATE_USERS] = { "PrivateUsers", CHOICE },
	[UNIT_RUNTIME] = { "RuntimeDirectory", LIST },          [UNIT_STATE] = { "StateDirectory", LIST },
	[UNIT_CACHE] = { "CacheDirectory", LIST },              [UNIT_LOGS] = { "LogsDirectory", LIST },
	[UNIT_HOME] = { "ProtectHome", CHOICE },                [UNIT_TMP] = { "PrivateTmp", CHOICE },
	[UNIT_SYSTEM] = { "ProtectSystem", CHOICE },            [UNIT_WRITABLE] = { "ReadWritePaths", LIST },
};

/* Where these are said somebody has made a world of his own, or prepares something there. */
static const char *const beyond[] = {
	"BindPaths", "BindReadOnlyPaths", "DynamicUser", "EnvironmentFile", "ExecStartPre", "ExtensionDirectories",
	"ExtensionImages", "ImportCredential", "InaccessiblePaths", "LoadCredential", "LoadCredentialEncrypted",
	"MountImages", "RootDirectory", "RootImage", "SetCredential", "SetCredentialEncrypted", "TemporaryFileSystem",
};

static const char *const no[] = { "no", "false", "off", "0", "n", "f", NULL };
static const char *const yes[] = { "yes", "true", "on", "1", "y", "t", NULL };
static const char *const between[] = {
	"read-only", "tmpfs", "full", "strict", "disconnected", "self", "identity", NULL,
};

/* ---- a line ---- */

static bool is_beyond(const char *name, const char *value, bool is_drop_in)
{
	for (size_t i = 0; i < sizeof beyond / sizeof *beyond; i++)
		if (strcmp(name, beyond[i]) == 0)
			return true;
	return (is_drop_in && strcmp(name, "ExecStart") == 0) ||
	       (strcmp(name, "Environment") == 0 && strstr(value, "APHORISMD_"));
}

static bool is_among(const char *const *words, const char *value, int (*compare)(const char *, const char *))
{
	while (*words && compare(*words, value) != 0)
		words++;
	return *words != NULL;
}

/* What is none of the choices systemd passes over, the empty one too. */
static void choose(char *to, const char *value)
{
	if (is_among(no, value, strcasecmp))
		*to = '\0';
	else if (is_among(yes, value, strcasecmp) || is_among(between, value, strcmp))
		snprintf(to, UNIT_VALUE, "%s", value);
}

static void assign(char *to, bool list, const char *value)
{
	size_t len = list && *value ? strlen(to) : 0;

	snprintf(to + len, UNIT_VALUE - len, "%s%s", len > 0 ? " " : "", value);
}

static void take(struct unit *unit, const char *name, const char *value, bool is_drop_in)
{
	if (is_beyond(name, value, is_drop_in) && *value && !is_among(no, value, strcasecmp))
		snprintf(unit->beyond, sizeof unit->beyond, "%s", name);
	for (int i = 0; i < UNIT_KEYS; i++) {
		if (strcmp(keys[i].name, name) != 0)
			continue;
		if (keys[i].kind == CHOICE)
			choose(unit->value[i], value);
		else
			assign(unit->value[i], keys[i].kind == LIST, value);
		unit->bounded |= i == UNIT_BOUNDING;
	}
}

/* Specifiers, quotes, "all but these", a command with other rights; and what there was no room for. */
static bool is_odd(enum unit_key key, const char *value)
{
	char prefix = value[strspn(value, "@-:")];

	return strpbrk(value, "%\"'\\") || strlen(value) == UNIT_VALUE - 1 ||
	       ((key == UNIT_CAPABILITIES || key == UNIT_BOUNDING) && strchr(value, '~')) ||
	       (key == UNIT_START && (prefix == '+' || prefix == '!'));
}

/* Of what is in force in the end. */
static void note_odd(struct unit *unit)
{
	for (int i = 0; i < UNIT_KEYS; i++)
		if (is_odd((enum unit_key)i, unit->value[i]))
			snprintf(unit->beyond, sizeof unit->beyond, "%s", keys[i].name);
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

static bool is_comment(const char *line)
{
	line += strspn(line, blanks);
	return *line == '#' || *line == ';';
}

/* A line that ends in a backslash goes on in the next one that is no comment. */
static bool read_line(FILE *file, char *line, size_t size)
{
	size_t len = 0;

	*line = '\0';
	while (len < size - 1 && fgets(line + len, (int)(size - len), file)) {
		if (is_comment(line + len)) {
			line[len] = '\0';
			continue;
		}
		len += strlen(line + len);
		if (len < 2 || strcmp(line + len - 2, "\\\n") != 0)
			return true;
		line[len - 2] = ' ';
	}
	return len > 0;
}

/* False where there is no such regular file: one that leads to /dev/null masks the unit. */
static bool read_file(struct unit *unit, const char *path, bool is_drop_in)
{
	struct stat st;
	const char *reason;
	int fd = regular_open(path, &st, &reason);
	FILE *file = fd >= 0 ? fdopen(fd, "r") : NULL;
	static char line[LINE];
	bool inside = false;

	if (!file) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (read_line(file, line, sizeof line)) {
		char *text = trimmed(line), *equals = strchr(text, '=');

		if (*text == '[')
			inside = strcmp(text, "[Service]") == 0;
		if (!inside || !equals)
			continue;
		*equals = '\0';
		take(unit, trimmed(text), trimmed(equals + 1), is_drop_in);
	}
	fclose(file);
	return true;
}

/* The first by its name that comes after the one before, or NULL; of those with the same name who counts most. */
static const char *next_drop_in(const glob_t *found, const char *before)
{
	const char *best = NULL, *best_name = NULL;

	for (size_t i = 0; i < found->gl_pathc; i++) {
		const char *name = strrchr(found->gl_pathv[i], '/') + 1;

		if (strcmp(name, before) <= 0 || (best && strcmp(name, best_name) >= 0))
			continue;
		best = found->gl_pathv[i];
		best_name = name;
	}
	return best;
}

/* Whatever folder it is in, the name says what comes last; and one in a folder that counts more replaces another. */
static void read_drop_ins(struct unit *unit)
{
	static const char *const of[] = { NAME, "service" };
	char pattern[PATH_MAX];
	glob_t found = { .gl_pathc = 0 };
	const char *path, *before = "";

	for (int i = 0; i < 2 * FOLDERS; i++) {
		snprintf(pattern, sizeof pattern, "%s/%s.d/*.conf", folders[i % FOLDERS], of[i / FOLDERS]);
		if (glob(pattern, i > 0 ? GLOB_APPEND : 0, NULL, &found) == GLOB_NOSPACE)
			break;
	}
	while ((path = next_drop_in(&found, before)) != NULL) {
		read_file(unit, path, true);
		before = strrchr(path, '/') + 1;
	}
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
	if (unit->installed)
		read_drop_ins(unit);
	note_odd(unit);
	unit->enabled = access("/etc/systemd/system/multi-user.target.wants/" NAME, F_OK) == 0;
}

/* ---- values ---- */

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
	bool next, named;                 /* the word before says that this is it; some word did */
};

static bool is_same(const char *path, const char *other)
{
	char *real = realpath(path, NULL), *other_real = realpath(other, NULL);
	bool same = strcmp(real ? real : path, other_real ? other_real : other) == 0;

	free(real);
	free(other_real);
	return same;
}

/* As options_read() finds it: -c FILE, -cFILE, behind other letters too, --config FILE, --config=FILE. */
static bool is_file(void *arg, const char *word)
{
	struct sought *sought = arg;
	const char *letter = word[0] == '-' && word[1] != '-' ? strchr(word, 'c') : NULL;
	const char *file = sought->next ? word : strncmp(word, "--config=", 9) == 0 ? word + 9 : NULL;

	if (!file && letter && letter[1] != '\0')
		file = letter + 1;
	sought->next = !file && (strcmp(word, "--config") == 0 || letter);
	sought->named |= file != NULL;
	return file && is_same(file, sought->path);
}

bool unit_reads(const struct unit *unit, const char *file)
{
	struct sought sought = { .path = file };

	return unit_any(unit, UNIT_START, is_file, &sought) ||
	       (!sought.named && is_same(SYSCONFDIR "/aphorismd/aphorismd.conf", file));
}

struct made {
	const char *within, *path;
};

/* Behind a colon there may be the name of a link to it. */
static bool is_folder(void *arg, const char *word)
{
	const struct made *made = arg;
	char path[UNIT_VALUE + 16];

	snprintf(path, sizeof path, "%s/%.*s", made->within, (int)strcspn(word, ":"), word);
	return strcmp(path, made->path) == 0;
}

bool unit_makes(const struct unit *unit, const char *folder)
{
	static const struct {
		enum unit_key key;
		const char *within;
	} all[] = {
		{ UNIT_RUNTIME, "/run" }, { UNIT_STATE, "/var/lib" }, { UNIT_CACHE, "/var/cache" },
		{ UNIT_LOGS, "/var/log" },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		struct made made = { all[i].within, folder };

		if (unit_any(unit, all[i].key, is_folder, &made))
			return true;
	}
	return false;
}
