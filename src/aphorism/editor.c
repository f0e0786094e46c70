/*
 * editor.c - lines typed at a terminal, by libedit.
 */
#include "aphorism/editor.h"

#ifdef HAVE_LIBEDIT

#include <errno.h>
#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "aphorism/show.h"
#include "common/plain.h"

enum { LINES = 500, LONGEST = 4096, FILE_NAME = 4096 };

static EditLine *editor;
static History *past;
static const char *prompt_text;
static char file[FILE_NAME];              /* of the history; "" for none */

static char *prompt(EditLine *unused)
{
	(void)unused;
	return (char *)prompt_text;
}

/* The next older line of the history, from the newest on; NULL when there is none. */
static const char *older(HistEvent *event, bool first)
{
	return history(past, event, first ? H_FIRST : H_NEXT) < 0 ? NULL : event->str;
}

/* The history's file */

static void forgo(const char *reason)
{
	plain_say(stderr, "aphorism: %s: %s: no history is kept", file, reason);
	file[0] = '\0';
}

/* Finds the place for it.  Makes folders in it where they are missing, but no home. */
static void find_file(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	bool own = state && state[0] == '/';
	int len;

	if (!own && (!home || home[0] != '/'))
		return;
	len = own ? snprintf(file, sizeof file, "%s/aphorism/history", state) :
	            snprintf(file, sizeof file, "%s/.local/state/aphorism/history", home);
	if (len >= (int)sizeof file - 8) {
		file[0] = '\0';           /* with the suffix of a temporary one it would not fit */
		return;
	}
	for (char *at = strchr(file + (own ? 1 : strlen(home) + 1), '/'); at; at = strchr(at + 1, '/')) {
		*at = '\0';
		mkdir(file, 0700);        /* whatever is missing afterwards shows when the file is made */
		*at = '/';
	}
}

static void load(void)
{
	HistEvent event;
	struct stat status;

	find_file();
	if (file[0] == '\0' || stat(file, &status) < 0)
		return;
	if (!S_ISREG(status.st_mode))
		file[0] = '\0';           /* a link to /dev/null is a wish */
	else if (history(past, &event, H_LOAD, file) < 0)
		forgo("not a history that can be read");
}

/* A new file takes the old one's place, so that no end of the program leaves half of it. */
static void save(void)
{
	char new[FILE_NAME];
	HistEvent event;
	FILE *stream;
	int fd;

	if (file[0] == '\0')
		return;
	snprintf(new, sizeof new, "%.*s.XXXXXX", (int)sizeof new - 8, file);
	fd = mkstemp(new);
	stream = fd < 0 ? NULL : fdopen(fd, "w");
	if (!stream) {
		if (errno == ENOENT)
			file[0] = '\0';   /* there is no home */
		else
			forgo(strerror(errno));
		return;
	}
	history(past, &event, H_SAVE_FP, stream);
	if (ferror(stream) | (fclose(stream) != 0) || rename(new, file) < 0) {
		forgo(strerror(errno));
		unlink(new);
	}
}

/* Completion */

struct matches {
	const char *begin;                /* the line up to the cursor */
	size_t len;
	const char *first;
	size_t count, common;             /* bytes that all of them begin with */
};

static void find_matches(struct matches *m)
{
	HistEvent event;

	for (const char *line = older(&event, true); line; line = older(&event, false)) {
		size_t same = m->len;

		if (strncmp(line, m->begin, m->len) != 0)
			continue;
		if (m->count++ == 0) {
			m->first = line;
			m->common = strlen(line);
		}
		while (same < m->common && line[same] == m->first[same])
			same++;
		m->common = same;
	}
	while (m->common > m->len && (m->first[m->common] & 0xc0) == 0x80)
		m->common--;              /* not through the middle of a character of UTF-8 */
}

static void list_matches(const struct matches *m)
{
	HistEvent event;

	putchar('\n');
	for (const char *line = older(&event, true); line; line = older(&event, false)) {
		if (strncmp(line, m->begin, m->len) == 0) {
			show_bytes(line, strlen(line));
			putchar('\n');
		}
	}
}

/* The key TAB: adds what all matches have in common, or lists them when that is nothing. */
static unsigned char complete(EditLine *unused, int key)
{
	const LineInfo *line = el_line(editor);
	struct matches m = { .begin = line->buffer, .len = (size_t)(line->cursor - line->buffer) };
	char more[LONGEST];

	(void)unused;
	(void)key;
	find_matches(&m);
	if (m.count == 0 || (m.count == 1 && m.common == m.len))
		return CC_ERROR;
	if (m.common == m.len) {
		list_matches(&m);
		return CC_REDISPLAY;
	}
	snprintf(more, sizeof more, "%.*s", (int)(m.common - m.len), m.first + m.len);
	return el_insertstr(editor, more) < 0 ? CC_ERROR : CC_REFRESH;
}

bool editor_open(const char *text)
{
	HistEvent event;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return false;
	prompt_text = text;
	past = history_init();
	editor = past ? el_init("aphorism", stdin, stdout, stderr) : NULL;
	if (!editor) {
		if (past)
			history_end(past);
		return false;
	}
	history(past, &event, H_SETSIZE, LINES);
	load();
	el_set(editor, EL_PROMPT, prompt);
	el_set(editor, EL_EDITOR, "emacs");
	el_set(editor, EL_HIST, history, past);
	el_set(editor, EL_SIGNAL, 1);
	/* el_set would make copies of the words, and forget them */
	el_wset(editor, EL_ADDFN, L"complete", L"Complete a question that was asked before", complete);
	el_set(editor, EL_BIND, "^I", "complete", NULL);
	el_source(editor, NULL);
	return true;
}

const char *editor_read(void)
{
	const char *line;
	int count = 0;

	/* else the prompt comes first, and a Ctrl-D right behind it would be lost between the terminal's two modes */
	el_set(editor, EL_PREP_TERM, 1);
	errno = 0;
	line = el_gets(editor, &count);
	if (line && count > 0)
		return line;
	putchar('\n');
	return count < 0 && errno == EINTR ? "" : NULL;
}

void editor_remember(const char *line)
{
	HistEvent event;

	if (strlen(line) >= LONGEST)
		return;
	for (const char *old = older(&event, true); old; old = older(&event, false)) {
		if (strcmp(old, line) == 0) {
			if (history(past, &event, H_DEL, event.num) == 0)
				free((char *)event.str);  /* the line becomes ours */
			break;
		}
	}
	history(past, &event, H_ENTER, line);
	save();
}

void editor_close(void)
{
	el_end(editor);
	history_end(past);
}

#else

#include <stddef.h>

bool editor_open(const char *prompt)
{
	(void)prompt;
	return false;
}

const char *editor_read(void)
{
	return NULL;
}

void editor_remember(const char *line)
{
	(void)line;
}

void editor_close(void)
{
}

#endif
