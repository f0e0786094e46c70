/*
 * proctitle.c - what ps(1) shows of a process.
 *
 * The kernel shows the memory where exec put argv's strings; when the last byte of those is no longer NUL it
 * reads on into the environment's strings, which lie right behind.
 */
#include "common/proctitle.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *title;               /* NULL: there is no room */
static size_t room;               /* bytes at title, the NUL counted */
static size_t length, keep;
static void *copies;              /* what argv and environ point into from now on; kept for life */

/* Copies the strings of a list to *to, which moves on, and lets the list point there. */
static void move_strings(char **list, char **to)
{
	for (; *list; list++) {
		size_t len = strlen(*list) + 1;

		*list = memcpy(*to, *list, len);
		*to += len;
	}
}

/*
 * Adds the strings of a list to the stretch of memory that begins at title, as far as they lie without a gap.
 */
static size_t extend(char *const *list, size_t *bytes)
{
	size_t count = 0;

	for (; list[count]; count++) {
		size_t len = strlen(list[count]) + 1;

		if (list[count] == title + room)
			room += len;
		*bytes += len;
	}
	return count;
}

void proctitle_init(int argc, char **argv)
{
	size_t bytes = 0, count;
	char **variables, *to;

	if (argc < 1)
		return;
	title = argv[0];
	extend(argv, &bytes);
	count = extend(environ, &bytes);
	copies = malloc((count + 1) * sizeof *variables + bytes);
	if (!copies) {
		title = NULL;
		return;
	}
	variables = memcpy(copies, environ, (count + 1) * sizeof *variables);
	to = (char *)(variables + count + 1);
	move_strings(argv, &to);
	move_strings(variables, &to);
	environ = variables;
	program_invocation_name = argv[0];
	to = strrchr(argv[0], '/');
	program_invocation_short_name = to ? to + 1 : argv[0];
}

/* The bytes behind the title must be NUL, or ps shows what was there before. */
static void end_title(size_t now)
{
	if (now < length)
		memset(title + now, '\0', length - now);
	title[now] = '\0';
	length = now;
}

void proctitle_set(const char *format, ...)
{
	va_list arguments;
	int len;

	if (!title)
		return;
	if (length == 0)
		length = room - 1;
	va_start(arguments, format);
	len = vsnprintf(title, room, format, arguments);
	va_end(arguments);
	end_title(len < 0 ? 0 : (size_t)len < room ? (size_t)len : room - 1);
}

void proctitle_mark(void)
{
	keep = length;
}

void proctitle_tail(const char *text)
{
	size_t len = strlen(text);

	if (!title)
		return;
	if (len > room - 1 - keep)
		len = room - 1 - keep;
	memcpy(title + keep, text, len);
	end_title(keep + len);
}
