/*
 * questions.h - what is to be asked, from the command line or from a stream, and how far the asking is.
 *
 * One buffer holds the questions as they go over the wire, one behind the other without the white space
 * between them; four marks in it tell their fate.  Its size bounds how far the asking runs ahead of the
 * answers.
 */
#ifndef APHORISM_QUESTIONS_H
#define APHORISM_QUESTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Half of it holds the longest question that a server may be configured for, and any argument of a
 * command line.
 */
enum { QUESTIONS_SIZE = 2 * 1024 * 1024 };

struct questions {
	const char **list;                /* operands, borrowed; unused when fd >= 0 */
	size_t count, next;
	uint64_t rounds;                  /* times that the list is still to be asked, this one too */
	bool shuffled;                    /* in a new order each time */
	int fd;                           /* questions come from there; -1: from the list */
	bool ended;                       /* nothing more will come */

	size_t first;                     /* begin of the oldest question that has no answer */
	size_t sent;                      /* bytes before it are on their way */
	size_t whole;                     /* bytes before it are complete questions */
	size_t len;                       /* bytes before it are filled */
	char at[QUESTIONS_SIZE];
};

/* Begins anew with `rounds` times a list, which is borrowed; what was left of the old one is forgotten. */
void questions_set(struct questions *, const char **list, size_t count, uint64_t rounds);

/* Adds what fits of the list; to be called whenever there may be room.  Never blocks. */
void questions_refill(struct questions *);

/* Makes room, and says whether there is any for bytes from fd. */
bool questions_want(struct questions *);

/*
 * Reads fd once into the room there is, which blocks unless poll said otherwise.  Returns 0, or an
 * errno; sets ended at the end of the input.
 */
int questions_read(struct questions *);

/*
 * Sees whether fd has any questions: blocks until it holds more than white space, and then goes on from it as `fd`.
 * Returns 0, with `fd` still -1 when it has ended without; ETIMEDOUT when it said nothing until the deadline; or an
 * errno.
 */
int questions_hear(struct questions *, int fd, uint64_t deadline_us);

/* Length of the oldest question, its '?' included; 0 when there is none. */
size_t questions_oldest(const struct questions *);

/* The input ended, or overflowed the buffer, inside a question. */
bool questions_unfinished(const struct questions *);

#endif
