/*
 * wish.c - what has been wished and not been carried out yet.
 */
#include "aphorismd/wish.h"

static struct {
	int stopping;
	bool stop, reload, look;
	uint64_t look_until_us;
} wishes;

void wish_stop(int urgency)
{
	wishes.stopping = wishes.stopping + urgency > WISH_AT_ONCE ? WISH_AT_ONCE : wishes.stopping + urgency;
	wishes.stop = true;
}

int wish_stopping(void)
{
	return wishes.stopping;
}

bool wish_take_stop(void)
{
	bool wished = wishes.stop;

	wishes.stop = false;
	return wished;
}

void wish_reload(void)
{
	wishes.reload = true;
}

bool wish_has_reload(void)
{
	return wishes.reload;
}

bool wish_take_reload(void)
{
	bool wished = wishes.reload;

	wishes.reload = false;
	return wished;
}

void wish_look(uint64_t until_us)
{
	wishes.look = true;
	if (until_us > wishes.look_until_us)
		wishes.look_until_us = until_us;
}

bool wish_has_look(void)
{
	return wishes.look;
}

void wish_looked(uint64_t now_us)
{
	wishes.look = now_us < wishes.look_until_us;
}
