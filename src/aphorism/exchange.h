/*
 * exchange.h - one conversation from the client's side: questions out, answers in, both at once.
 */
#ifndef APHORISM_EXCHANGE_H
#define APHORISM_EXCHANGE_H

#include <stdint.h>

#include "aphorism/questions.h"

enum { EXCHANGE_UNKNOWN = 1 };            /* exit status: the server did not know an aphorism */

/*
 * Asks all the questions on fd (non-blocking; borrowed) and prints each with its answer on a line.  An
 * answer has timeout_us, from the time that it is the next one to come, to its last byte.  What goes
 * wrong is told on standard error, with the server's name.  Returns the exit status.  Blocks.
 */
int exchange_run(int fd, struct questions *, const char *server, uint64_t timeout_us);

#endif
