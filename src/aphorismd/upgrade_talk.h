/*
 * upgrade_talk.h - what is said in an upgrade, on a socket between the process that leaves and the one that comes.
 * A record each:
 *
 *   successor    error TEXT, notice TEXT   why it can't start
 *                ready TAKEN CONTROL       its workers take connections, at those of our listeners (a hexadecimal
 *                                          set), and it wants the control socket or not (1, 0)
 *   predecessor  yours                     it may have them, and the pidfile
 *   successor    taken                     they are its; now our workers are told to drain
 *   predecessor  speak                     the service manager knows that the successor is the main process
 *                look                      a worker of ours has ceased to listen: see worker_listens_no_more()
 *                no                        there will be no upgrade
 *
 * The end of the stream says that the other one has gone.
 */
#ifndef APHORISMD_UPGRADE_TALK_H
#define APHORISMD_UPGRADE_TALK_H

#include <stdbool.h>
#include <stddef.h>

/* Says a line on that socket, or -1.  False when the other one has gone.  Never blocks. */
bool upgrade_talk_say(int fd, const char *line);

/*
 * Takes a record, of some lines.  Returns 1; 0 when there is none now; -1 when the other one has gone, once: the socket
 * is closed then, and *fd -1.  Never blocks.
 */
int upgrade_talk_hear(int *fd, char *text, size_t size);

/* A new process, which has said nothing yet. */
void upgrade_talk_clear(void);

/*
 * Keeps a line "error TEXT" or "notice TEXT"; of others the first one, if `stray` asks for that: it is of its standard
 * error.
 */
void upgrade_talk_take(const char *line, bool stray);

/*
 * An error of our own, which counts when it has told none.  Returns all errors and notices, a line each, which last
 * until the next one is kept.
 */
const char *upgrade_talk_add(const char *reason);

/*
 * Its end with that wait status in words, with the first of its own if there are any.  Returns what a client that
 * waits is to exit with.
 */
int upgrade_talk_explain(int wait_status, char *to, size_t size);

#endif
