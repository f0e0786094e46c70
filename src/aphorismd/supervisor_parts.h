/*
 * supervisor_parts.h - what the files of the supervisor share among themselves.
 *
 *   supervisor.c             the loop, signals, stop
 *   supervisor_setup.c       what a start does once
 *   supervisor_reload.c      from one generation to the next
 *   supervisor_upgrade.c     to another program, in the process that leaves
 *   supervisor_heir.c        the same, in the one that comes
 *   supervisor_told.c        what workers tell it, and how much of its time that takes
 *   supervisor_idle.c        the end for want of clients
 *   supervisor_metrics.c     the file of metrics
 *   supervisor_queues.c      who waits while workers are idle
 *   supervisor_listeners.c   the sockets that all generations share
 *   supervisor_status.c      how the daemon is
 *   supervisor_commands.c    what aphorismctl asks for
 */
#ifndef APHORISMD_SUPERVISOR_PARTS_H
#define APHORISMD_SUPERVISOR_PARTS_H

#include <limits.h>
#include <poll.h>

#include "aphorismd/generation.h"
#include "aphorismd/loader.h"
#include "aphorismd/options.h"
#include "aphorismd/starter.h"
#include "metrics/figures.h"

/* How far a reload has come. */
enum step {
	STEP_NONE,
	STEP_LOADS,                       /* the loader is reading */
	STEP_WAITS,                       /* the generation before last has not left yet */
	STEP_STARTS,                      /* the new generation is starting */
};

/* How far an upgrade has come. */
enum upgrade_step {
	UPGRADE_NONE,
	UPGRADE_STARTS,                   /* the new process is starting */
	UPGRADE_ENDS,                     /* it has failed, and is to go */
	UPGRADE_DONE,                     /* it has taken our place: we leave */
};

struct upgrade {
	enum upgrade_step step;
	bool wanted;                      /* as soon as it can begin */
	bool offered;                     /* the heir has been told to take what is ours: */
	uint64_t taken;                   /* these of our listeners, */
	bool takes_control;               /* and the control socket, or its own is another one */
	struct starter starter;
	pid_t heir;                       /* the new process; 0: not known yet, or gone */
	int channel;                      /* to it; -1: there is none */
	uint64_t deadline_us;             /* of the present step */
	char reports[8192];               /* what it has said: lines of "error TEXT\n" and "notice TEXT\n" */
	char words[256];                  /* the first one of another kind */
};

enum { STOP_AT_ONCE = 2, SUPERVISOR_POLLS = 3 };

/* What is written between two forks lies together: a worker pays for a copy of each page of that. */
struct supervisor {
	const struct options *options;
	int launcher, devnull, signals, pidfile;
	int told[2];                      /* the ends of a pipe, to read and to write */
	char pidfile_path[PATH_MAX], control_path[CONFIG_ADDRESS];
	struct privileges privileges;
	struct surroundings surroundings;
	char unconfined[SANDBOX_REASON];  /* what is lacking in the sandbox, if that is wanted; else "" */
	uint64_t started_us;
	bool to_syslog;                   /* messages do not reach the terminal */

	enum step step;
	bool again;                       /* another reload was asked for meanwhile */
	uint64_t reopen_us;               /* 0, or when to try again to open what was shut down */
	struct loader loader;
	struct image image;               /* loaded, not yet a generation's */
	struct generation *next, *current, *old;
	struct listener *listeners[2 * CONFIG_LISTENERS];     /* all that are open */
	size_t listener_count;
	uint64_t bind_us, bind_until_us;  /* at a start: the next try of an address that is in use, and the last */
	uint32_t generations, reloads, failed_reloads;
	bool bothered;                    /* by workers, since it was last reckoned what they cost: */
	int64_t credit_us;                /* CPU time that is left for that */
	uint64_t reckoned_us, cpu_us;     /* when, and the CPU time that all had cost by then */
	uint64_t rest_until_us;           /* deaf to workers until then */

	bool look;                        /* a worker has ceased to listen: see worker_listens_no_more() */
	uint64_t look_until_us;           /* and may seem to listen until then */

	struct upgrade upgrade;
	int elder, elder_control;         /* to whom we replace, until he has gone, or -1; his control socket */
	pid_t elder_pid;
	bool claims;                      /* what that has is not ours yet */
	bool speaks;                      /* to the service manager, in its place */

	uint64_t idle_us, idle_look_us;   /* without a client since then, 0 while there is one; when to look next */
	uint64_t idle_seen;               /* connections by then */

	struct {
		uint64_t look_us;         /* when to look who is queued; 0: when somebody comes */
		uint64_t pause_us;        /* from one look to the next */
	} queues;

