/*
 * plain.c - what may be shown as it is, and how the rest is shown.
 */
#include "common/plain.h"

#include <stdarg.h>
#include <string.h>

enum { LINE = 8192 };

size_t plain_decode(const char *bytes, size_t len, uint32_t *character)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *at = (const unsigned char *)bytes;
	size_t need = len == 0 ? 1 : at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
	uint32_t code;

	if (need > len || (at[0] >= 0x80 && at[0] < 0xc2) || at[0] > 0xf4)
		return 0;
	code = need == 1 ? at[0] : at[0] & (0x7fu >> need);
	for (size_t i = 1; i < need; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3f);
	}
	if (code < least[need] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*character = code;
	return need;
}

bool plain_is(uint32_t character)
{
	static const struct { uint32_t from, to; } others[] = {
		{ 0, 0x1f }, { 0x7f, 0x9f }, { 0x61c, 0x61c }, { 0x200e, 0x200f }, { 0x2028, 0x202e },
		{ 0x2066, 0x2069 },
	};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (character >= others[i].from && character <= others[i].to)
			return false;
	return true;
}

size_t plain_char(const char *bytes, size_t len)
{
	uint32_t character;
	size_t taken = plain_decode(bytes, len, &character);

	return taken > 0 && plain_is(character) ? taken : 0;
}

bool plain_is_text(const char *text)
{
	size_t len = strlen(text), taken = 1;

	for (; len > 0 && taken > 0; text += taken, len -= taken)
		taken = plain_char(text, len);
	return taken > 0;
}

size_t plain_escape(char to[5], unsigned char byte)
{
	const char *letter = byte == '\n' ? "n" : byte == '\r' ? "r" : byte == '\t' ? "t" : NULL;

	return (size_t)(letter ? snprintf(to, 5, "\\%s", letter) : snprintf(to, 5, "\\x%02x", byte));
}

/* The next piece of what is shown, and its length; moves on in the text. */
static const char *next(const char **bytes, size_t *len, char escaped[5], size_t *shown)
{
	size_t taken = plain_char(*bytes, *len);
	const char *piece = taken > 0 ? *bytes : escaped;

	*shown = taken > 0 ? taken : plain_escape(escaped, (unsigned char)**bytes);
	*bytes += taken > 0 ? taken : 1;
	*len -= taken > 0 ? taken : 1;
	return piece;
}

char *plain_text(char *to, size_t size, const char *bytes, size_t len)
{
	size_t at = 0, shown;
	char escaped[5];

	while (len > 0) {
		const char *piece = next(&bytes, &len, escaped, &shown);

		if (at + shown >= size)
			break;
		memcpy(to + at, piece, shown);
		at += shown;
	}
	to[at] = '\0';
	return to;
}

size_t plain_put(FILE *to, const char *bytes, size_t len)
{
	size_t all = 0, shown;
	char escaped[5];

	while (len > 0) {
		const char *piece = next(&bytes, &len, escaped, &shown);

		if (to)
			fwrite(piece, 1, shown, to);
		all += shown;
	}
	return all;
}

/* In one piece, for a stream without a buffer, too: others may write to the same terminal. */
void plain_say(FILE *to, const char *format, ...)
{
	char text[LINE], shown[4 * LINE + 1];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	plain_text(shown, sizeof shown - 1, text, strlen(text));
	strcat(shown, "\n");
	fputs(shown, to);
}

char *plain_clean(char *text, size_t len, char instead)
{
	for (size_t at = 0, taken; at < len; at += taken > 0 ? taken : 1)
		if ((taken = plain_char(text + at, len - at)) == 0)
			text[at] = instead;
	return text;
}
