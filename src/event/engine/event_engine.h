/*
 * event_engine.h - what tells the event pump of events and moves its bytes: a row per mechanism of the kernel.
 *
 * To the pump both are the same: a level-triggered set of descriptors.  A connection is named by its slot and says what
 * it wants; it hears when that is there, and takes it then.  An engine may send later than it was asked to: it says so,
 * and what became of the bytes is an event of its own.  There is one pump in a process, so an engine's state is its
 * file's own.  Nothing but wait() blocks.
 */
#ifndef ENGINE_EVENT_ENGINE_H
#define ENGINE_EVENT_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "config/config.h"
#include "protocol/protocol.h"

enum {
	EVENT_WATCHED = CONFIG_LISTENERS + 2,     /* descriptors that are no connections: listeners, and two more */
	EVENT_WATCHED_AT = 1 << 30,               /* their numbers begin here, slots are below */
};

/* What a connection wants to hear of. */
enum event_want {
	EVENT_ABSENT,                     /* nothing, not even its end: it is not in the set */
	EVENT_NOTHING,
	EVENT_INPUT,
	EVENT_OUTPUT,                     /* room for it */
};

struct event {
	uint32_t what;                    /* a slot, or the number of what is watched */
	bool sent;                        /* this is the outcome of a send; else what is wanted is there */
	int result;                       /* of that: bytes, or -errno */
	struct span output;               /* what was to be sent; until the next event is asked for */
};

struct event_pump;

struct event_engine {
	const char *absent;               /* why it is not in this build, or NULL; then it has nothing else */
	unsigned makes;                   /* what its workers need beside serving: see sandbox/sandbox.h */

	/* Why it can't be had on this system, or NULL; NULL itself for an engine that is always there. */
	const char *(*lacks)(void);

	/* Opens what it needs for that pump, before the sandbox.  Returns NULL; or the reason why not, with errno. */
	const char *(*open)(struct event_pump *);

	/* At the end, when no connection is left: lets go of what is still watched. */
	void (*close)(void);

	/*
	 * Tells when a descriptor is readable, again and again.  Of a shared one only one of all processes is told; to
	 * be watched anew is to be the last whose turn it is.  False with errno when that can't be.
	 */
	bool (*watch)(int fd, uint32_t number, bool shared);
	void (*unwatch)(int fd, uint32_t number);

	/* A connection wants something else from now on.  False with errno when that can't be. */
	bool (*want)(uint32_t slot, enum event_want before, enum event_want now);

	/* As recv(2) without waiting, behind what pump->in holds; to be called when an event says there is some. */
	ssize_t (*receive)(uint32_t slot);

	/*
	 * As send(2) without waiting, of pump->out, when nothing is left of an earlier one; EINPROGRESS says that it
	 * took it all, and will tell what became of it: if that is awaited as soon as it is known, else perhaps not
	 * before another event.
	 */
	ssize_t (*send)(uint32_t slot, bool awaited);

	/* Closes a connection's descriptor. */
	void (*drop)(uint32_t slot, int fd);

	/*
	 * Waits for events, at most until that time; 0 is not at all, UINT64_MAX for ever.  Signals end it.  Returns
	 * whether there is one.
	 */
	bool (*wait)(uint64_t until_us);

	/* The next event; false when there is none.  One about a connection closed meanwhile may still come. */
	bool (*next)(struct event *);
};

/* A row per engine, and the word for it in event.engine. */
#define EVENT_ENGINES(row) \
	row(epoll, "epoll") \
	row(uring, "io_uring")

#define EVENT_ENGINE_DECLARED(name, word) extern const struct event_engine event_##name;
EVENT_ENGINES(EVENT_ENGINE_DECLARED)

/* The choices of event.engine and their rows, ended by NULL. */
#define EVENT_ENGINE_CHOICE(name, word) "|" word
#define EVENT_ENGINE_CHOICES "auto" EVENT_ENGINES(EVENT_ENGINE_CHOICE)
extern const struct event_engine *const event_engines[];

#endif
