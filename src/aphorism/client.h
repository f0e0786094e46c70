/*
 * client.h - a client of an aphorism server: connects, asks, and asks again where that can do no harm.
 *
 *	struct client client = { .endpoint = &endpoint, .timeout_us = 10 * CLOCK_S, .tell = print,
 *	                         .cancel = -1, .fd = -1 };
 *	int status = client_connect(&client);
 *
 *	if (status == 0)
 *		status = client_ask(&client, &questions);
 *	if (status > CLIENT_UNKNOWN)
 *		complain(client.reason);
 *	client_close(&client);
 *
 * A server that reloads or stops answers what it has received and then closes the connection.  A question that comes
 * too late for that is never read, and the client sees the end of the stream in place of an answer.  It asks again
 * on a new connection then, from the oldest question without an answer on: so none is lost, none answered twice, and
 * the order stays.  Nothing speaks against it, as a question changes nothing at the server; who writes a client for
 * a protocol with orders in place of questions must not do this.  It is not done when a part of the answer has come,
 * nor after a reset, since then the server did not close but break; and not for ever: see CLIENT_TRIES.
 */
#ifndef APHORISM_CLIENT_H
#define APHORISM_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aphorism/questions.h"
#include "common/endpoint.h"
#include "protocol/table.h"

enum {
	CLIENT_CANCELLED = -2,            /* a status: ended by the caller's wish */
	CLIENT_UNKNOWN = 1,               /* a status: all were answered, but the server did not know one of them */
	CLIENT_TRIES = 5,                 /* connections for one question at most; the time limit is one for all */
};

/* One answer, as it is told; the bytes are borrowed for that long. */
struct client_answer {
	const char *question, *text;
	size_t question_len, len;         /* the '?' and the '.' included */
	bool known;                       /* false: it is an error of the server's */
	bool more;                        /* the next answer is here already */
	const char *server;               /* the address that answered */
	uint64_t took_us;                 /* since it was the next one to come */
	unsigned tries;                   /* connections since then */
};

struct client {
	/* the caller's */
	const struct endpoint *endpoint;
	uint64_t timeout_us;              /* for a connection; for an answer, all tries together */
	void (*tell)(const struct client_answer *);
	int cancel;                       /* when this can be read, client_ask ends; -1: never */

	/* to be read by the caller */
	int fd;                           /* -1: not connected */
	char server[ENDPOINT_ADDRESS];    /* to whom */
	char reason[ENDPOINT_REASON];     /* after a failure; it names the server */

	/* client.c's own */
	struct questions *questions;
	uint64_t begin_us, deadline_us;   /* of the next answer; 0: none is due */
	unsigned tries;
	bool unknown;                     /* a server's error was among the answers */
	bool mute;                        /* the server takes no more; what it has said is still to be read */
	size_t len;
	char answer[TABLE_LONGEST_ANSWER + 1];
};

/*
 * Connects to the first of the endpoint's addresses that answers, in their order.  Returns 0, CLIENT_CANCELLED, or an
 * exit status with the reason.  Blocks for timeout_us at most; the look-up of a name does not count.
 */
int client_connect(struct client *);

/*
 * Asks all the questions, as many at once as the server takes, and tells each answer as it comes, in the order of the
 * questions.  Connects where there is no connection, or no more.  Returns 0 or CLIENT_UNKNOWN; CLIENT_CANCELLED; or an
 * exit status with the reason.  The connection is kept after the first two, for the next questions.  Blocks.
 */
int client_ask(struct client *, struct questions *);

void client_close(struct client *);

#endif
