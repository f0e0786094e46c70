/*
 * top.c - how the daemon is, live at a terminal, by ncurses.
 */
#include "aphorismctl/top.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismctl/json.h"
#include "aphorismctl/rows.h"
#include "common/clock.h"
#include "common/dial.h"
#include "common/json.h"
#include "common/plain.h"
#include "common/standard.h"

enum { TICK_MS = 1000, ANSWER_US = 2 * CLOCK_S };

static struct reply status, statistics, workers;

static int ask(const char *socket, const char *line, struct reply *reply)
{
	uint64_t deadline_us = clock_now_us() + ANSWER_US;
	int fd = dial_unix(socket, deadline_us, -1), error;

	if (fd < 0)
		return errno;
	error = control_ask(fd, line, reply, deadline_us);
	close(fd);
	return error;
}

int top_fetch(const char *socket, const struct reply **refusal)
{
	static const struct {
		const char *line;
		struct reply *reply;
	} asked[] = { { "status\n", &status }, { "stats\n", &statistics }, { "workers\n", &workers } };
	int error = 0;

	*refusal = NULL;
	for (size_t i = 0; i < sizeof asked / sizeof asked[0] && error == 0 && !*refusal; i++) {
		error = ask(socket, asked[i].line, asked[i].reply);
		if (error == 0 && asked[i].reply->status != 0)
			*refusal = asked[i].reply;
	}
	return error;
}

/* ---- for programs ---- */

static void put_sample(double seconds)
{
	printf("{\"ok\":true,\"exit\":0,\"seconds\":%.6f,\"status\":", seconds);
	json_put_reply(&status, NULL);
	fputs(",\"stats\":", stdout);
	json_put_reply(&statistics, NULL);
	fputs(",\"workers\":", stdout);
	json_put_reply(&workers, "worker");
	puts("}");
}

int top_stream(const char *socket)
{
	uint64_t past_us = 0;
	char reason[CONTROL_PATH + 64];

	for (;;) {
		const struct reply *refusal;
		uint64_t now_us = clock_now_us();
		int error = top_fetch(socket, &refusal);

		if (error != 0) {
			snprintf(reason, sizeof reason, "%s: %s", socket, strerror(error));
			json_failure(EX_UNAVAILABLE, reason);
		} else if (refusal) {
			json_reply(refusal, NULL);
		} else {
			put_sample(past_us ? (double)(now_us - past_us) / CLOCK_S : 0);
		}
		past_us = error == 0 && !refusal ? now_us : 0;
		if (standard_flush())
			return EX_IOERR;
		dial_wait(NULL, 0, now_us + TICK_MS * CLOCK_MS);
	}
}

/* ---- for people ---- */

#ifdef HAVE_NCURSES

#include <ncurses.h>
#include <termcap.h>

enum { WORKERS_AT = 6, BAR_AT = 46, LEAST_BAR = 8, BAR = 30, CLIENT = 22 };

/* What a worker had answered the last time. */
struct past {
	double pid, generation, questions;
};

static struct past past[REPLY_LINES];
static size_t past_count;
static double past_questions;             /* of all */
static uint64_t past_us;

static volatile sig_atomic_t ended;

/* NULL: the daemon does not say it. */
static const char *find(const struct reply *reply, const char *key)
{
	for (size_t i = 0; i < reply->count; i++)
		if (strcmp(reply->lines[i].key, key) == 0)
			return reply->lines[i].value;
	return NULL;
}

static const char *value(const struct reply *reply, const char *key)
{
	const char *found = find(reply, key);

	return found ? found : "-";
}

static double number(const struct reply *reply, const char *key)
{
	return strtod(value(reply, key), NULL);
}

static double rate_of(double now, double before, double seconds)
{
	return seconds > 0 && now >= before ? (now - before) / seconds : 0;
}

static double worker_rate(const struct line *line, double seconds)
{
	double pid = rows_number(line, "pid"), generation = rows_number(line, "generation");
	double questions = rows_number(line, "questions");

	for (size_t i = 0; i < past_count; i++)
		if (past[i].pid == pid && past[i].generation == generation)
			return rate_of(questions, past[i].questions, seconds);
	return rate_of(questions, 0, seconds);
}

static void remember(uint64_t now_us)
{
	past_count = 0;
	for (size_t i = 0; i < workers.count; i++)
		past[past_count++] = (struct past){
			.pid = rows_number(&workers.lines[i], "pid"),
			.generation = rows_number(&workers.lines[i], "generation"),
			.questions = rows_number(&workers.lines[i], "questions"),
		};
	past_questions = number(&statistics, "questions");
	past_us = now_us;
}

/* Cut at the edge: what the terminal carries on to the next line would stay there. */
static void __attribute__((format(printf, 3, 4))) put(int row, int column, const char *format, ...)
{
	char text[512], shown[4 * sizeof text];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (column < COLS)
		mvaddnstr(row, column, plain_text(shown, sizeof shown, text, strlen(text)), COLS - column);
}

/* How long the longest is: a client's address is to have room beside it. */
static int bar_len(void)
{
	int room = COLS - BAR_AT - CLIENT;

	return room < LEAST_BAR ? LEAST_BAR : room > BAR ? BAR : room;
}

/* Not every model knows how long questions wait. */
static void draw_latency(void)
{
	char waits[128] = "";

	if (find(&statistics, "wait_p50_us"))
		snprintf(waits, sizeof waits, "waits p50 %s p99 %s us, ", value(&statistics, "wait_p50_us"),
		         value(&statistics, "wait_p99_us"));
	put(3, 0, "latency     %sservice p50 %s p99 %s us", waits, value(&statistics, "service_p50_us"),
	    value(&statistics, "service_p99_us"));
}

