/*
 * protocol.h - what the daemon can speak: a table with a row per protocol.
 *
 * A protocol says where a request ends and what answers it.  It knows no socket, no clock and no
 * configuration, keeps no state between requests and allocates nothing.
 */
#ifndef PROTOCOL_PROTOCOL_H
#define PROTOCOL_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes that belong to somebody else; not terminated by a NUL. */
struct span {
	const char *at;
	size_t len;
};
#define SPAN(literal) ((struct span){ (literal), sizeof(literal) - 1 })

/* Where a request lies in the bytes at hand: those before begin are not of it; end is 0 if unfinished. */
struct frame {
	size_t begin, end;
};

struct protocol {
	const char *name, *summary;
	/* requests have a greatest length and a deadline; else any bytes are at once a request */
	bool limited;
	/* frames the first request of len > 0 bytes; looks at `most` bytes of it at the most */
	struct frame (*frame)(const char *at, size_t len, size_t most);
	/* may a request that began before these bytes end in them?  NULL for one that never has to wait for its end */
	bool (*may_end)(const char *at, size_t len);
	/* what answers one whole request; points into `data` or into the request */
	struct span (*answer)(const void *data, struct span request);
	/* the protocol's own last words before a connection is closed; empty: it is closed without a word */
	struct span too_long, too_slow, too_busy;
	/* what answers a request that it has no answer to: `answer` returns this very span then; empty: none */
	struct span unknown;
};

/* White space of the texts that the project reads: space, TAB, CR, LF, and no other byte. */
static inline bool protocol_is_space(char byte)
{
	return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* The rows, ended by NULL; the first is the default. */
extern const struct protocol *const protocols[];

/* The row of that name, or NULL. */
const struct protocol *protocol_find(const char *name);

extern const struct protocol protocol_aphorism; /* data: a struct table */
extern const struct protocol protocol_echo;     /* data: unused */

#endif
