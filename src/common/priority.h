/*
 * priority.h - work that nobody waits for.
 */
#ifndef COMMON_PRIORITY_H
#define COMMON_PRIORITY_H

#include <stdint.h>
#include <sys/types.h>

/*
 * From now on the calling thread takes only what others leave of CPU and disk, for good: without CAP_SYS_NICE there
 * is no way back.  Where that is denied, it goes on as before.
 */
void priority_yield(void);

/* How long a process has been ready and without a CPU, in us; 0 where the kernel does not say.  Reads a file. */
uint64_t priority_waited_us(pid_t);

#endif
