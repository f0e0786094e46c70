/*
 * metrics_file.h - the metrics in a file, for a monitor that reads files.
 */
#ifndef APHORISMD_METRICS_FILE_H
#define APHORISMD_METRICS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* When something is due; UINT64_MAX for never. */
uint64_t metrics_file_due_us(void);

/*
 * Has the metrics written when that is due, and at once after a reload, by a process of its own: a file system may keep
 * whoever writes waiting.
 */
void metrics_file_tend(uint64_t now_us);

/* A process has ended: true if it was that one. */
bool metrics_file_reaped(pid_t, int wait_status, uint64_t now_us);

/* Why the last one could not write the file: an errno, or 0. */
int metrics_file_error(void);

/*
 * What mends that, as a line: a file in the folder of the control socket, where we have made one already, and which is
 * the one that the units let us write to.
 */
void metrics_file_mend(char *mend, size_t size);

#endif
