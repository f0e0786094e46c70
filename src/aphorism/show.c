/*
 * show.c - answers and failures, for people or in JSON.
 */
#include "aphorism/show.h"

#include <inttypes.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"
#include "common/plain.h"
#include "common/standard.h"

static bool terminal, in_utf8, alone;

void show_init(bool answers_alone)
{
	terminal = isatty(STDOUT_FILENO) == 1;
	in_utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	alone = answers_alone;
}

/* Bytes of the character at the front that can be printed here, 0 when there is none. */
static size_t printable(const char *bytes, size_t len)
{
	size_t taken = plain_char(bytes, len);

	return taken == 1 || in_utf8 ? taken : 0;
}

void show_bytes(const char *bytes, size_t len)
{
	size_t taken;

	for (; terminal && len > 0; bytes += taken, len -= taken) {
		taken = printable(bytes, len);
		if (taken > 0)
			fwrite(bytes, 1, taken, stdout);
		else
			plain_put(stdout, bytes, taken = 1);
	}
	fwrite(bytes, 1, len, stdout);
}

static void put_json(const struct client_answer *answer)
{
	fputs("{\"question\":", stdout);
	json_put_string(answer->question, answer->question_len);
	fputs(",\"answer\":", stdout);
	json_put_string(answer->text, answer->len);
	printf(",\"known\":%s,\"server\":", answer->known ? "true" : "false");
	json_put_string(answer->server, strlen(answer->server));
	printf(",\"seconds\":%" PRIu64 ".%06" PRIu64 ",\"tries\":%u}", answer->took_us / CLOCK_S,
	       answer->took_us % CLOCK_S, answer->tries);
}

void show_answer(const struct client_answer *answer)
{
	if (standard_json) {
		put_json(answer);
	} else {
		if (!alone) {
			show_bytes(answer->question, answer->question_len);
			putchar(' ');
		}
		show_bytes(answer->text, answer->len);
	}
	putchar('\n');
	if (!answer->more && standard_flush())
		exit(EX_IOERR);   /* nobody would see the other answers; the reason is told on the way out */
}