	struct {
		pid_t pid;                /* of the process that writes the file now; 0: none */
		uint64_t due_us;          /* when that is killed; or when the next one begins */
		int error;                /* of the last one: an errno, or 0 */
		bool renewed;             /* there has been a reload since it began */
	} metrics;

	struct scoreboard_totals before;  /* of generations that have left */
	int stopping;                     /* how many times we were told, or STOP_AT_ONCE */
	int status;                       /* to exit with */
	int error;                        /* and the errno behind it, where there is one */
	char reason[1024];                /* why the last start or reload failed: the first error of several */
};

/* ---- supervisor.c ---- */

/* Stops gracefully (1), or at once (STOP_AT_ONCE, or when told a second time). */
void supervisor_stop(struct supervisor *, int urgency);

/* Has the workers look at their listeners: others, who may have been told of connections, are no more. */
void supervisor_look(struct supervisor *, uint64_t now_us);

/* ---- supervisor_told.c ---- */

/* Makes the pipe through which workers speak.  False with errno. */
bool supervisor_open_told(struct supervisor *);

/*
 * Before a wait: takes what workers have cost since the last one from what they may.  True when they are to be waited
 * for, signals of their deaths included; false when it is too much, until rest_until_us.
 */
bool supervisor_reckon(struct supervisor *, uint64_t now_us);

/*
 * Takes what they have said: that there is something to see in the scoreboard, or lines for the log.  False: nothing.
 */
bool supervisor_hear_workers(struct supervisor *);

/* All of it, when they have gone. */
void supervisor_hear_last_words(struct supervisor *);

/* ---- supervisor_setup.c ---- */

/*
 * Resolves the user, locks the pidfile, opens log and control socket, enters the sandbox.  Returns 0, or a sysexits
 * code, complained about.
 */
int supervisor_set_up(struct supervisor *, const struct config *);

void supervisor_open_log(struct supervisor *, const struct config *);

/*
 * Logs an error.  Before the daemon is ready somebody may wait at a terminal for the reason, even if messages go to
 * syslog already: then also there, and the status is to exit with.
 */