static void draw_head(double seconds)
{
	attron(A_BOLD);
	put(0, 0, "aphorismd %s  %s, generation %s, %s, up %s s", value(&status, "version"), value(&status, "model"),
	    value(&status, "generation"), value(&status, "state"), value(&status, "uptime_seconds"));
	attroff(A_BOLD);
	put(1, 0, "questions   %.0f/s, %s in all, %s unknown",
	    rate_of(number(&statistics, "questions"), past_questions, seconds), value(&statistics, "questions"),
	    value(&statistics, "questions_unknown"));
	put(2, 0, "connections %s of %s, %s queued, %s in all; %s waits for a seat or the like",
	    value(&status, "connections_open"), value(&statistics, "max_connections"), value(&status, "queued"),
	    value(&status, "connections"), value(&status, "accept_waits"));
	draw_latency();
	put(4, 0, "turned away %s timed out, %s refused, %s denied, %s bad headers", value(&status, "timeouts"),
	    value(&status, "refused"), value(&status, "denied"), value(&status, "bad_headers"));
}

static void draw_worker(int at, const struct line *line, double rate, double most)
{
	struct field field;
	int bar = most > 0 ? (int)ceil(rate / most * bar_len()) : 0;

	put(at, 0, "%6.0f %8.0f", rows_number(line, "number"), rows_number(line, "pid"));
	if (rows_find(line, "state", &field))
		put(at, 17, "%.*s", (int)field.value_len, field.value);
	if (rows_find(line, "client", &field))
		put(at, BAR_AT + bar_len() + 1, "%.*s", (int)field.value_len, field.value);
	put(at, 26, "%6.0f %10.0f", rows_number(line, "open"), rate);
	attron(A_REVERSE);
	put(at, BAR_AT, "%*s", bar, "");
	attroff(A_REVERSE);
}

static void draw_workers(double seconds)
{
	size_t room = LINES > WORKERS_AT + 1 ? (size_t)(LINES - WORKERS_AT - 1) : 0, count = 0;
	double most = 0;

	while (count < workers.count && strcmp(workers.lines[count].key, "worker") == 0)
		count++;
	attron(A_UNDERLINE);
	put(WORKERS_AT - 1, 0, "%6s %8s  %-8s %6s %10s  %-*s %s", "worker", "pid", "state", "open", "questions/s",
	    bar_len(), "of the busiest", "client");
	attroff(A_UNDERLINE);
	for (size_t i = 0; i < count; i++)
		most = fmax(most, worker_rate(&workers.lines[i], seconds));
	for (size_t i = 0; i < count && i < room; i++)
		draw_worker(WORKERS_AT + (int)i, &workers.lines[i], worker_rate(&workers.lines[i], seconds), most);
	if (count > room && LINES > 0)
		put(LINES - 1, 0, "and %zu more; q ends", count - room);
	else if (LINES > 0)
		put(LINES - 1, 0, "q ends");
}

static void draw_refusal(const char *socket, const struct reply *refusal)
{
	int row = 0;

	put(row++, 0, "%s: aphorismd refuses (status %d); q ends", socket, refusal->status);
	for (size_t i = 0; i < refusal->count && row < LINES; i++)
		if (strcmp(refusal->lines[i].key, "error") == 0)
			put(row++, 0, "%s", refusal->lines[i].value);
}

static void draw(const char *socket)
{
	const struct reply *refusal;
	int error = top_fetch(socket, &refusal);
	uint64_t now_us = clock_now_us();
	double seconds = past_us ? (double)(now_us - past_us) / CLOCK_S : 0;

	erase();
	if (error != 0) {
		put(0, 0, "%s: %s", socket, strerror(error));
		put(1, 0, "waiting for aphorismd; q ends");
		past_us = 0;
	} else if (refusal) {
		draw_refusal(socket, refusal);
		past_us = 0;
	} else {
		draw_head(seconds);
		draw_workers(seconds);
		remember(now_us);
	}
	refresh();
}

const char *top_lacks(void)
{
	return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) ? NULL : "needs a terminal";
}

static void on_end(int signal)
{
	(void)signal;
	ended = 1;
}

int top_run(const char *socket)
{
	static const struct sigaction end = { .sa_handler = on_end };
	SCREEN *screen = NULL;
	const char *terminal = getenv("TERM");
	int key;

	/* asked first: newterm leaves memory behind where it fails */
	if (terminal && tgetent(NULL, terminal) == 1)
		screen = newterm(NULL, stdout, stdin);
	if (!screen) {
		fprintf(stderr, "aphorismctl: top: this terminal can't be drawn on: is TERM right?\n");
		return EX_UNAVAILABLE;
	}
	/* in place of the curses' own, which exit with 1; a signal just before getch sleeps is noticed a tick later */
	sigaction(SIGINT, &end, NULL);
	sigaction(SIGTERM, &end, NULL);
	cbreak();
	noecho();
	curs_set(0);
	timeout(TICK_MS);
	do
		draw(socket);
	while ((key = getch()) != 'q' && key != 'Q' && !ended && (key != ERR || isatty(STDIN_FILENO)));
	endwin();
	delscreen(screen);
	return EX_OK;
}

#else

const char *top_lacks(void)
{
	return "this build has no ncurses";
}

int top_run(const char *socket)
{
	(void)socket;
	return 0;
}

#endif
