/*
 * privileges.c - dropping them for good.
 */
#include "aphorismd/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/capability.h"
#include "common/log.h"
#include "common/options.h"
#include "sandbox/sandbox.h"

static int refuse(char *reason, const char *key, const char *name, const char *why)
{
	snprintf(reason, PRIVILEGES_REASON, "process.%s: %s: %s", key, name, why);
	return EX_CONFIG;
}

/* Whoever has no name, as in many a container, goes by a number; the last one is none, but how "unchanged" is said. */
static bool is_number(const char *name, uint32_t *number)
{
	*number = (uint32_t)options_number(name, UINT32_MAX - 1);
	return *number > 0 || strcmp(name, "0") == 0;
}

static int resolve_group(struct privileges *privileges, const struct config *config, char *reason)
{
	const struct group *group;

	if (config->group[0] == '\0')
		return 0;
	errno = 0;
	if ((group = getgrnam(config->group)) != NULL)
		privileges->gid = group->gr_gid;
	else if (!is_number(config->group, &privileges->gid))
		return refuse(reason, "group", config->group, errno ? strerror(errno) : "no such group");
	return 0;
}

/* One without an entry has no group but of the same number: root's own would be more than was asked for. */
static int resolve_user(struct privileges *privileges, const struct config *config, char *reason)
{
	const struct passwd *user;

	errno = 0;
	user = getpwnam(config->user);
	if (!user && !is_number(config->user, &privileges->uid))
		return refuse(reason, "user", config->user, errno ? strerror(errno) : "no such user");
	if (!user)
		user = getpwuid(privileges->uid);
	if (user)
		privileges->uid = user->pw_uid;
	if (geteuid() == 0)
		privileges->gid = user ? user->pw_gid : (gid_t)privileges->uid;
	return 0;
}

int privileges_resolve(struct privileges *privileges, const struct config *config, char *reason)
{
	bool root = geteuid() == 0;

	*privileges = (struct privileges){ .drop = false, .uid = geteuid(), .gid = getegid() };
	if (!root && !config->set.user && config->group[0] == '\0')
		return 0;
	if (config->user[0] == '\0')
		return resolve_group(privileges, config, reason);
	if (((root || config->set.user) && resolve_user(privileges, config, reason) != 0) ||
	    resolve_group(privileges, config, reason) != 0)
		return EX_CONFIG;
	if (!root && privileges->uid != geteuid())
		return refuse(reason, "user", config->user, "only root can become another user");
	if (!root && privileges->gid != getegid())
		return refuse(reason, "group", config->group, "only root can change the group");
	privileges->drop = root;
	return 0;
}

bool privileges_are_roots(const struct privileges *privileges)
{
	return geteuid() == 0 && (!privileges->drop || privileges->uid == 0);
}

void privileges_warn(const struct privileges *privileges, const struct config *config)
{
	if (privileges_are_roots(privileges))
		log_warning("process.user is %s: workers keep the rights of root",
		            config->user[0] ? config->user : "empty");
}

void privileges_offer_to_oom_killer(int score)
{
	char text[16];
	int len = snprintf(text, sizeof text, "%d", score);
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, (size_t)len) < 0)
		log_debug("can't set oom_score_adj: %s", strerror(errno));
	close(fd);
}

static bool is(uid_t uid, gid_t gid)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	return getresuid(&r, &e, &s) == 0 && r == uid && e == uid && s == uid &&
	       getresgid(&rg, &eg, &sg) == 0 && rg == gid && eg == gid && sg == gid;
}

/*
 * NULL, or the call that failed, with errno.  Groups first: after setresuid we could not change them any more.  In a
 * user namespace nobody may; who stays what he is, as root in there, has none that are not his.
 */
static const char *become(uid_t uid, gid_t gid)
{
	bool stays = is(uid, gid);

	if (getgroups(0, NULL) != 0 && setgroups(0, NULL) < 0 && !(stays && errno == EPERM))
		return "setgroups";
	if (!stays && setresgid(gid, gid, gid) < 0)
		return "setresgid";
	return !stays && setresuid(uid, uid, uid) < 0 ? "setresuid" : NULL;
}

