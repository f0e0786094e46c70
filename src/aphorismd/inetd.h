/*
 * inetd.h - started by inetd, xinetd or systemd (Accept=yes) for a client: standard input is the client, or the
 * listening socket where it waits.
 */
#ifndef APHORISMD_INETD_H
#define APHORISMD_INETD_H

#include <stdbool.h>

#include "aphorismd/options.h"

/*
 * Is it, by these arguments?  Asked before they are parsed, since what is wrong with them must not be told to a client.
 */
bool inetd_is_asked(char *const *argv);

/*
 * Takes what descriptor 0 is, in place of inherited_take(): a socket moves to INHERITED_FIRST, and /dev/null takes its
 * place, in 1 and 2 as well if they are the same.  Returns how many descriptors from there on are to stay: 0 or 1.  To
 * be called before anything is opened.
 */
int inetd_take(void);

/* After that: standard error was the client's, so that messages can go to syslog only. */
extern bool inetd_mute;

/*
 * Serves a connection to its end, in this process, and returns an exit status; EX_USAGE, logged, when standard input
 * was neither a connection nor a listening socket.  -1 when it is a listening socket, which the supervisor is to
 * serve.
 */
int inetd_run(const struct options *);

#endif
