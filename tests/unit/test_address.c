/*
 * test_address.c - socket addresses as text.
 */
#include "common/address.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

static const struct {
	const char *text;
	int family;
	const char *formatted;
} good[] = {
	{ "127.0.0.1:1060", AF_INET, "127.0.0.1:1060" },
	{ "0.0.0.0:0", AF_INET, "0.0.0.0:0" },
	{ "255.255.255.255:65535", AF_INET, "255.255.255.255:65535" },
	{ "127.0.0.1:01060", AF_INET, "127.0.0.1:1060" },
	{ "[::1]:1060", AF_INET6, "[::1]:1060" },
	{ "[0:0:0:0:0:0:0:1]:1060", AF_INET6, "[::1]:1060" },
	{ "[2001:DB8::1]:80", AF_INET6, "[2001:db8::1]:80" },
	{ "[::ffff:10.1.2.3]:80", AF_INET, "10.1.2.3:80" },
	{ "*:1060", AF_INET6, "[::]:1060" },
	{ "[::]:1060", AF_INET6, "[::]:1060" },
	{ "unix:/run/aphorismd/socket", AF_UNIX, "unix:/run/aphorismd/socket" },
	{ "unix:/a:80", AF_UNIX, "unix:/a:80" },
};

static const char *const bad[] = {
	"", ":", "1060", ":1060", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1",
	"127.0.0.1:1060 ", " 127.0.0.1:1060", "127.0.0.1:000001", "127.0.0.1:http", "127.1:80", "256.0.0.1:80",
	"localhost:1060", "::1:1060", "[::1]", "[::1]1060", "[::1:1060", "[127.0.0.1]:1060", "[*]:1060", "[]:1060",
	"[::g]:1060", "[fe80::1%lo]:80", "**:1060", "unix:", "unix:relative", "UNIX:/a", "unix/a",
	"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80",
};

START_TEST(good_address)
{
	struct address address;
	char text[128];

	ck_assert_ptr_null(address_parse(&address, good[_i].text));
	ck_assert_int_eq(address.sockaddr.ss_family, good[_i].family);
	ck_assert_int_eq(address.any, good[_i].text[0] == '*');
	address_format(text, sizeof text, (struct sockaddr *)&address.sockaddr);
	ck_assert_str_eq(text, good[_i].formatted);
}
END_TEST

START_TEST(bad_address)
{
	struct address address;

	ck_assert_msg(address_parse(&address, bad[_i]) != NULL, "\"%s\" was taken", bad[_i]);
}
END_TEST

static const struct {
	const char *outer, *inner;
	bool covers, covered;
} pairs[] = {
	{ "*:1060", "127.0.0.1:1060", true, false },
	{ "*:1060", "[::1]:1060", true, false },
	{ "*:1060", "0.0.0.0:1060", true, false },
	{ "*:1060", "[::]:1060", true, false },
	{ "*:1060", "*:1060", true, true },
	{ "0.0.0.0:1060", "127.0.0.1:1060", true, false },
	{ "[::]:1060", "[::1]:1060", true, false },
	{ "[::ffff:10.0.0.1]:80", "10.0.0.1:80", true, true },
	{ "unix:/a", "unix:/a", true, true },
	{ "[::]:1060", "0.0.0.0:1060", false, false },
	{ "[::]:1060", "127.0.0.1:1060", false, false },
	{ "0.0.0.0:1060", "[::1]:1060", false, false },
	{ "127.0.0.1:1060", "127.0.0.2:1060", false, false },
	{ "*:1060", "127.0.0.1:1061", false, false },
	{ "*:0", "127.0.0.1:0", false, false },
	{ "127.0.0.1:0", "127.0.0.1:0", false, false },
	{ "unix:/a", "unix:/b", false, false },
	{ "*:1060", "unix:/a", false, false },
};

START_TEST(one_covers_another)
{
	struct address outer, inner;

	ck_assert_ptr_null(address_parse(&outer, pairs[_i].outer));
	ck_assert_ptr_null(address_parse(&inner, pairs[_i].inner));
	ck_assert_int_eq(address_covers(&outer, &inner), pairs[_i].covers);
	ck_assert_int_eq(address_covers(&inner, &outer), pairs[_i].covered);
}
END_TEST

START_TEST(equal_addresses_are_equal_in_each_byte)
{
	struct address one, other;

	memset(&one, 1, sizeof one);
	memset(&other, 2, sizeof other);
	ck_assert_ptr_null(address_parse(&one, "[::1]:1060"));
	ck_assert_ptr_null(address_parse(&other, "[0::0:1]:1060"));
	ck_assert_int_eq(memcmp(&one.sockaddr, &other.sockaddr, sizeof one.sockaddr), 0);
	ck_assert_uint_eq(one.len, sizeof(struct sockaddr_in6));
}
END_TEST

START_TEST(unix_path_has_a_length)
{
	char text[sizeof "unix:" + sizeof ((struct sockaddr_un *)0)->sun_path], formatted[256];
	struct address address;

	memset(text, 'a', sizeof text);
	memcpy(text, "unix:/", 6);
	text[sizeof text - 2] = '\0';
	ck_assert_ptr_null(address_parse(&address, text));
	ck_assert_str_eq(address_format(formatted, sizeof formatted, (struct sockaddr *)&address.sockaddr), text);
	text[sizeof text - 2] = 'a';
	text[sizeof text - 1] = '\0';
	ck_assert_ptr_nonnull(address_parse(&address, text));
}
END_TEST

START_TEST(peers_are_formatted)
{
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6, .sin6_port = htons(40000) };
	struct sockaddr_un unnamed = { .sun_family = AF_UNIX };
	struct sockaddr_un abstract = { .sun_family = AF_UNIX, .sun_path = "\0name" };
	char text[64], small[8];

	ck_assert_int_eq(inet_pton(AF_INET6, "::ffff:1.2.3.4", &mapped.sin6_addr), 1);
	ck_assert_str_eq(address_format(text, sizeof text, (struct sockaddr *)&mapped), "1.2.3.4:40000");
	ck_assert_str_eq(address_format(text, sizeof text, (struct sockaddr *)&unnamed), "unix:");
	ck_assert_str_eq(address_format(text, sizeof text, (struct sockaddr *)&abstract), "unix:@name");
	ck_assert_str_eq(address_format(small, sizeof small, (struct sockaddr *)&mapped), "1.2.3.4");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("address");
	TCase *tcase = tcase_create("address");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, good_address, 0, (int)(sizeof good / sizeof *good));
	tcase_add_loop_test(tcase, bad_address, 0, (int)(sizeof bad / sizeof *bad));
	tcase_add_loop_test(tcase, one_covers_another, 0, (int)(sizeof pairs / sizeof *pairs));
	tcase_add_test(tcase, equal_addresses_are_equal_in_each_byte);
	tcase_add_test(tcase, unix_path_has_a_length);
	tcase_add_test(tcase, peers_are_formatted);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
