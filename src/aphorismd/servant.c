/*
 * servant.c - who serves, and becoming him.
 */
#include "aphorismd/servant.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "aphorismd/privileges.h"

#define DIGITS "0123456789"

/* ---- who ---- */

/* By number, too, as long as it is known by a name. */
static const struct passwd *user_of(const char *name)
{
	const struct passwd *user = getpwnam(name);

	return user || name[strspn(name, DIGITS)] != '\0' ? user : getpwuid((uid_t)strtoul(name, NULL, 10));
}

static const struct group *group_of(const char *name)
{
	const struct group *group = getgrnam(name);

	return group || name[strspn(name, DIGITS)] != '\0' ? group : getgrgid((gid_t)strtoul(name, NULL, 10));
}

static bool add_group(void *arg, const char *name)
{
	struct servant *servant = arg;
	const struct group *group = group_of(name);

	if (group && servant->group_count < SERVANT_GROUPS)
		servant->groups[servant->group_count++] = group->gr_gid;
	return false;
}

/* As systemd does it: the groups that the user is in, and those that the unit names. */
static bool find_user(struct servant *servant)
{
	const struct unit *unit = &servant->unit;
	const char *name = unit->value[UNIT_USER], *group_name = unit->value[UNIT_GROUP];
	const struct passwd *user = user_of(name);
	const struct group *group = *group_name ? group_of(group_name) : NULL;

	if (!user || (*group_name && !group))
		return false;
	servant->uid = user->pw_uid;
	servant->gid = group ? group->gr_gid : user->pw_gid;
	servant->group_count = SERVANT_GROUPS;
	if (getgrouplist(user->pw_name, servant->gid, servant->groups, &servant->group_count) < 0)
		servant->group_count = SERVANT_GROUPS;
	unit_any(unit, UNIT_GROUPS, add_group, servant);
	return true;
}

static bool is_roots(const char *user)
{
	return *user == '\0' || strcmp(user, "root") == 0 || strcmp(user, "0") == 0;
}

static bool is_walled(const struct unit *unit)
{
	return unit->bounded || unit->value[UNIT_HOME][0] || unit->value[UNIT_TMP][0] || unit->value[UNIT_SYSTEM][0];
}

void servant_learn(struct servant *servant, const struct options *options)
{
	const struct unit *unit = &servant->unit;
	bool roots;

	*servant = (struct servant){ .by_root = geteuid() == 0, .reads = true };
	if (!servant->by_root)
		return;
	servant->certain = true;
	unit_read(&servant->unit);
	/* a unit of root's does what any start by root does, if it does no more */
	roots = is_roots(unit->value[UNIT_USER]);
	if (!unit->installed || (roots && unit->beyond[0] == '\0' && !is_walled(unit)))
		return;
	servant->reads = unit_reads(unit, options->file);
	if (!roots && !(servant->by_unit = find_user(servant)))
		snprintf(servant->unsure, sizeof servant->unsure, "its user %.99s, or its group, does not exist",
		         unit->value[UNIT_USER]);
	else if (unit->beyond[0] != '\0')
		snprintf(servant->unsure, sizeof servant->unsure, "what its %s makes of it is not followed here",
		         unit->beyond);
	else if (!servant->reads)
		snprintf(servant->unsure, sizeof servant->unsure, "it reads another file");
	else if (!unit->enabled)
		snprintf(servant->unsure, sizeof servant->unsure, "it is not enabled");
	else if (roots)
		snprintf(servant->unsure, sizeof servant->unsure,
		         "it is root's, and what it takes from him is not followed here");
	servant->certain = servant->unsure[0] == '\0';
}

const char *servant_who(const struct servant *servant, char to[SERVANT_WORDS])
{
	const struct unit *unit = &servant->unit;
	bool home = unit->value[UNIT_HOME][0], tmp = unit->value[UNIT_TMP][0];

	if (servant->by_unit)
		snprintf(to, SERVANT_WORDS, "user %.32s of %s%s%s%s%s", unit->value[UNIT_USER], unit_name,
		         home || tmp ? ", which has " : "", home ? "ProtectHome" : "", home && tmp ? " and " : "",
		         tmp ? "PrivateTmp" : "");
	else
		snprintf(to, SERVANT_WORDS, "a running daemon of root's, which no longer overrides permissions");
	return to;
}

/* ---- becoming him ---- */

/* Over what is not there there is nothing to hide. */
static bool cover(const char *folder, const char *mode)
{
	return mount("none", folder, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, mode) == 0 || errno == ENOENT;
}

/* In a namespace of our own: nobody else sees it, and it ends with this process. */
static bool hide(const struct unit *unit)
{
	bool home = unit->value[UNIT_HOME][0] && strcmp(unit->value[UNIT_HOME], "read-only") != 0;
	bool tmp = unit->value[UNIT_TMP][0];
	const char *mode = strcmp(unit->value[UNIT_HOME], "tmpfs") == 0 ? "mode=0755" : "mode=0000";

	if (!home && !tmp)
		return true;
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	return (!home || (cover("/home", mode) && cover("/root", mode) && cover("/run/user", mode))) &&
	       (!tmp || (cover("/tmp", "mode=1777") && cover("/var/tmp", "mode=1777")));
}

bool servant_become(const struct servant *servant, int *blind)
{
	*blind = 0;
	if (!servant->by_root)
		return true;
	if (!servant->by_unit) {
		privileges_reduce();
		return true;
	}
	if (!hide(&servant->unit))
		*blind = errno;
	return setgroups((size_t)servant->group_count, servant->groups) == 0 &&
	       setresgid(servant->gid, servant->gid, servant->gid) == 0 &&
	       setresuid(servant->uid, servant->uid, servant->uid) == 0;
}
