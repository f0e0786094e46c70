/*
 * config_owner.c - who has a name: users and groups of this system.
 *
 * By its files, and not by getpwnam(3): the loader, in its sandbox, can neither ask a service nor load code that would,
 * and what a name means should not depend on the sandbox.  Whom the files do not know can be named by his number.
 */
#include "config/config_parts.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

static const char *find_number(const char *text, int64_t *id, const char *otherwise)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || text[digits] != '\0')
		return otherwise;
	if (digits > 10 || strtoll(text, NULL, 10) >= UINT32_MAX)
		return "out of range, must be 0 to 4294967294";
	*id = strtoll(text, NULL, 10);
	return NULL;
}

const char *config_find_user(const char *name, int64_t *uid)
{
	FILE *file = fopen("/etc/passwd", "re");
	const struct passwd *user = NULL;

	while (file && (user = fgetpwent(file)) != NULL && strcmp(user->pw_name, name) != 0)
		;
	if (user)
		*uid = user->pw_uid;
	if (file)
		fclose(file);
	return user ? NULL : find_number(name, uid, "no such user in /etc/passwd; a number is taken as it is");
}

const char *config_find_group(const char *name, int64_t *gid)
{
	FILE *file = fopen("/etc/group", "re");
	const struct group *group = NULL;

	while (file && (group = fgetgrent(file)) != NULL && strcmp(group->gr_name, name) != 0)
		;
	if (group)
		*gid = group->gr_gid;
	if (file)
		fclose(file);
	return group ? NULL : find_number(name, gid, "no such group in /etc/group; a number is taken as it is");
}
