/*
 * picture.c - a picture drawn by gnuplot, as SVG inside of an HTML page.
 */
#include "aphorism-bench/picture.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorism-bench/child.h"
#include "aphorism-bench/html.h"
#include "common/plain.h"

/* Characters of a tic's label, beside which there must be room for the picture. */
enum { TIC = 24, NOT_THERE = 127 };

static int fail(const char *what, int error)
{
	plain_say(stderr, "aphorism-bench: %s: %s", what, strerror(error));
	return EX_OSERR;
}

/* A file that is gone when it is closed; NULL after one line of reason. */
static FILE *open_scratch(void)
{
	int fd = memfd_create("gnuplot", MFD_CLOEXEC);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "w+");

	if (!file)
		fail("a scratch file", errno);
	if (!file && fd >= 0)
		close(fd);
	return file;
}

/* With the script as standard input and the other one as standard output. */
static _Noreturn void become_gnuplot(const char *option, FILE *script, FILE *drawn, pid_t parent)
{
	child_follow(parent, SIGKILL);
	if (dup2(fileno(script), STDIN_FILENO) >= 0 && dup2(fileno(drawn), STDOUT_FILENO) >= 0)
		execlp("gnuplot", "gnuplot", option, (char *)NULL);
	if (errno == ENOENT)
		_exit(NOT_THERE);
	fail("gnuplot", errno);
	_exit(EX_OSERR);
}

static int run_gnuplot(const char *option, FILE *script, FILE *drawn)
{
	pid_t parent = getpid(), pid = fork();
	int status;

	if (pid == 0)
		become_gnuplot(option, script, drawn, parent);
	if (pid < 0)
		return fail("gnuplot", errno);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return fail("gnuplot", errno);
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS)
		return EX_OK;
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_THERE)
		fputs("aphorism-bench: a report needs gnuplot, which is not installed "
		      "(package gnuplot-nox or gnuplot)\n", stderr);
	else
		fputs("aphorism-bench: gnuplot has failed to draw a picture\n", stderr);
	return EX_UNAVAILABLE;
}

int picture_try(void)
{
	FILE *scratch = open_scratch();
	int status;

	if (!scratch)
		return EX_OSERR;
	status = run_gnuplot("--version", scratch, scratch);
	fclose(scratch);
	return status;
}

/* gnuplot's number of each line's shape, and the letter that looks like it. */
static const struct {
	int number;
	const char *letter;
} shapes[PICTURE_LINES] = {
	{ 5, "\u25a0" }, { 7, "\u25cf" }, { 9, "\u25b2" }, { 13, "\u25c6" },
	{ 11, "\u25bc" }, { 4, "\u25a1" }, { 6, "\u25cb" }, { 8, "\u25b3" },
};

int picture_begin(struct picture *picture, int width, int height)
{
	picture->curve_count = 0;
	picture->has_key = true;
	picture->script = open_scratch();
	if (!picture->script)
		return EX_OSERR;
	fprintf(picture->script,
	        "set terminal svg size %d,%d dynamic noenhanced font 'sans-serif,13'\n"
	        "set encoding utf8\n"
	        "set border 3\n"
	        "set tics nomirror\n"
	        "set grid lt 1 lw 0.7 lc rgb '#0000ff'\n"
	        "unset key\n",
	        width, height);
	for (unsigned i = 0; i < PICTURE_LINES; i++)
		fprintf(picture->script, "set linetype %u lw 1.6 ps 0.6 dt %u pt %d lc rgb '#%06x'\n", i + 1, i % 5 + 1,
		        shapes[i].number, i);
	return EX_OK;
}

/*
 * What gnuplot could take for quotes, commands, macros or (in a tic) a format, and we for an id in what it has drawn:
 * it gets control characters instead, from U+0080 on, which no name holds, as many as there are.
 */
static const char punctuation[] = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~";

/* Where the n-th character of UTF-8 begins. */
static const char *character(const char *text, size_t n)
{
	for (; *text; text++)
		if (((unsigned char)*text & 0xc0) != 0x80 && n-- == 0)
			break;
	return text;
}

static void put_disguised(FILE *script, const char *text, const char *end)
{
	for (; text < end; text++) {
		const char *at = strchr(punctuation, *text);

		if (at)
			fprintf(script, "\xc2%c", 0x80 + (int)(at - punctuation));
		else
			putc(*text, script);
	}
}

