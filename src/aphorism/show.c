#include "aphorism/show.h"

#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

static bool terminal;

void show_init(void)
{
	terminal = isatty(STDOUT_FILENO) == 1;
}

/* Bytes of the printable character at the front, 0 when there is none. */
static size_t printable(const char *bytes, size_t len)
{
	mbstate_t state = { 0 };
	wchar_t character;
	size_t taken = mbrtowc(&character, bytes, len, &state);

	return taken > 0 && taken <= len && iswprint((wint_t)character) ? taken : 0;
}

static void escape(unsigned char byte)
{
	switch (byte) {
	case '\n':
		fputs("\\n", stdout);
		break;
	case '\r':
		fputs("\\r", stdout);
		break;
	case '\t':
		fputs("\\t", stdout);
		break;
	default:
		printf("\\x%02x", byte);
	}
}

void show_bytes(const char *bytes, size_t len)
{
	if (!terminal) {
		fwrite(bytes, 1, len, stdout);
		return;
	}
	while (len > 0) {
		size_t taken = printable(bytes, len);

		if (taken > 0) {
			fwrite(bytes, 1, taken, stdout);
		} else {
			escape((unsigned char)*bytes);
			taken = 1;
		}
		bytes += taken;
		len -= taken;
	}
}
