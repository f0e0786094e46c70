/*
 * successor.c - an upgrade, in the process that comes; what is said is listed in upgrade_talk.h.
 *
 * It starts as any other does, but for what is the predecessor's still: files, queues, the service manager's ear.  When
 * the predecessor ends without a word this is nobody else's, and the successor takes it.
 *
 *             its workers serve: `ready`          `yours`: `taken`         `speak`
 *   STARTS -------------------------------> CLAIMS ----------------> OWNS ------------> SPEAKS, for good
 *     | |                                    | |                       |                   ^
 *     | +--- `no`; can't start: it stops <---+ |                       |                   |
 *     |                                        |  the other has gone   |                   |
 *     +----- when its workers serve -----------+-----------------------+-------------------+
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "aphorismd/control.h"
#include "aphorismd/daemonize.h"
#include "aphorismd/generations.h"
#include "aphorismd/listeners.h"
#include "aphorismd/notify.h"
#include "aphorismd/part.h"
#include "aphorismd/pidfile.h"
#include "aphorismd/predecessor.h"
#include "aphorismd/setup.h"
#include "aphorismd/status.h"
#include "aphorismd/upgrade_talk.h"
#include "aphorismd/wish.h"
#include "common/log.h"

static struct {
	bool claimed;                     /* it has asked for what the predecessor has */
	bool speaks;                      /* to the service manager, in the predecessor's place */
} successor;

static void speak(void)
{
	successor.speaks = true;
	notify_open();
	status_notify_ready(false);
}

static void inherit(void)
{
	predecessor.owns = false;
	listeners_own();
	control_own();
	if (!pidfile_write())
		log_error("pidfile %s: %s", pidfile_path(), strerror(errno));
	if (!setup.options->foreground)
		daemonize_detach(environment.devnull);
	log_notice("upgraded: process %d, version " PACKAGE_VERSION ", has taken the place of process %d",
	           (int)getpid(), (int)predecessor.pid);
	upgrade_talk_say(predecessor.fd, "taken\n");
	atomic_store(&generations.current->board->shared->has_successor, false);
}

static void claim(void)
{
	char line[64];

	successor.claimed = true;
	if (!predecessor_is_there()) {
		inherit();
		speak();
		return;
	}
	snprintf(line, sizeof line, "ready %" PRIx64 " %d\n", listeners_taken(),
	         control_listener() && control_listener()->theirs);
	upgrade_talk_say(predecessor.fd, line);
}

static void take_line(const char *line, uint64_t now_us)
{
	bool may_become = predecessor.owns && wish.stopping == 0;

	if (strcmp(line, "yours") == 0 && may_become)
		inherit();
	else if (strcmp(line, "speak") == 0)
		speak();
	else if (strcmp(line, "look") == 0)
		wish_recheck(now_us + WISH_LATE_US);
	else if (strcmp(line, "no") == 0 && may_become)
		wish_stop(1);
}

static void predecessor_has_gone(uint64_t now_us)
{
	if (wish.stopping > 0)
		return;
	if (predecessor.owns && generations.current)
		inherit();
	if (!predecessor.owns && !successor.speaks)
		speak();          /* it may have died between our last word and its own */
	listeners_set_blocking();
	wish_recheck(now_us + WISH_LATE_US);  /* what its workers were told of is not known */
}

/* ---- as the loop asks ---- */

static void hear(uint64_t now_us)
{
	char line[64] = "";
	int heard = upgrade_talk_hear(&predecessor.fd, line, sizeof line);

	line[strcspn(line, "\n")] = '\0';
	if (heard > 0)
		take_line(line, now_us);
	else if (heard < 0)
		predecessor_has_gone(now_us);
}

/* Our first generation serves. */
static void tend(uint64_t now_us)
{
	(void)now_us;
	if (!successor.claimed && predecessor.owns && generations.current)
		claim();
}

const struct part part_successor = { .fd = &predecessor.fd, .hear = hear, .tend = tend };
