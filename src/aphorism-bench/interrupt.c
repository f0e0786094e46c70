/*
 * interrupt.c - the signals that end a measurement.
 */
#include "aphorism-bench/interrupt.h"

#include <stddef.h>

volatile sig_atomic_t interrupted;

static void note(int number)
{
	(void)number;
	interrupted = 1;
}

static void set(void (*handler)(int))
{
	static const int ends[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = handler }, before;

	for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
		/* SIGHUP by nohup(1); a shell's background job is deaf to SIGINT, too, which is no wish of anybody's */
		if (ends[i] != SIGHUP || (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN))
			sigaction(ends[i], &action, NULL);
}

void interrupt_catch(void)
{
	set(note);
}

void interrupt_release(void)
{
	set(SIG_DFL);
}
