/*
 * doctor.h - what will hurt before it hurts: what this system grants against what a configuration may come to need.
 */
#ifndef APHORISMD_DOCTOR_H
#define APHORISMD_DOCTOR_H

#include <stdint.h>

#include "aphorismd/image.h"
#include "aphorismd/options.h"
#include "server/figures.h"

/* What the system grants to this process and those that it starts; UINT64_MAX: no limit is known. */
struct doctor_facts {
	uint64_t somaxconn, files, tasks, memory;
	const char *tasks_by;             /* what a unit sets the limit of tasks with */
	uint32_t cpus;
};

/* Receives a finding: the key or thing, what is wrong with it, and the line that mends it.  Texts last for the call. */
typedef void doctor_report(void *arg, const char *about, const char *what, const char *mend);

/* Reads files of the kernel, which do not make it wait. */
void doctor_learn(struct doctor_facts *);

/* What is known of a configuration alone; its size is that of the image. */
void doctor_check(const struct config *, size_t image_size, const struct options *, const struct doctor_facts *,
                  doctor_report *, void *arg);

/* What is known of one that has served for a while. */
void doctor_check_load(const struct config *, const struct figures *, doctor_report *, void *arg);

/*
 * The pidfile at that path: of the daemon that holds its descriptor, or before a start (held: -1) of one that has left
 * it.  May block as any look at a file may.
 */
void doctor_check_pidfile(const char *path, int held, doctor_report *, void *arg);

/* Whether others than root, or whoever starts the daemon, may write to that file: for the loader, which reads it. */
bool doctor_is_exposed(const char *path);

#endif
