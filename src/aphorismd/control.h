/*
 * control.h - the socket that aphorismctl talks to; see aphorismctl(8) for the protocol.
 *
 * Never blocks the supervisor: answers are short and kept until they are taken, time is limited, clients are few.
 * Others wait in the socket's queue until one is done, or has said and taken nothing for a second; that one is told
 * "end 75" in place of an answer.  When all wait for something (control_keep), it is the newcomers who are told so.
 *
 *           a command                 control_end()                     it has taken all
 *   HEARD ------------> is obeyed ----------------------> ENDS ---------------------------> gone
 *     |                     |                               ^  |                              ^
 *     |                     | control_keep()                |  | 5 s; or 1 s, and others wait |
 *     |                     v                               |  +------------------------------+
 *     |                   WAITS ---- control_happened() ----+                                 |
 *     |                     | it has gone                                                     |
 *     |                     +---------------------------------------------------------------->+
 *     | no command within 5 s, or 1 s when others wait: told so                               |
 *     +-------------------------------------------------------------------------------------->+
 *
 * Who has no right is told so, and ENDS at once.
 */
#ifndef APHORISMD_CONTROL_H
#define APHORISMD_CONTROL_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/command.h"

struct listener;

enum { CONTROL_CLIENTS = 16, CONTROL_REASON = 384 };

/* What a client may wait for. */
enum control_wait { CONTROL_NOTHING, CONTROL_RELOAD, CONTROL_UPGRADE, CONTROL_EXIT };

/*
 * Opens the socket at that path for root, ourselves and the members of that group.  inherited: -1, or the socket of the
 * process whose place we take, which is used if it is the one at that path, and closed if not, or if its file was
 * removed; clients are taken from control_own() on then.  Returns 0, or EX_CANTCREAT or EX_OSERR with the reason.
 */
int control_open(const char *path, int inherited, gid_t group, char *reason);

/* From now on the socket is ours. */
void control_own(void);

/* The socket, to be passed on; NULL when there is none. */
const struct listener *control_listener(void);

/* Leaves the socket to another process (`left`), or removes it.  Clients that have come by then are served on. */
void control_leave(bool left);

/* Whether there is any client. */
bool control_is_busy(void);

/* Closes clients and socket; with `ours` removes the socket's file too. */
void control_close(bool ours);

/* Lists what to poll for; returns how many, at most CONTROL_CLIENTS + 1. */
int control_poll(struct pollfd *);

/* When a client's time is over, or the next one may be taken; UINT64_MAX for never. */
uint64_t control_due_us(void);

/* Takes clients and commands, drops who is late; each whole command is given to the function. */
void control_serve(uint64_t now_us, void (*command)(unsigned client, const char *line));

/* What a client may give: none of a higher right. */
enum command_right control_right(unsigned client);

/* Says a line, printf-like, without a newline: '?' stands for control characters but tabulators. */
void control_say(unsigned client, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says whole lines, 1 MiB in all at most: a client that would be told more is dropped. */
void control_say_lines(unsigned client, const char *lines);

/* Says "end STATUS" and closes, when the client has taken it all; it has 5 seconds for that. */
void control_end(unsigned client, int status);

/* Keeps a client until what it waits for has happened for that number of times. */
void control_keep(unsigned client, enum control_wait, uint32_t number);

/* It has happened so many times by now: who waits for that is told these lines (may be NULL), and "end STATUS". */
void control_happened(enum control_wait, uint32_t number, const char *lines, int status);

#endif