void supervisor_complain(struct supervisor *, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* What the loader found: to the log, and to a terminal as it is. */
void supervisor_tell_reports(struct supervisor *);

/* ---- supervisor_reload.c ---- */

/* Starts a reload, or notes that another one is wanted after the one that is under way. */
void supervisor_begin_reload(struct supervisor *);

/* Takes the steps of the reload that can be taken now. */
void supervisor_advance_reload(struct supervisor *, uint64_t now_us);

/* After something that failed: sockets and log as the present generation left them. */
void supervisor_restore_listeners(struct supervisor *);

/* ---- supervisor_upgrade.c ---- */

/*
 * Asks for an upgrade, as soon as one can begin.  Returns 0, or a sysexits code with the reason why there will be none
 * (static): EX_TEMPFAIL where asking again helps.
 */
int supervisor_ask_upgrade(struct supervisor *, const char **why);

/* At a stop: there will be none, and one that has begun is given up. */
void supervisor_cancel_upgrade(struct supervisor *);

/* Takes what the starter has said: before the end of a new process can be reaped, its number is here. */
void supervisor_hear_starter(struct supervisor *, uint64_t now_us);

/* Takes that, and what the heir has said. */
void supervisor_hear_upgrade(struct supervisor *, uint64_t now_us);

/* A process was reaped: true if it was the heir. */
bool supervisor_heir_ended(struct supervisor *, pid_t, int wait_status, uint64_t now_us);

/* A worker of ours that was woken may have left a connection to the heir's. */
void supervisor_have_heir_look(const struct supervisor *);

/* Takes the steps that can be taken now. */
void supervisor_advance_upgrade(struct supervisor *, uint64_t now_us);

/* Lists what to poll for, of the heir's side as well; returns how many, at most SUPERVISOR_POLLS. */
int supervisor_poll_upgrade(const struct supervisor *, struct pollfd *);

/* When something will be due; UINT64_MAX for never. */
uint64_t supervisor_upgrade_due_us(const struct supervisor *);

/* Whether another process has our place, and all is finished that was left to do. */
bool supervisor_has_left(const struct supervisor *);

/* ---- supervisor_heir.c ---- */

/* At a start: finds out whether there is somebody whose place we take. */
void supervisor_meet_elder(struct supervisor *);

/* Tells it why we can't start. */
void supervisor_tell_elder(const struct supervisor *, bool error, const char *text);

/* Our first generation serves: asks for what the elder has. */
void supervisor_claim(struct supervisor *);

/* Takes what the elder has said. */
void supervisor_hear_elder(struct supervisor *, uint64_t now_us);

/* ---- supervisor_listeners.c ---- */

/* At a start: takes sockets that were inherited.  Returns 0, or EX_USAGE, complained about. */
int supervisor_adopt_listeners(struct supervisor *);

/*
 * A listener for each entry of the configuration: the one that is open, or a new one.  0, or a sysexits code with the
 * reason, which is of LISTENER_REASON bytes.
 */
int supervisor_open_listeners(struct supervisor *, const struct config *, struct listener **listeners, char *reason);

/* Has a generation's listeners as its configuration wants them.  False with errno when one can't serve like that. */
bool supervisor_tune_listeners(const struct supervisor *, const struct generation *);

/*
 * O_NONBLOCK belongs to the open socket: set while any generation needs it, cleared when the last of those has left.
 * False when that can't be done: without it an event worker would block, with it a blocking one only polls.
 */
bool supervisor_set_blocking(struct supervisor *);

/*
 * Closes what neither the present nor the coming generation lists, unless it is the elder's still.  The old one holds
 * its own descriptors.
 */
void supervisor_close_unlisted(struct supervisor *);

/* Which of those that are still the elder's, in its order, the present generation lists; one bit each. */
uint64_t supervisor_taken_listeners(const struct supervisor *);

/* These are ours from now on, and the others are closed. */
void supervisor_own_listeners(struct supervisor *);

/*
 * Closes, in a worker of that generation, what it does not list: a listener held open would seem to be served for
 * ever.
 */
void supervisor_forget_unlisted(struct supervisor *, const struct generation *);

/*
 * A worker that was taken over can shut listeners down.  Those that are to be asked about, up to CONFIG_LISTENERS; and,
 * after poll(2), whether some of them are to be opened anew by a reload, with the reason logged.  Is there one that no
 * reload has opened yet?
 */
int supervisor_poll_listeners(const struct supervisor *, struct pollfd *);
bool supervisor_see_listeners(struct supervisor *, const struct pollfd *, int count);
bool supervisor_lacks_listener(const struct supervisor *);

/* Tells the old generation which of its listeners the present one does not have: their queues are its to finish. */
void supervisor_mark_removed(struct supervisor *);

/* Logs "listening on ADDRESS" for those that the old generation, or the elder, did not have. */
void supervisor_announce_listeners(struct supervisor *);

/* ---- supervisor_idle.c ---- */

/* Stops the daemon when its sockets are lent and it has had no client for as long as the configuration says. */
void supervisor_watch_idle(struct supervisor *, uint64_t now_us);

/* When to look whether there is a client; UINT64_MAX for never. */
uint64_t supervisor_idle_due_us(const struct supervisor *);

/* ---- supervisor_queues.c ---- */

/*
 * Lists the listeners to poll for, as somebody may come whom a busy worker is told of; returns how many, at most
 * CONFIG_LISTENERS.  The second is given what came of it.
 */
int supervisor_poll_queues(const struct supervisor *, struct pollfd *);
void supervisor_hear_queues(struct supervisor *, const struct pollfd *, int count, uint64_t now_us);

/* When to look who is queued; UINT64_MAX for not before somebody has come. */
uint64_t supervisor_queues_due_us(const struct supervisor *);

/* Looks, when that is due, and has the workers look when somebody is still there. */
void supervisor_tend_queues(struct supervisor *, uint64_t now_us);

/* ---- supervisor_metrics.c ---- */

/* Has the metrics written when that is due, by a process of its own: a file system may keep whoever writes waiting. */
void supervisor_tend_metrics(struct supervisor *, uint64_t now_us);

/* After a reload: they are due at once, wherever they go to now. */
void supervisor_renew_metrics(struct supervisor *);

/* A process has ended: true if it was that one. */
bool supervisor_metrics_reaped(struct supervisor *, pid_t, int wait_status);

/*
 * What mends that they can't be written, as a line: a file in the folder of the control socket, where we have made one
 * already, and which is the one that the units let us write to.
 */
void supervisor_mend_metrics(const struct supervisor *, char *mend, size_t size);

/* When something is due; UINT64_MAX for never. */
uint64_t supervisor_metrics_due_us(const struct supervisor *);

/* ---- supervisor_status.c ---- */

/* Since the start, over all generations. */
void supervisor_sum_up(const struct supervisor *, struct scoreboard_totals *);

/* All that there is to show, at this moment. */
void supervisor_figures(const struct supervisor *, struct figures *);

void supervisor_log_statistics(struct supervisor *);

/* Tells the service manager that it serves, after a start or a reload, however that ended. */
void supervisor_notify_ready(const struct supervisor *, bool failed);

/* ---- supervisor_commands.c ---- */

/* What a client of the control socket wants: a control_command. */
void supervisor_obey(void *supervisor, unsigned client, const char *command);

#endif
