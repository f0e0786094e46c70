/*
 * answer.c - a text that grows at its end and is taken from its front.
 */
#include "aphorismd/answer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

enum { FIRST = 1024, LONGEST = 1 << 20 };

/* Makes room for so much more; twice as much as there was, since lists come line by line. */
static bool has_room(struct answer *answer, size_t more)
{
	size_t needed = answer->taken + answer->len + more, size = FIRST;
	char *text;

	if (needed <= answer->size)
		return true;
	while (size < needed)
		size *= 2;
	if (size > LONGEST || !(text = realloc(answer->text, size)))
		return false;
	answer->text = text;
	answer->size = size;
	return true;
}

bool answer_add(struct answer *answer, const char *lines)
{
	size_t len = strlen(lines);

	if (len == 0)
		return true;
	if (!has_room(answer, len))
		return false;
	memcpy(answer->text + answer->taken + answer->len, lines, len);
	answer->len += len;
	return true;
}

int answer_send(struct answer *answer, int fd)
{
	while (answer->len > 0) {
		ssize_t n = send(fd, answer->text + answer->taken, answer->len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0)
			return errno == EINTR || errno == ENOBUFS || errno == ENOMEM ? EAGAIN : errno;
		answer->taken += (size_t)n;
		answer->len -= (size_t)n;
	}
	answer_free(answer);
	return 0;
}

void answer_free(struct answer *answer)
{
	free(answer->text);
	*answer = (struct answer){ .text = NULL };
}
