/*
 * event_parked.c - a block with the input at its beginning, and the output behind it.
 */
#include "event/event_parked.h"

#include <stdlib.h>
#include <string.h>

enum {
	FEW = 1024,                       /* bytes that are copied sooner than more is added to them */
	SPARE = 4,                        /* a block that is so many times larger than it need be is made smaller */
};

/* Bytes from the block's beginning to the input's end. */
static uint32_t input_end(const struct event_parked *parked)
{
	return parked->in.before + parked->in.len;
}

static bool resize(struct event_parked **parked, uint32_t size)
{
	struct event_parked *resized = realloc(*parked, sizeof *resized + size);

	if (!resized)
		return false;
	if (!*parked)
		*resized = (struct event_parked){ .size = 0 };
	resized->size = size;
	resized->in.at = resized->block + resized->in.before;
	resized->in.size = size - resized->in.before;
	*parked = resized;
	return true;
}

bool event_parked_put_input(struct event_parked **parked, const struct bytes *in, uint64_t came_ns)
{
	if (!resize(parked, in->len))
		return false;
	memcpy((*parked)->in.at, in->at, in->len);
	(*parked)->in.len = in->len;
	(*parked)->in.searched = in->searched;
	(*parked)->in.skip = in->skip;
	(*parked)->came_ns = came_ns;
	return true;
}

void event_parked_return_few(struct event_parked **parked, struct bytes *in)
{
	if ((*parked)->out_len > 0 || (*parked)->in.len > FEW)
		return;
	memcpy(in->at, (*parked)->in.at, (*parked)->in.len);
	in->len = (*parked)->in.len;
	in->searched = (*parked)->in.searched;
	in->skip = (*parked)->in.skip;
	event_parked_drop(parked);
}

bool event_parked_add_input(struct event_parked **parked, struct span more, uint32_t most, uint64_t came_ns)
{
	uint32_t end = input_end(*parked), wanted = end + (uint32_t)more.len;

	if (wanted > (*parked)->size) {
		uint32_t twice = (*parked)->size < most / 2 ? 2 * (*parked)->size : most;

		if (!resize(parked, wanted > twice ? wanted : twice))
			return false;
	}
	memcpy((*parked)->block + end, more.at, more.len);
	(*parked)->in.len += (uint32_t)more.len;
	(*parked)->came_ns = came_ns;
	return true;
}

bool event_parked_put_output(struct event_parked **parked, struct span out)
{
	uint32_t at = *parked ? input_end(*parked) : 0, wanted = at + (uint32_t)out.len;

	if ((!*parked || wanted > (*parked)->size) && !resize(parked, wanted))
		return false;
	memcpy((*parked)->block + at, out.at, out.len);
	(*parked)->out_at = at;
	(*parked)->out_len = (uint32_t)out.len;
	return true;
}

struct span event_parked_output(const struct event_parked *parked)
{
	return (struct span){ parked->block + parked->out_at, parked->out_len };
}

void event_parked_sent(struct event_parked *parked, uint32_t len)
{
	parked->out_at += len;
	parked->out_len -= len;
}

void event_parked_trim(struct event_parked **parked)
{
	uint32_t used = input_end(*parked);

	if ((*parked)->out_len > 0)
		return;
	if ((*parked)->in.len == 0)
		event_parked_drop(parked);
	else if ((*parked)->size > FEW && (*parked)->size / SPARE > used)
		resize(parked, used);     /* where that fails it stays as it is */
}

void event_parked_drop(struct event_parked **parked)
{
	free(*parked);
	*parked = NULL;
}
