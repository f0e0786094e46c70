/*
 * heir.c - an upgrade, in the process that comes; what is said is listed in upgrade_talk.h.
 *
 * It starts as any other does, but for what is the elder's still: files, queues, the service manager's ear.  When the
 * elder ends without a word this is nobody else's, and the heir takes it.
 */
#include "aphorismd/heir.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "aphorismd/control.h"
#include "aphorismd/elder.h"
#include "aphorismd/generations.h"
#include "aphorismd/listeners.h"
#include "aphorismd/notify.h"
#include "aphorismd/setup.h"
#include "aphorismd/status.h"
#include "aphorismd/wish.h"
#include "common/clock.h"
#include "common/log.h"

enum { LATE_US = CLOCK_S };

static bool speaks;                       /* to the service manager, in the elder's place */

static void speak(void)
{
	speaks = true;
	notify_open();
	status_notify_ready(false);
}

static void inherit(void)
{
	elder_succeed();
	listeners_own();
	control_own();
	if (!setup_write_pidfile())
		log_error("pidfile %s: %s", setup_pidfile_path(), strerror(errno));
	if (!setup_options()->foreground)
		setup_detach();
	log_notice("upgraded: process %d, version " PACKAGE_VERSION ", has taken the place of process %d",
	           (int)getpid(), (int)elder_pid());
	elder_say("taken\n");
	atomic_store(&generations_current()->board->shared->has_heir, false);
}

void heir_claim(void)
{
	char line[64];

	if (!elder_is_owner())
		return;
	if (!elder_is_there()) {
		inherit();
		speak();
		return;
	}
	snprintf(line, sizeof line, "ready %" PRIx64 " %d\n", listeners_taken(), control_is_theirs());
	elder_say(line);
}

/* What the elder's workers were told of is not known. */
static void have_workers_look(uint64_t now_us)
{
	wish_look(now_us + LATE_US);
}

static void take_line(const char *line, uint64_t now_us)
{
	bool may_become = elder_is_owner() && wish_stopping() == 0;

	if (strcmp(line, "yours") == 0 && may_become)
		inherit();
	else if (strcmp(line, "speak") == 0)
		speak();
	else if (strcmp(line, "look") == 0)
		have_workers_look(now_us);
	else if (strcmp(line, "no") == 0 && may_become)
		wish_stop(1);
}

static void elder_has_gone(uint64_t now_us)
{
	if (wish_stopping() > 0)
		return;
	if (elder_is_owner() && generations_current())
		inherit();
	if (!elder_is_owner() && !speaks)
		speak();          /* it may have died between our last word and its own */
	listeners_set_blocking();
	have_workers_look(now_us);
}

void heir_hear(uint64_t now_us)
{
	char line[64];
	int heard = elder_hear(line, sizeof line);

	if (heard > 0)
		take_line(line, now_us);
	else if (heard < 0)
		elder_has_gone(now_us);
}
