/*
 * notify.h - telling the service manager how the daemon is: the protocol of sd_notify(3), without its library.
 *
 * One datagram per message, which never blocks and whose failure is nobody's harm: without NOTIFY_SOCKET in the
 * environment nothing is sent at all.
 */
#ifndef APHORISMD_NOTIFY_H
#define APHORISMD_NOTIFY_H

#include <stdint.h>

/*
 * Looks into the environment: NOTIFY_SOCKET, and WATCHDOG_USEC if WATCHDOG_PID is this process or nobody.  In the
 * process that is to speak.
 */
void notify_open(void);

/*
 * Sends assignments ("READY=1\n" or more of the kind, or "") and a STATUS= line, printf-like, of which people read the
 * printable part.  If it can't be taken now, it is sent later, unless a newer one has taken its place.
 */
void notify_say(const char *assignments, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Tells that another process is the main one now.  From here on only that may speak. */
void notify_pass(int pid);

/* Sends what is due: the watchdog's sign of life, at half of its time; a message that could not be sent before. */
void notify_tend(uint64_t now_us);

/* When something will be due; UINT64_MAX for never. */
uint64_t notify_due_us(void);

#endif
