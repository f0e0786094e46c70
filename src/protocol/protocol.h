/*
 * protocol.h - what the daemon can speak: a table with a row per protocol.
 *
 * A protocol says where a request ends and what answers it: bytes that exist already (the quick kind), or what it
 * computes.  It knows no socket, no clock and no configuration, keeps nothing between requests, and no memory between
 * calls.
 */
#ifndef PROTOCOL_PROTOCOL_H
#define PROTOCOL_PROTOCOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that belong to somebody else; not terminated by a NUL. */
struct span {
	const char *at;
	size_t len;
};
#define SPAN(literal) ((struct span){ (literal), sizeof (literal) - 1 })

/*
 * A buffer that a pump lends: len bytes at `at` are filled, there is room for size.  The rest is the conversation's and
 * begins with 0: what stays in an input buffer is not moved for each answer, nor searched anew for each byte.
 */
struct bytes {
	char *at;
	uint32_t len, size;
	uint32_t before;                  /* so much room in front of `at` is the buffer's, too */
	uint32_t searched;                /* in so many bytes, some still to come, the request at hand has no end */
	uint32_t skip;                    /* of those behind them so many are to be dropped as they come */
};

/*
 * Where the first request lies in the bytes at hand; those before begin are not of it.  Two registers, on purpose.
 *   WHOLE      it ends at `end`, behind one byte at least; the next `skip` bytes are still of it, but nobody needs
 *              them: the answer waits for them, and they are dropped as they come
 *   MORE       it does not end in them, nor, if `end` is not 0, before there are so many
 *   MALFORMED  that is no request, and nothing behind it can be one
 * The quick kind skips nothing, and leaves `end` 0 but in what is whole.
 */
struct frame {
	uint32_t begin;
	enum { FRAME_WHOLE, FRAME_MORE, FRAME_MALFORMED } verdict;
	uint32_t end, skip;
};

/* A request whose answer is to be computed. */
struct exchange {
	struct span request;              /* empty for a greeting */
	const void *data;                 /* the service's */
	uint64_t wall_us;                 /* since 1970, at this call; for who asks for a clock, else 0 */
	uint64_t *at;                     /* how far the answer is: 0 at first, then whatever was left here */
	bool unknown;                     /* to be set where there is no answer to it but to say so */
};

enum computed {
	COMPUTED_PART,                    /* there is no room for more of it: to be called again with more */
	COMPUTED_ALL,
	COMPUTED_MALFORMED,               /* it is no request after all; nothing was appended */
};

enum { PROTOCOL_PIECE = 2048 };           /* where any bytes are a request: the most that are one, whoever reads */

struct protocol {
	const char *name, *summary;
	uint32_t greatest;                /* bytes of a request that must be held whole; 0: max_question_length */
	bool counted;                     /* max_questions_per_connection holds for its requests */
	bool clock;                       /* its answers say what time it is */
	bool greets;                      /* begins with output, unasked: what it computes from an empty request */

	/* before the first request, in each process that serves: whatever the sandbox will deny.  NULL: nothing */
	void (*prepare)(void);
	/* frames the first request of len > 0 bytes; looks at `most` bytes of it at the most */
	struct frame (*frame)(const char *at, size_t len, size_t most);
	/* may a request that began before these bytes end in them?  NULL where `frame` is to be asked each time */
	bool (*may_end)(const char *at, size_t len);
	/* bytes of the longest answer that must be sent in one piece, when `greatest` is not it.  NULL: it is */
	size_t (*longest)(const void *data);

	/* the quick kind: what answers one whole request; points into `data` or into the request */
	struct span (*answer)(const void *data, struct span request);
	/* or: appends the answer from *exchange->at on, as far as there is room */
	enum computed (*compute)(struct exchange *, struct bytes *out);
	/* what has to pass before the answer is computed, in us; NULL: nothing */
	uint64_t (*cost_us)(struct span request);

	/* the protocol's own last words before the end; empty: it ends without a word */
	struct span too_long, too_slow, too_busy;
	/* the quick kind answers a request that it has no answer to with this very span; empty: none */
	struct span unknown;
};

/* White space of the texts that the project reads: space, TAB, CR, LF, and no other byte. */
static inline bool protocol_is_space(char byte)
{
	return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* A row per protocol; the first is the default.  The data of all of them is a struct table. */
#define PROTOCOLS(row) \
	row(aphorism) \
	row(echo) \
	row(message) \
	row(timestamp)

#define PROTOCOL_DECLARED(name) extern const struct protocol protocol_##name;
PROTOCOLS(PROTOCOL_DECLARED)

/* The rows, ended by NULL. */
extern const struct protocol *const protocols[];

/* The row of that name, or NULL. */
const struct protocol *protocol_find(const char *name);

#endif
