/*
 * wish.c - wishes that take more than to be written down.
 */
#include "aphorismd/wish.h"

struct wish wish;

void wish_stop(int urgency)
{
	wish.stopping = wish.stopping + urgency > WISH_AT_ONCE ? WISH_AT_ONCE : wish.stopping + urgency;
	wish.stop = true;
}

void wish_recheck(uint64_t until_us)
{
	if (until_us > wish.recheck_until_us)
		wish.recheck_until_us = until_us;
}
