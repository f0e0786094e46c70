/*
 * doctor.h - what will hurt before it hurts: what this system grants against what a configuration may come to need.
 */
#ifndef APHORISMD_DOCTOR_H
#define APHORISMD_DOCTOR_H

#include <stdint.h>

#include "aphorismd/options.h"
#include "aphorismd/privileges.h"
#include "aphorismd/snapshot.h"
#include "metrics/figures.h"

/* What the system grants to this process and those that it starts; UINT64_MAX: no limit is known. */
struct doctor_facts {
	uint64_t somaxconn, files, tasks, memory;
	const char *tasks_by;             /* what a unit sets the limit of tasks with */
	uint32_t cpus;
};

/*
 * How bad it is.  An error: what was asked for does not work, or the next start or reload would fail.  A warning: it
 * works as long as nothing else happens.  A note: whoever meant it so is right, or it can't be known from here.
 */
enum doctor_level { DOCTOR_NOTE, DOCTOR_WARNING, DOCTOR_ERROR, DOCTOR_LEVELS };

extern const char *const doctor_levels[DOCTOR_LEVELS];    /* "note", "warning" or "error" */

/* Who is told of findings; texts last for the call. */
struct doctor_ear {
	void (*hear)(void *arg, enum doctor_level, const char *about, const char *what, const char *mend);
	void *arg;
};

/*
 * Tells of one: how bad it is, the key or thing, the line that mends it, "" where there is none; and, printf-like, what
 * is wrong.
 */
void doctor_find(const struct doctor_ear *, enum doctor_level, const char *about, const char *mend,
                 const char *format, ...) __attribute__((format(printf, 5, 6)));

/* Reads files of the kernel, which do not make it wait. */
void doctor_learn(struct doctor_facts *);

/* What is known of a configuration alone; its size is that of the snapshot. */
void doctor_check(const struct config *, size_t snapshot_size, const struct options *, const struct doctor_facts *,
                  const struct doctor_ear *);

/* What is known of one that has served for a while. */
void doctor_check_load(const struct config *, const struct figures *, const struct doctor_ear *);

/* Whom workers become. */
void doctor_check_user(const struct privileges *, const struct doctor_ear *);

/*
 * The pidfile at that path: the one that this process keeps, or before a start that of a daemon that has left it.  The
 * level is of one that a start would refuse.  May block as any look at a file may.
 */
void doctor_check_pidfile(const char *path, enum doctor_level, const struct doctor_ear *);

/* Whether others than root, or whoever starts the daemon, may write to that file: for the loader, which reads it. */
bool doctor_is_exposed(const char *path);

#endif
