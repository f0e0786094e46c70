/*
 * protocol.c - the rows of the table of protocols.
 */
#include <string.h>

#include "protocol/protocol.h"

#define ROW(name) &protocol_##name,

const struct protocol *const protocols[] = { PROTOCOLS(ROW) NULL };

const struct protocol *protocol_find(const char *name)
{
	const struct protocol *const *row = protocols;

	while (*row && strcmp((*row)->name, name) != 0)
		row++;
	return *row;
}
