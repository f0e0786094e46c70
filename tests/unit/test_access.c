/*
 * test_access.c - networks, and who may connect.
 */
#include "config/access.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/un.h>

static const struct {
	const char *text, *formatted;
} good[] = {
	{ "10.0.0.0/8", "10.0.0.0/8" },
	{ "0.0.0.0/0", "0.0.0.0/0" },
	{ "192.168.1.1", "192.168.1.1/32" },
	{ "192.168.1.254/31", "192.168.1.254/31" },
	{ "10.128.0.0/9", "10.128.0.0/9" },
	{ "::/0", "::/0" },
	{ "::1", "::1/128" },
	{ "2001:DB8::/32", "2001:db8::/32" },
	{ "fe80::/10", "fe80::/10" },
	{ "::ffff:10.0.0.0/104", "10.0.0.0/8" },
};

static const char *const bad[] = {
	"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/8 ", "10.0.0.0/ 8",
	"10.0.0.0/8/8", "10.0.0/8", "10.0.0.1/8", "10.0.0.0/4", "10.128.0.0/8", "::1/127", "::/129", "::/1000",
	"2001:db8::/16", "localhost", "10.0.0.0/255.0.0.0", "[::1]", "::ffff:10.0.0.1/104", "*",
	"0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000/8",
};

START_TEST(good_network)
{
	struct access_network network;
	char text[ACCESS_TEXT];

	ck_assert_ptr_null(access_parse(&network, good[_i].text));
	ck_assert_str_eq(access_format(text, &network), good[_i].formatted);
}
END_TEST

START_TEST(bad_network)
{
	struct access_network network;

	ck_assert_msg(access_parse(&network, bad[_i]) != NULL, "\"%s\" was taken", bad[_i]);
}
END_TEST

/* allow, deny (words between blanks), a peer, and whether it is served */
static const struct {
	const char *allow, *deny, *peer;
	bool served;
} rules[] = {
	{ "", "", "10.1.2.3", true },
	{ "", "", "::1", true },
	{ "10.0.0.0/8", "", "10.1.2.3", true },
	{ "10.0.0.0/8", "", "11.1.2.3", false },
	{ "10.0.0.0/8", "", "::1", false },
	{ "", "10.0.0.0/8", "10.1.2.3", false },
	{ "", "10.0.0.0/8", "11.1.2.3", true },
	/* the longest match wins, on either side and in any order */
	{ "10.1.0.0/16", "10.0.0.0/8", "10.1.2.3", true },
	{ "10.1.0.0/16", "10.0.0.0/8", "10.2.2.3", false },
	{ "10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", false },
	{ "10.0.0.0/8", "10.1.0.0/16", "10.2.2.3", true },
	{ "10.0.0.0/8 10.1.2.3", "10.1.0.0/16", "10.1.2.3", true },
	{ "10.1.2.3 10.0.0.0/8", "10.1.0.0/16", "10.1.2.3", true },
	{ "10.0.0.0/8", "10.0.0.0/8", "10.1.2.3", false },
	{ "0.0.0.0/0", "10.0.0.0/8", "10.1.2.3", false },
	{ "0.0.0.0/0", "10.0.0.0/8", "9.1.2.3", true },
	/* not only whole bytes */
	{ "", "10.128.0.0/9", "10.127.255.255", true },
	{ "", "10.128.0.0/9", "10.128.0.0", false },
	{ "", "10.0.0.6/31", "10.0.0.7", false },
	{ "", "10.0.0.6/31", "10.0.0.8", true },
	{ "2001:db8::/33", "", "2001:db8:8000::1", false },
	{ "2001:db8::/33", "", "2001:db8:7fff::1", true },
	/* mapped addresses count as IPv4, and IPv4 does not count as IPv6 */
	{ "10.0.0.0/8", "", "::ffff:10.1.2.3", true },
	{ "", "10.0.0.0/8", "::ffff:10.1.2.3", false },
	{ "", "0.0.0.0/0", "::1", true },
	{ "", "::/0", "10.1.2.3", true },
	{ "", "::/0", "::ffff:10.1.2.3", true },
	{ "::/0", "", "10.1.2.3", false },
	{ "", "::/0", "::1", false },
	{ "", "::ffff:0.0.0.0/96", "10.1.2.3", false },
};

static void fill(struct access_list *list, const char *words)
{
	char text[256], *rest = strcpy(text, words), *word;

	list->count = 0;
	while ((word = strsep(&rest, " ")) != NULL && *word)
		ck_assert_ptr_null(access_parse(&list->networks[list->count++], word));
}

START_TEST(rule)
{
	static struct access_list allow, deny;
	struct sockaddr_in6 ipv6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in ipv4 = { .sin_family = AF_INET };
	const struct sockaddr *peer = (struct sockaddr *)&ipv6;

	fill(&allow, rules[_i].allow);
	fill(&deny, rules[_i].deny);
	if (inet_pton(AF_INET, rules[_i].peer, &ipv4.sin_addr) == 1)
		peer = (struct sockaddr *)&ipv4;
	else
		ck_assert_int_eq(inet_pton(AF_INET6, rules[_i].peer, &ipv6.sin6_addr), 1);
	ck_assert_msg(access_allows(&allow, &deny, peer) == rules[_i].served, "allow \"%s\" deny \"%s\": %s",
	              rules[_i].allow, rules[_i].deny, rules[_i].peer);
}
END_TEST

START_TEST(unix_peers_are_exempt)
{
	static struct access_list allow, deny;
	struct sockaddr_un peer = { .sun_family = AF_UNIX };

	fill(&allow, "10.0.0.0/8");
	fill(&deny, "0.0.0.0/0 ::/0");
	ck_assert(access_allows(&allow, &deny, (struct sockaddr *)&peer));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("access");
	TCase *tcase = tcase_create("access");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, good_network, 0, (int)(sizeof good / sizeof *good));
	tcase_add_loop_test(tcase, bad_network, 0, (int)(sizeof bad / sizeof *bad));
	tcase_add_loop_test(tcase, rule, 0, (int)(sizeof rules / sizeof *rules));
	tcase_add_test(tcase, unix_peers_are_exempt);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
