/*
 * wish.c - wishes that take more than to be written down.
 */
#include "aphorismd/wish.h"

#include "common/clock.h"

enum { LATE_US = CLOCK_S };

struct wish wish;

void wish_stop(int urgency)
{
	wish.stopping = wish.stopping + urgency > WISH_AT_ONCE ? WISH_AT_ONCE : wish.stopping + urgency;
	wish.stop = true;
}

static void look_until(uint64_t us)
{
	if (us > wish.look_until_us)
		wish.look_until_us = us;
}

void wish_look(void)
{
	look_until(1);
}

void wish_look_on(uint64_t now_us)
{
	look_until(now_us + LATE_US);
}