/* Writes what one stands for to the page.  Returns how many bytes it is long, 0 when there is none. */
static size_t put_undisguised(const char *text, FILE *page)
{
	char plain[2] = "";

	if ((unsigned char)text[0] != 0xc2 || ((unsigned char)text[1] & 0xe0) != 0x80)
		return 0;
	plain[0] = punctuation[text[1] & 0x1f];
	html_text(page, plain);
	return 2;
}

void picture_put_tic(struct picture *picture, const char *text)
{
	const char *end = text + strlen(text);
	size_t len = 0;

	for (const char *at = text; *at; at = character(at, 1))
		len++;
	putc('"', picture->script);
	if (len <= TIC) {
		put_disguised(picture->script, text, end);
	} else {
		put_disguised(picture->script, text, character(text, TIC / 2 - 1));
		fputs("\u2026", picture->script);
		put_disguised(picture->script, character(text, len - TIC / 2), end);
	}
	putc('"', picture->script);
}

/* gnuplot calls its plots gnuplot_plot_1 and so on: the name that the one of this line gets. */
static const char *plot_name(const struct picture *picture, const char *line)
{
	unsigned plot;

	line = strstr(line, "gnuplot_plot_");
	if (!line || sscanf(line, "gnuplot_plot_%u", &plot) != 1 || plot < 1 || plot > picture->curve_count)
		return "";
	return picture->curves[plot - 1].name;
}

/*
 * Titles become the names of the curves.  The same ids must not come twice in a page, so they get the picture's
 * number.
 */
static void put_line(const struct picture *picture, const char *line, FILE *page)
{
	static const char *const ids[] = { "id='", "id=\"", "href='#", "url(#" };
	const char *name = plot_name(picture, line);

	while (*line) {
		size_t taken = 0;

		for (size_t i = 0; taken == 0 && i < sizeof ids / sizeof ids[0]; i++)
			if (strncmp(line, ids[i], strlen(ids[i])) == 0)
				taken = strlen(ids[i]);
		if (taken > 0) {
			fprintf(page, "%.*sp%u-", (int)taken, line, picture->number);
		} else if (strncmp(line, "<title>", 7) == 0) {
			fputs("<title>", page);
			html_text(page, name);
			taken = strstr(line, "</title>") ? (size_t)(strstr(line, "</title>") - line) : strlen(line);
		} else if ((taken = put_undisguised(line, page)) == 0) {
			putc(line[taken++], page);
		}
		line += taken;
	}
}

/*
 * What stands before the <svg> is for a file of its own, and the title and description would be shown at the pointer.
 */
static void copy(const struct picture *picture, FILE *drawn, FILE *page)
{
	bool inside = false;
	char *line = NULL;
	size_t size = 0;

	rewind(drawn);
	while (getline(&line, &size, drawn) > 0) {
		inside |= strncmp(line, "<svg", 4) == 0;
		if (inside && strncmp(line, "<title>", 7) != 0 && strncmp(line, "<desc>", 6) != 0)
			put_line(picture, line, page);
	}
	free(line);
}

static void put_key(const struct picture *picture, FILE *page)
{
	fputs("<p class=\"key\">", page);
	for (size_t i = 0; i < picture->curve_count; i++) {
		const struct picture_curve *curve = &picture->curves[i];

		fprintf(page, "<span><i style=\"color:var(--m%u)\">%s</i> ", curve->line, shapes[curve->line].letter);
		html_text(page, curve->name);
		fputs("</span> ", page);
	}
	fputs("</p>\n", page);
}

/* The picture as a figure of the page. */
static int draw(const struct picture *picture, FILE *drawn, FILE *page)
{
	int status = EX_OK;

	if (fflush(picture->script) != 0 || lseek(fileno(picture->script), 0, SEEK_SET) < 0)
		status = fail("a scratch file", errno);
	if (status == EX_OK)
		status = run_gnuplot("-d", picture->script, drawn);
	if (status != EX_OK)
		return status;
	fputs("<figure><figcaption>", page);
	html_text(page, picture->caption);
	fputs("</figcaption>\n", page);
	copy(picture, drawn, page);
	if (picture->has_key)
		put_key(picture, page);
	fputs("</figure>\n", page);
	return EX_OK;
}

int picture_end(struct picture *picture, FILE *page)
{
	FILE *drawn = NULL;
	int status = EX_OK;

	if (picture->curve_count > 0) {
		drawn = open_scratch();
		status = drawn ? draw(picture, drawn, page) : EX_OSERR;
		picture->number++;
	}
	if (drawn)
		fclose(drawn);
	fclose(picture->script);
	return status;
}
