/*
 * inherited.c - LISTEN_FDS.
 */
#include "aphorismd/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "aphorismd/predecessor.h"
#include "common/address.h"
#include "common/options.h"
#include "net/descriptor.h"
#include "protocol/protocol.h"

enum { MOST = CONFIG_LISTENERS + 2 };             /* the latter of an upgrade */

struct inherited {
	char name[CONFIG_ADDRESS];
	char address[CONFIG_ADDRESS];
	unsigned long long device, inode;         /* 0: not told */
};

static const char own_mark = '=', control_name[] = "=control", predecessor_name[] = "=upgrade";
static struct inherited all[MOST];
static int count;
static char wrong[INHERITED_REASON];

static const char *next(const char *names)
{
	names = strchr(names, ':');
	return names ? names + 1 : NULL;
}

static void take_names(const char *names)
{
	for (int i = 0; i < count && names; i++, names = next(names))
		snprintf(all[i].name, sizeof all[i].name, "%.*s", (int)strcspn(names, ":"), names);
	for (int i = 0; i < count && names; i++, names = next(names))
		if (sscanf(names, "%llx-%llx", &all[i].device, &all[i].inode) != 2)
			all[i].device = all[i].inode = 0;
}

/* Now, since what is not open now may become one of ours. */
static void check(void)
{
	for (int i = 0; i < count && wrong[0] == '\0'; i++) {
		const char *what;

		if (descriptor_kind(INHERITED_FIRST + i, &what) != DESCRIPTOR_LISTENER)
			snprintf(wrong, sizeof wrong,
			         "inherited descriptor %d (%.63s) must be a listening stream socket, but is %s",
			         INHERITED_FIRST + i, all[i].name[0] ? all[i].name : "without a name", what);
	}
}

/* Those that an upgrade has more are the last ones.  Addresses have colons, which names can't have. */
static void take_predecessor(void)
{
	if (count == 0 || strcmp(all[count - 1].name, predecessor_name) != 0)
		return;
	predecessor_meet(INHERITED_FIRST + --count);
	fcntl(predecessor.fd, F_SETFD, FD_CLOEXEC);
	if (count > 0 && strcmp(all[count - 1].name, control_name) == 0)
		predecessor.control = INHERITED_FIRST + --count;
	for (int i = 0; i < count; i++)
		for (char *at = all[i].name; (at = strchr(at, '|')) != NULL;)
			*at = ':';
}

int inherited_take(void)
{
	static const char *const variables[] = { "LISTEN_PID", "LISTEN_PIDFDID", "LISTEN_FDS", "LISTEN_FDNAMES" };
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	int taken = 0;

	if (pid && fds && options_number(pid, INT32_MAX) == (uint64_t)getpid()) {
		taken = count = (int)options_number(fds, MOST);
		take_names(getenv("LISTEN_FDNAMES"));
		take_predecessor();
		if (count > CONFIG_LISTENERS || (taken == 0 && strcmp(fds, "0") != 0))
			snprintf(wrong, sizeof wrong, "LISTEN_FDS must be a number from 0 to %d", CONFIG_LISTENERS);
		check();
	}
	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
		unsetenv(variables[i]);
	return taken;
}

void inherited_note_file(struct listener *listener)
{
	const struct inherited *one = &all[listener->fd - INHERITED_FIRST];

	listener->device = (dev_t)one->device;
	listener->inode = (ino_t)one->inode;
}

static size_t print_file(char *to, size_t size, const struct listener *listener)
{
	return (size_t)snprintf(to, size, ":%llx-%llx", (unsigned long long)listener->device,
	                        (unsigned long long)listener->inode);
}

void inherited_name(char *names, size_t size, struct listener *const *listeners, size_t listener_count,
                    const struct listener *its_control)
{
	size_t len = 0;

	for (size_t i = 0; i < listener_count; i++) {
		const struct listener *one = listeners[i];
		char *from = names + len;

		/* to a borrowed one whose name seems to be ours nobody has given a meaning */
		if (one->borrowed)
			len += (size_t)snprintf(from, size - len, "%s:", one->asked[0] == own_mark ? "" : one->asked);
		else
			len += (size_t)snprintf(from, size - len, "%c%s:", own_mark, one->asked);
		for (char *at = from; (at = strchr(at, ':')) < names + len - 1;)
			*at = '|';
	}
	len += (size_t)snprintf(names + len, size - len, "%s%s%s", its_control ? control_name : "",
	                        its_control ? ":" : "", predecessor_name);
	for (size_t i = 0; i < listener_count; i++)
		len += print_file(names + len, size - len, listeners[i]);
	if (its_control)
		print_file(names + len, size - len, its_control);
}