static bool is_for_good(uid_t uid, gid_t gid)
{
	if (!is(uid, gid))
		return false;
	return uid == 0 || (getgroups(0, NULL) == 0 && setuid(0) < 0 && (gid == 0 || setgid(0) < 0));
}

static int change_user(uid_t uid, gid_t gid)
{
	const char *call = become(uid, gid);

	if (call) {
		log_error("can't become user %u, group %u: %s: %s%s", (unsigned)uid, (unsigned)gid, call,
		          strerror(errno), errno == EINVAL ? ": not in this user namespace" : "");
		return EX_NOPERM;
	}
	if (is_for_good(uid, gid))
		return 0;
	log_error("the rights of root could come back after they were dropped");
	return EX_NOPERM;
}

/*
 * Of those that it has, the reserve not in effect; what can be inherited, and so what a program may be started with, is
 * none.
 */
static bool keep_capabilities(uint32_t kept, uint32_t reserve)
{
	struct capabilities own = { { { .effective = kept, .permitted = kept | reserve } } }, all;

	/* in a container we may have less than we keep; without an answer we keep all, or no worker could be forked */
	if (capability_get(&all)) {
		own.words[0].effective &= all.words[0].effective;
		own.words[0].permitted &= all.words[0].permitted;
		if (memcmp(&own, &all, sizeof own) == 0)
			return true;      /* nothing to give up: a service manager may deny the call, too */
	}
	return capability_set(&own);
}

bool privileges_keep_none(void)
{
	return keep_capabilities(0, 0);
}

int privileges_drop(const struct privileges *privileges)
{
	struct rlimit none = { 0, 0 };

	privileges_offer_to_oom_killer(PRIVILEGES_OOM_WORKER);
	setrlimit(RLIMIT_CORE, &none);
	if (privileges->drop && change_user(privileges->uid, privileges->gid) != 0)
		return EX_NOPERM;
	/* a change of user leaves none; but an ordinary user may have some, by a service manager */
	if (!privileges_keep_none()) {
		log_error("can't give up capabilities: capset: %s", strerror(errno));
		return EX_NOPERM;
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		log_warning("can't rule out new privileges: prctl(PR_SET_NO_NEW_PRIVS): %s", strerror(errno));
	return 0;
}

int privileges_confine(const struct worker *worker, unsigned makes, bool expected)
{
	struct sandbox_descriptors descriptors = {
		worker->devnull, 4, { STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, worker->notices },
	};
	char reason[SANDBOX_REASON];

	for (int i = 0; i < worker->listener_count; i++) {
		descriptors.shared[descriptors.count++] = worker->listeners[i].fd;
		descriptors.shared[descriptors.count++] = worker->listeners[i].watched;
	}
	if (worker->config->sandbox == SANDBOX_OFF ||
	    sandbox_enter(SANDBOX_WORKER, makes, &descriptors, reason))
		return 0;
	if (worker->config->sandbox == SANDBOX_REQUIRED) {
		log_error("process.sandbox: required, but %s", reason);
		return EX_OSERR;
	}
	if (expected)
		log_warning("process.sandbox: not all of it is in force: %s", reason);
	return 0;
}

static void reduce_to(uint32_t kept, uint32_t reserve)
{
	if (!keep_capabilities(kept, reserve))
		log_warning("can't give up capabilities: capset: %s", strerror(errno));
}

void privileges_reduce(void)
{
	uint32_t reserve = geteuid() == 0 ? 1u << CAP_CHOWN : 0;         /* for identity_give() */

	reduce_to(1u << CAP_KILL | 1u << CAP_SETUID | 1u << CAP_SETGID | 1u << CAP_NET_BIND_SERVICE, reserve);
}

void privileges_read_only(void)
{
	/* containers often have the wider one alone */
	bool narrow = prctl(PR_CAPBSET_READ, CAP_DAC_READ_SEARCH, 0, 0, 0) == 1;

	reduce_to(1u << (narrow ? CAP_DAC_READ_SEARCH : CAP_DAC_OVERRIDE), 0);
}
