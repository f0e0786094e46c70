/*
 * json.c - what the programs say in JSON, on standard output.
 */
#include "common/json.h"

#include <stdio.h>
#include <string.h>

#include "common/plain.h"

void json_put_string(const char *bytes, size_t len)
{
	putchar('"');
	while (len > 0) {
		uint32_t character = 0xfffd;
		size_t taken = plain_decode(bytes, len, &character);

		if (taken == 0 || !plain_is(character))
			printf("\\u%04x", (unsigned)character);
		else if (character == '"' || character == '\\')
			printf("\\%c", (int)character);
		else
			fwrite(bytes, 1, taken, stdout);
		bytes += taken + (taken == 0);
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
