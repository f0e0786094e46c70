/*
 * test_proxy.c - the PROXY protocol: what each header says, and what is none; however much of it has come.
 */
#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/proxy.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V2(fixed, rest) SIGNATURE fixed rest
#define TCP4 "\xc0\x00\x02\x07\xcb\x00\x71\x09\xdc\x04\x04\x24"
#define TCP6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x09\xdc\x04\x04\x24"
#define NOOP "\x04\0\x02xx"
#define BYTES(literal) (literal), sizeof (literal) - 1

static const struct {
	const char *at;
	size_t len;
	enum proxy_client client;
	const char *shown;
} good[] = {
	{ BYTES("PROXY TCP4 192.0.2.7 203.0.113.9 56324 1060\r\n"), PROXY_TCP, "::ffff:192.0.2.7 56324" },
	{ BYTES("PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n"), PROXY_TCP, "::ffff:0.0.0.0 0" },
	{ BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), PROXY_TCP,
	  "::ffff:255.255.255.255 65535" },
	{ BYTES("PROXY TCP6 2001:DB8::7 2001:db8::9 56324 1060\r\n"), PROXY_TCP, "2001:db8::7 56324" },
	{ BYTES("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n"), PROXY_TCP, "::ffff:192.0.2.7 1" },
	{ BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	        "65535 65535\r\n"), PROXY_TCP, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535" },
	{ BYTES("PROXY UNKNOWN\r\n"), PROXY_ITSELF, NULL },
	{ BYTES("PROXY UNKNOWN TCP4 anything at all\r\n"), PROXY_ITSELF, NULL },
	{ BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	        "65535 65535\r\n"), PROXY_ITSELF, NULL },
	{ BYTES(V2("\x21\x11\0\x0c", TCP4)), PROXY_TCP, "::ffff:192.0.2.7 56324" },
	{ BYTES(V2("\x21\x11\0\x11", TCP4 NOOP)), PROXY_TCP, "::ffff:192.0.2.7 56324" },
	{ BYTES(V2("\x21\x11\0\x18", TCP4 NOOP "\x03\0\x04\x05\x44\x95\x08")), PROXY_TCP, "::ffff:192.0.2.7 56324" },
	{ BYTES(V2("\x21\x21\0\x24", TCP6)), PROXY_TCP, "2001:db8::7 56324" },
	{ BYTES(V2("\x21\x21\0\x29", TCP6 NOOP)), PROXY_TCP, "2001:db8::7 56324" },
	/* nobody is named, or nobody whom we could serve: what else is said there is not looked at */
	{ BYTES(V2("\x20\x00\0\0", "")), PROXY_ITSELF, NULL },
	{ BYTES(V2("\x20\x11\0\x0c", TCP4)), PROXY_ITSELF, NULL },
	{ BYTES(V2("\x20\xff\0\x03", "abc")), PROXY_ITSELF, NULL },
	{ BYTES(V2("\x21\x00\0\0", "")), PROXY_ITSELF, NULL },
	{ BYTES(V2("\x21\x00\0\x03", "abc")), PROXY_ITSELF, NULL },
	{ BYTES(V2("\x21\x12\0\x0c", TCP4)), PROXY_ITSELF, NULL },
	{ BYTES(V2("\x21\x10\0\x0c", TCP4)), PROXY_ITSELF, NULL },
	{ BYTES(V2("\x21\x32\0\0", "")), PROXY_ITSELF, NULL },
};

