/*
 * interrupt.h - the signals that end a measurement: SIGINT, SIGTERM, and SIGHUP unless we were told to ignore it.
 */
#ifndef BENCH_INTERRUPT_H
#define BENCH_INTERRUPT_H

#include <signal.h>

/* One of them has come.  It stays so. */
extern volatile sig_atomic_t interrupted;

/* From here on they are only noted: the way out is the same as ever, and bounded. */
void interrupt_catch(void);

/* From here on they end the program at once again: when nothing is left that it would have to end itself. */
void interrupt_release(void);

#endif