void inherited_set(bool is_connection)
{
	struct sockaddr_storage local = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof local;

	count = 1;
	if (is_connection && getsockname(INHERITED_FIRST, (struct sockaddr *)&local, &len) == 0)
		address_format(all[0].address, sizeof all[0].address, (struct sockaddr *)&local);
}

bool inherited_adopt(struct listener **listeners, size_t *listener_count, char *reason)
{
	int borrowed = 0;

	snprintf(reason, INHERITED_REASON, "%s", wrong);
	for (int i = 0; i < count && wrong[0] == '\0'; i++) {
		bool own = predecessor_is_there() && all[i].name[0] == own_mark;
		struct listener *listener = listener_adopt(INHERITED_FIRST + i, all[i].name + own, !own);

		if (!listener) {
			snprintf(reason, INHERITED_REASON, "inherited descriptor %d: %s", INHERITED_FIRST + i,
			         strerror(errno));
			return false;
		}
		listener->theirs = predecessor_is_there();
		if (own)
			inherited_note_file(listener);
		if (own && listener->inside)
			memcpy(listener->address, listener->asked, sizeof listener->address);
		memcpy(all[i].address, listener->address, sizeof all[i].address);
		listeners[(*listener_count)++] = listener;
		borrowed += listener->borrowed;
	}
	count = borrowed;         /* all are, or none */
	return wrong[0] == '\0';
}

/* ---- in the loader ---- */

/* Is it the inherited address that was meant by one in the configuration?  An abstract one can't stand there. */
static bool is_meant(const char *text, const char *inherited)
{
	struct address asked, given;

	if (address_parse(&asked, text) != NULL || address_parse(&given, inherited) != NULL)
		return false;
	if (memcmp(&asked.sockaddr, &given.sockaddr, sizeof asked.sockaddr) == 0)
		return true;
	return asked.sockaddr.ss_family != AF_UNIX && given.sockaddr.ss_family != AF_UNIX &&
	       address_is_unspecified(&asked) && address_port(&asked) == address_port(&given);
}

/*
 * How it is served: its own name's protocol goes before that of its entry in the configuration, if it has one.  What
 * that says of a file is for those that are ours.
 */
static void tell(const struct inherited *one, const struct config *config, struct config_listen *listen)
{
	const struct config_listen *entry = config->listen, *end = entry + config->listeners;

	while (entry < end && !is_meant(entry->address, one->address))
		entry++;
	snprintf(listen->protocol, sizeof listen->protocol, "%s", protocols[0]->name);
	if (entry < end)
		*listen = *entry;
	listen->mode = 0666;
	listen->user = listen->group = (struct config_owner){ .id = 0 };
	memcpy(listen->address, one->address, sizeof listen->address);
	if (protocol_find(one->name))
		memcpy(listen->protocol, one->name, sizeof listen->protocol);
}

/* Returns how many addresses of the list are served before the first one that is not. */
static int64_t first_unserved(const struct config *config)
{
	for (int64_t i = 0; i < config->listeners; i++) {
		bool served = false;

		for (int k = 0; k < count; k++)
			served |= is_meant(config->listen[i].address, all[k].address);
		if (!served)
			return i;
	}
	return config->listeners;
}

bool inherited_list(struct config *config, char *unserved)
{
	struct config_listen listen[CONFIG_LISTENERS] = { { .mode = 0 } };
	int64_t first = config->set.listen ? first_unserved(config) : config->listeners;
	bool all_served = count == 0 || first == config->listeners;

	if (!all_served)
		memcpy(unserved, config->listen[first].address, CONFIG_ADDRESS);
	for (int i = 0; i < count; i++)
		tell(&all[i], config, &listen[i]);
	if (count > 0) {
		memcpy(config->listen, listen, sizeof listen);
		config->listeners = count;
	}
	return all_served;
}