static const struct {
	const char *at;
	size_t len;
	const char *reason;
} bad[] = {
	{ BYTES("G"), "it begins otherwise" },
	{ BYTES("proxy TCP4 192.0.2.7 203.0.113.9 56324 1060\r\n"), "it begins otherwise" },
	{ BYTES("PROXY\r\n"), "it begins otherwise" },
	{ BYTES(" PROXY UNKNOWN\r\n"), "it begins otherwise" },
	{ BYTES("\nPROXY UNKNOWN\r\n"), "it begins otherwise" },
	{ BYTES("\r\n\r\n\r\nQUIT\n"), "it begins otherwise" },
	{ BYTES("PROXY UNKNOWN\n"), "a line that does not end in CR LF" },
	{ BYTES("PROXY \n"), "a line that does not end in CR LF" },
	{ BYTES("PROXY TCP4 192.0.2.7 203.0.113.9 56324\n1060\r\n"), "a line that does not end in CR LF" },
	{ BYTES("PROXY TCP4 192.0.2.7 203.0.113.9 56324 1060\0x\r\n"), "a NUL in its line" },
	{ BYTES("PROXY \r\n"), "neither TCP4 nor TCP6 nor UNKNOWN" },
	{ BYTES("PROXY UNKNOWNS\r\n"), "neither TCP4 nor TCP6 nor UNKNOWN" },
	{ BYTES("PROXY UDP4 192.0.2.7 203.0.113.9 56324 1060\r\n"), "neither TCP4 nor TCP6 nor UNKNOWN" },
	{ BYTES("PROXY  TCP4 192.0.2.7 203.0.113.9 56324 1060\r\n"), "neither TCP4 nor TCP6 nor UNKNOWN" },
	{ BYTES("PROXY TCP4\r\n"), "an address that is none" },
	{ BYTES("PROXY TCP4 192.0.2.7\r\n"), "an address that is none" },
	{ BYTES("PROXY TCP4  192.0.2.7 203.0.113.9 56324 1060\r\n"), "an address that is none" },
	{ BYTES("PROXY TCP4 192.0.2.07 203.0.113.9 56324 1060\r\n"), "an address that is none" },
	{ BYTES("PROXY TCP4 192.0.2 203.0.113.9 56324 1060\r\n"), "an address that is none" },
	{ BYTES("PROXY TCP4 192.0.2.256 203.0.113.9 56324 1060\r\n"), "an address that is none" },
	{ BYTES("PROXY TCP4 192.0.2.7 example.com 56324 1060\r\n"), "an address that is none" },
	{ BYTES("PROXY TCP4 2001:db8::7 2001:db8::9 56324 1060\r\n"), "an address that is none" },
	{ BYTES("PROXY TCP6 192.0.2.7 203.0.113.9 56324 1060\r\n"), "an address that is none" },
	{ BYTES("PROXY TCP6 2001::db8::7 2001:db8::9 56324 1060\r\n"), "an address that is none" },
	{ BYTES("PROXY TCP4 192.0.2.7 203.0.113.9\r\n"), "a port that is none" },
	{ BYTES("PROXY TCP4 192.0.2.7 203.0.113.9 56324\r\n"), "a port that is none" },
	{ BYTES("PROXY TCP4 192.0.2.7 203.0.113.9 56324 \r\n"), "a port that is none" },
	{ BYTES("PROXY TCP4 192.0.2.7 203.0.113.9 65536 1060\r\n"), "a port that is none" },
	{ BYTES("PROXY TCP4 192.0.2.7 203.0.113.9 -1 1060\r\n"), "a port that is none" },
	{ BYTES("PROXY TCP4 192.0.2.7 203.0.113.9 00 1060\r\n"), "a port that is none" },
	{ BYTES("PROXY TCP4 192.0.2.7 203.0.113.9 56324 01060\r\n"), "a port that is none" },
	{ BYTES("PROXY TCP4 192.0.2.7 203.0.113.9 56324 1060 \r\n"), "a port that is none" },
	{ BYTES("PROXY TCP4 192.0.2.7 203.0.113.9 56324 1060\r\r\n"), "a port that is none" },
	{ BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	        "65535 65535 \r\n"), "a line of more than 107 bytes" },
	{ BYTES(V2("\x11\x11\0\x0c", TCP4)), "an unknown version or command" },
	{ BYTES(V2("\x31\x11\0\x0c", TCP4)), "an unknown version or command" },
	{ BYTES(V2("\x22\x11\0\x0c", TCP4)), "an unknown version or command" },
	{ BYTES(V2("\x21\x41\0\x0c", TCP4)), "an unknown family or transport" },
	{ BYTES(V2("\x21\x13\0\x0c", TCP4)), "an unknown family or transport" },
	{ BYTES(V2("\x21\x11\0\x0b", TCP4)), "too short for its addresses" },
	{ BYTES(V2("\x21\x21\0\x0c", TCP4)), "too short for its addresses" },
	{ BYTES(V2("\x21\x31\0\x0c", TCP4)), "too short for its addresses" },
	{ BYTES(V2("\x21\x11\x0f\xf1", "")), "more than 4096 bytes" },
	{ BYTES(V2("\x20\x00\xff\xff", "")), "more than 4096 bytes" },
	{ BYTES(V2("\x21\x11\0\x0d", TCP4 "\x04")), "a part beyond its end" },
	{ BYTES(V2("\x21\x11\0\x10", TCP4 "\x04\0\x02x")), "a part beyond its end" },
	{ BYTES(V2("\x21\x11\0\x0f", TCP4 "\x04\xff\xff")), "a part beyond its end" },
	{ BYTES(V2("\x21\x11\0\x18", TCP4 NOOP "\x03\0\x04\x05\x44\x95\x09")), "a wrong checksum" },
	{ BYTES(V2("\x21\x11\0\x18", TCP4 "\x04\0\x02xy" "\x03\0\x04\x05\x44\x95\x08")), "a wrong checksum" },
	{ BYTES(V2("\x21\x11\0\x17", TCP4 NOOP "\x03\0\x03\x05\x44\x95")), "a wrong checksum" },
};

