/*
 * priority.c - work that nobody waits for.
 */
#include "common/priority.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { IOPRIO_PROCESS = 1, IOPRIO_IDLE = 3 << 13 };       /* what linux/ioprio.h calls them, where there is one */

void priority_yield(void)
{
	struct sched_param none = { .sched_priority = 0 };

	/* the C library's own function may be a stub */
	if (syscall(SYS_sched_setscheduler, 0, SCHED_IDLE, &none) < 0 ||
	    syscall(SYS_ioprio_set, IOPRIO_PROCESS, 0, IOPRIO_IDLE) < 0)
		return;
}

uint64_t priority_waited_us(pid_t pid)
{
	uint64_t waited_ns = 0;
	char path[64];
	FILE *file;

	snprintf(path, sizeof path, "/proc/%ld/schedstat", (long)pid);
	if (!(file = fopen(path, "re")))
		return 0;
	if (fscanf(file, "%*u %" SCNu64, &waited_ns) != 1)
		waited_ns = 0;
	fclose(file);
	return waited_ns / 1000;
}
