/*
 * daemonize.h - leaving the terminal, and telling whoever waits there how it went.
 */
#ifndef APHORISMD_DAEMONIZE_H
#define APHORISMD_DAEMONIZE_H

#include <stdbool.h>

/*
 * Forks twice, in a new session that can't get a terminal back (W. R. Stevens, Advanced Programming in the UNIX
 * Environment, chapter 13; daemon(7)).  Returns in the daemon with a descriptor for daemonize_ready(), or -1
 * (errno).  The launcher does not return: it waits, and exits with the status that the daemon tells, or with EX_OSERR
 * if that dies without a word. Standard error stays until then, so that reasons reach the terminal.
 */
int daemonize(void);

/*
 * Tells the launcher the exit status, and lets go of it; fd may be -1.  False when it has gone: nobody waits any
 * more.
 */
bool daemonize_ready(int fd, int status);

/*
 * Puts /dev/null in the place of descriptors 0 to 2, so that nothing holds the launcher's terminal or pipe any
 * longer; if it can be opened, where it is not given (-1).
 */
void daemonize_detach(int devnull);

/* Signals as a program finds them: none blocked, SIGPIPE as it is by default. */
void daemonize_reset_signals(void);

#endif