/* A copy of its exact size, so that ASan sees a step beyond it. */
static const char *try_bytes(struct proxy_header *header, const char *at, size_t len)
{
	char *copy = malloc(len + (len == 0));
	const char *reason;

	memcpy(copy, at, len);
	reason = proxy_read(header, copy, len);
	free(copy);
	return reason;
}

/* More is needed up to the last byte; and what follows is not a part of it. */
START_TEST(good_header)
{
	struct proxy_header header;
	char text[256], shown[INET6_ADDRSTRLEN + 8];

	for (size_t len = 0; len < good[_i].len; len++) {
		ck_assert_ptr_null(try_bytes(&header, good[_i].at, len));
		ck_assert_uint_eq(header.len, 0);
	}
	memcpy(text, good[_i].at, good[_i].len);
	for (const char *more = ""; strlen(more) < 3; more = strlen(more) ? "\r\nPROXY" : "?") {
		strcpy(text + good[_i].len, more);
		ck_assert_ptr_null(try_bytes(&header, text, good[_i].len + strlen(more)));
		ck_assert_uint_eq(header.len, good[_i].len);
		ck_assert_int_eq(header.client, good[_i].client);
	}
	if (!good[_i].shown)
		return;
	inet_ntop(AF_INET6, header.address, shown, sizeof shown);
	sprintf(shown + strlen(shown), " %u", header.port);
	ck_assert_str_eq(shown, good[_i].shown);
}
END_TEST

/* Found out at some byte, and never forgotten again; nothing whole before that. */
START_TEST(bad_header)
{
	struct proxy_header header;
	const char *reason = NULL;

	for (size_t len = 0; len <= bad[_i].len; len++) {
		const char *before = reason;

		reason = try_bytes(&header, bad[_i].at, len);
		if (before)
			ck_assert_ptr_eq(reason, before);
		else if (!reason)
			ck_assert_uint_eq(header.len, 0);
	}
	ck_assert_ptr_nonnull(reason);
	ck_assert_str_eq(reason, bad[_i].reason);
}
END_TEST

START_TEST(unix_header)
{
	char text[16 + 216] = V2("\x21\x31\0\xd8", "/run/client");
	struct proxy_header header;

	ck_assert_ptr_null(try_bytes(&header, text, sizeof text - 1));
	ck_assert_uint_eq(header.len, 0);
	ck_assert_ptr_null(try_bytes(&header, text, sizeof text));
	ck_assert_uint_eq(header.len, sizeof text);
	ck_assert_int_eq(header.client, PROXY_UNIX);
}
END_TEST

START_TEST(longest_header)
{
	static char text[PROXY_MOST] = V2("\x21\x11\x0f\xf0", TCP4 "\x04\x0f\xe1");
	struct proxy_header header;

	ck_assert_ptr_null(try_bytes(&header, text, sizeof text - 1));
	ck_assert_uint_eq(header.len, 0);
	ck_assert_ptr_null(try_bytes(&header, text, sizeof text));
	ck_assert_uint_eq(header.len, sizeof text);
}
END_TEST

/* With a checksum no byte can be another one without notice, but for that which says that there is one. */
START_TEST(checksum_covers_all)
{
	char text[] = V2("\x21\x11\0\x18", TCP4 NOOP "\x03\0\x04\x05\x44\x95\x08");
	struct proxy_header header;

	for (size_t at = 16; at < sizeof text - 1; at += at == 32 ? 2 : 1) {
		text[at] ^= 0x10;
		ck_assert_msg(try_bytes(&header, text, sizeof text - 1) != NULL, "byte %zu", at);
		text[at] ^= 0x10;
	}
	ck_assert_ptr_null(try_bytes(&header, text, sizeof text - 1));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proxy");
	TCase *tests = tcase_create("proxy");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tests, good_header, 0, sizeof good / sizeof good[0]);
	tcase_add_loop_test(tests, bad_header, 0, sizeof bad / sizeof bad[0]);
	tcase_add_test(tests, unix_header);
	tcase_add_test(tests, longest_header);
	tcase_add_test(tests, checksum_covers_all);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
