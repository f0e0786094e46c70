/*
 * sandbox_landlock.c - the file system, TCP and signals, taken away by Landlock.
 *
 * By plain system calls and with our own numbers, since headers are often older than kernels: what the kernel knows
 * is asked of it at run time.
 */
#include "sandbox/sandbox_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef HAVE_LANDLOCK

enum { CREATE_RULESET = SYS_landlock_create_ruleset, ADD_RULE, RESTRICT_SELF };
enum { ASK_VERSION = 1, RULE_PATH_BENEATH = 1 };
enum { READ_FILE = 1 << 2, READ_DIR = 1 << 3 };
enum { BIND_TCP = 1 << 0, CONNECT_TCP = 1 << 1 };
enum { ABSTRACT_UNIX_SOCKETS = 1 << 0, SIGNALS = 1 << 1 };

struct ruleset {
	uint64_t files, net, scoped;
};

struct path_beneath {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

const bool sandbox_has_landlock = true;

/* All that a version of the interface can deny; later versions know more, which we do not. */
static struct ruleset everything(long version)
{
	static const uint8_t files[] = { 13, 14, 15, 15, 16 };    /* rights, by version from 1 on */
	long last = sizeof files;

	return (struct ruleset){
		.files = (UINT64_C(1) << files[(version < last ? version : last) - 1]) - 1,
		.net = version >= 4 ? BIND_TCP | CONNECT_TCP : 0,
		.scoped = version >= 6 ? ABSTRACT_UNIX_SOCKETS | SIGNALS : 0,
	};
}

/* Configuration, includes and table may be anywhere.  To open a folder is to learn that it is none of them. */
static int allow_reading(int rules)
{
	struct path_beneath root = { READ_FILE | READ_DIR, open("/", O_PATH | O_DIRECTORY | O_CLOEXEC) };
	long rc = root.fd < 0 ? -1 : syscall(ADD_RULE, rules, RULE_PATH_BENEATH, &root, 0);

	if (root.fd >= 0)
		close(root.fd);
	return (int)rc;
}

const char *sandbox_enter_landlock(enum sandbox_role role)
{
	long version = syscall(CREATE_RULESET, NULL, 0, ASK_VERSION);
	struct ruleset ruleset;
	bool done;
	int rules;

	if (version < 1)
		return errno == EOPNOTSUPP ? "Landlock is switched off in this kernel" :
		       errno == EPERM ? "a filter of system calls forbids Landlock (landlock_create_ruleset)"
		                      : "this kernel has no Landlock";
	if (role == SANDBOX_SUPERVISOR)
		return NULL;      /* binds where a later configuration says; only its children go without files */
	ruleset = everything(version);
	if ((rules = (int)syscall(CREATE_RULESET, &ruleset, sizeof ruleset, 0)) < 0)
		return "the kernel refuses Landlock's rules";
	done = (role != SANDBOX_LOADER || allow_reading(rules) == 0) && syscall(RESTRICT_SELF, rules, 0) == 0;
	close(rules);
	return done ? NULL : "the kernel refuses to be restricted by Landlock";
}

#else

const bool sandbox_has_landlock = false;

const char *sandbox_enter_landlock(enum sandbox_role role)
{
	(void)role;
	return "this build has no Landlock";
}

#endif
