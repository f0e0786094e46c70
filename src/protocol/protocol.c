/*
 * protocol.c - the rows of the table of protocols.
 */
#include <string.h>

#include "protocol/protocol.h"

const struct protocol *const protocols[] = {
	&protocol_aphorism,
	&protocol_echo,
	&protocol_message,
	NULL,
};

const struct protocol *protocol_find(const char *name)
{
	const struct protocol *const *row = protocols;

	while (*row && strcmp((*row)->name, name) != 0)
		row++;
	return *row;
}
