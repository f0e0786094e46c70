/*
 * metrics_file.h - the metrics in a file, for a monitor that reads files.
 */
#ifndef APHORISMD_METRICS_FILE_H
#define APHORISMD_METRICS_FILE_H

#include "aphorismd/doctor.h"

/* Why it can't be written, if the last one could not. */
void metrics_file_check(const struct doctor_ear *);

#endif
