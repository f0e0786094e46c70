#include "common/json.h"

#include <stdio.h>
#include <string.h>

/* Bytes of the UTF-8 character at the front, 0 when it is none: overlong forms and surrogates are none. */
static size_t utf8_len(const unsigned char *at, size_t len)
{
	size_t need = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;

	if (need > len || (at[0] >= 0x80 && at[0] < 0xc2) || at[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < need; i++)
		if ((at[i] & 0xc0) != 0x80)
			return 0;
	if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
	    (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
		return 0;
	return need;
}

void json_put_string(const char *bytes, size_t len)
{
	const unsigned char *at = (const unsigned char *)bytes;

	putchar('"');
	while (len > 0) {
		size_t taken = utf8_len(at, len);

		if (taken == 0)
			fputs("\\ufffd", stdout);
		else if (*at < 0x20 || *at == 0x7f)
			printf("\\u%04x", *at);
		else if (*at == 0xc2 && at[1] < 0xa0)
			printf("\\u%04x", at[1]);
		else if (*at == '"' || *at == '\\')
			printf("\\%c", *at);
		else
			fwrite(at, 1, taken, stdout);
		at += taken + (taken == 0);
		len -= taken + (taken == 0);
	}
	putchar('"');
}

void json_failure(int status, const char *reason)
{
	printf("{\"ok\":false,\"exit\":%d,\"error\":[", status);
	json_put_string(reason, strlen(reason));
	puts("]}");
}
