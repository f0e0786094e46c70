/*
 * test_log.c - what is written, what is held back, and that nothing ever waits.
 */
#include "common/log.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

static char folder[] = "/tmp/test_log.XXXXXX";
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static int reader;

/* A socket like /dev/log. */
static void open_reader(void)
{
	reader = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(reader, (struct sockaddr *)&address, sizeof address), 0);
}

static void close_reader(void)
{
	close(reader);
	unlink(address.sun_path);
}

static void open_syslog(int level)
{
	snprintf(address.sun_path, sizeof address.sun_path, "%s/log", folder);
	open_reader();
	log_socket_path(address.sun_path);
	log_open("aphorismd", LOG_TO_SYSLOG, LOG_DAEMON, level);
}

/* The next message, or "". */
static const char *received(void)
{
	static char text[8192];
	ssize_t len = recv(reader, text, sizeof text - 1, 0);

	text[len < 0 ? 0 : len] = '\0';
	return text;
}

/* The next message without its head. */
static const char *message(void)
{
	const char *text = received(), *at = strstr(text, "]: ");

	return at ? at + 3 : text;
}

/* Puts the end of a pipe where standard error is; returns the other one. */
static int pipe_stderr(void)
{
	int ends[2];

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	return ends[0];
}

START_TEST(syslog_has_the_usual_head)
{
	char wanted[64], moment[32];
	time_t before = time(NULL);
	struct tm tm;

	open_syslog(LOG_NOTICE);
	log_prefix("prefork 3: ");
	log_warning("%d of %d", 3, 4);
	localtime_r(&before, &tm);
	strftime(moment, sizeof moment, "%b %e %H:%M", &tm);
	snprintf(wanted, sizeof wanted, "<%d>%s", LOG_DAEMON | LOG_WARNING, moment);
	ck_assert_int_eq(strncmp(received(), wanted, strlen(wanted) - 1), 0);
	log_error("x");
	snprintf(wanted, sizeof wanted, " aphorismd[%d]: prefork 3: x", getpid());
	ck_assert_ptr_nonnull(strstr(received(), wanted));
}
END_TEST

START_TEST(level_is_kept)
{
	open_syslog(LOG_WARNING);
	ck_assert(log_wants(LOG_WARNING) && !log_wants(LOG_NOTICE) && log_wants(LOG_ALWAYS | LOG_DEBUG));
	log_notice("no");
	ck_assert_str_eq(received(), "");
	log_warning("yes");
	ck_assert_str_eq(message(), "yes");
	log_message(LOG_ALWAYS | LOG_INFO, "listening");
	ck_assert_int_eq(strncmp(received(), "<30>", 4), 0);
}
END_TEST

START_TEST(message_is_one_line_and_cut)
{
	char text[5000];

	open_syslog(LOG_NOTICE);
	log_error("a\nb\r\tc\x01%s", "\n");
	ck_assert_str_eq(message(), "a b  c  ");
	memset(text, 'x', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	log_error("%s", text);
	ck_assert_uint_le(strlen(received()), 2048);
	log_error("%s", text);
	ck_assert_uint_gt(strlen(received()), 2000);
}
END_TEST

START_TEST(errno_is_kept_and_told)
{
	char expected[96];

	open_syslog(LOG_NOTICE);
	errno = EMFILE;
	log_error("accept: %m");
	ck_assert_int_eq(errno, EMFILE);
	snprintf(expected, sizeof expected, "accept: %s", strerror(EMFILE));
	ck_assert_str_eq(message(), expected);
	close_reader();
	log_error("lost");
	ck_assert_int_eq(errno, EMFILE);
}
END_TEST

START_TEST(reader_that_hangs_does_not_block)
{
	uint64_t begun_us = clock_now_us();
	unsigned sent = 0, lost = 0;

	open_syslog(LOG_NOTICE);
	for (int i = 0; i < 5000; i++)
		log_error("%d", i);
	ck_assert_uint_lt(clock_now_us() - begun_us, 5 * CLOCK_S);
	while (*received())
		sent++;
	ck_assert_uint_gt(sent, 0);
	log_error("again");
	ck_assert_int_eq(sscanf(message(), "the reader of the log was too slow or away: %u", &lost), 1);
	ck_assert_uint_eq(sent + lost, 5000);
	ck_assert_str_eq(message(), "again");
	log_error("once more");
	ck_assert_str_eq(message(), "once more");
}
END_TEST

START_TEST(reader_that_restarts_is_found_again)
{
	open_syslog(LOG_NOTICE);
	log_error("1");
	ck_assert_str_eq(message(), "1");
	close_reader();
	log_error("2");
	log_error("3");
	open_reader();
	log_error("4");
	ck_assert_ptr_nonnull(strstr(message(), " 2 messages "));
	ck_assert_str_eq(message(), "4");
}
END_TEST

START_TEST(stderr_has_a_short_head)
{
	char text[64] = "";
	int end = pipe_stderr();

	log_open("aphorismd", LOG_TO_STDERR, LOG_DAEMON, LOG_NOTICE);
	log_prefix("event 0: ");
	log_notice("hello");
	ck_assert_int_gt(read(end, text, sizeof text - 1), 0);
	ck_assert_str_eq(text, "aphorismd: event 0: hello\n");
}
END_TEST

START_TEST(stderr_is_the_target_before_the_first_open)
{
	char text[64] = "";
	int end = pipe_stderr();

	log_info("not at this level");
	log_notice("hello");
	ck_assert_int_gt(read(end, text, sizeof text - 1), 0);
	ck_assert_str_eq(text, "aphorismd: hello\n");
}
END_TEST

/* Reads all that is there, and returns the number of lines. */
static unsigned drain(int end)
{
	char text[4096];
	unsigned lines = 0;
	ssize_t len;

	fcntl(end, F_SETFL, O_NONBLOCK);
	while ((len = read(end, text, sizeof text)) > 0)
		for (ssize_t i = 0; i < len; i++)
			lines += text[i] == '\n';
	return lines;
}

START_TEST(stderr_that_nobody_reads_does_not_block)
{
	int end = pipe_stderr(), flags = fcntl(STDERR_FILENO, F_GETFL);
	unsigned sent, lost = 0;
	char text[256] = "";

	log_open("aphorismd", LOG_TO_STDERR, LOG_DAEMON, LOG_NOTICE);
	for (int i = 0; i < 20000; i++)
		log_error("%d", i);
	sent = drain(end);
	ck_assert_uint_gt(sent, 0);
	ck_assert_uint_lt(sent, 20000);
	log_error("again");
	ck_assert_int_gt(read(end, text, sizeof text - 1), 0);
	ck_assert_int_eq(sscanf(text, "aphorismd: the reader of the log was too slow or away: %u", &lost), 1);
	ck_assert_uint_eq(sent + lost, 20000);
	/* what we share with others is as it was */
	ck_assert_int_eq(fcntl(STDERR_FILENO, F_GETFL), flags);
}
END_TEST

/* As in a container that runs as somebody: the pipe is root's, and can't be opened a second time. */
START_TEST(stderr_of_somebody_else_does_not_block)
{
	int end;

	if (geteuid() != 0)
		return;
	end = pipe_stderr();
	ck_assert_int_eq(seteuid(65534), 0);
	ck_assert_int_lt(open("/proc/self/fd/2", O_WRONLY | O_CLOEXEC), 0);
	log_open("aphorismd", LOG_TO_STDERR, LOG_DAEMON, LOG_NOTICE);
	for (int i = 0; i < 20000; i++)
		log_error("%d", i);
	ck_assert_uint_gt(drain(end), 0);
	log_error("again");
	ck_assert_uint_eq(drain(end), 2);
	ck_assert_int_eq(seteuid(0), 0);  /* or sanitizers could not look for leaks at the end */
}
END_TEST

START_TEST(stderr_that_is_a_socket_does_not_block)
{
	int ends[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	dup2(ends[1], STDERR_FILENO);
	log_open("aphorismd", LOG_TO_STDERR, LOG_DAEMON, LOG_NOTICE);
	for (int i = 0; i < 20000; i++)
		log_error("%d", i);
	ck_assert_uint_gt(drain(ends[0]), 0);
}
END_TEST

/* Reads what is there. */
static const char *heard(int end)
{
	static char text[8192];
	ssize_t len;

	fcntl(end, F_SETFL, O_NONBLOCK);
	len = read(end, text, sizeof text - 1);
	text[len < 0 ? 0 : len] = '\0';
	return text;
}

START_TEST(a_process_that_parts_has_an_opening_of_its_own)
{
	int end = pipe_stderr(), before = dup(STDERR_FILENO), relay[2];

	ck_assert_int_eq(pipe2(relay, O_CLOEXEC), 0);
	log_open("aphorismd", LOG_TO_STDERR, LOG_DAEMON, LOG_NOTICE);
	ck_assert(log_part(relay[1]));
	ck_assert_int_eq(fcntl(STDERR_FILENO, F_SETFL, O_APPEND | O_NONBLOCK), 0);
	ck_assert_int_eq(fcntl(before, F_GETFL), O_WRONLY);
	log_notice("hello");
	ck_assert_str_eq(heard(end), "aphorismd: hello\n");
	ck_assert_str_eq(heard(relay[0]), "");
}
END_TEST

START_TEST(where_that_can_not_be_it_speaks_into_the_relay)
{
	int ends[2], relay[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	ck_assert_int_eq(pipe2(relay, O_CLOEXEC), 0);
	dup2(ends[1], STDERR_FILENO);
	log_open("aphorismd", LOG_TO_STDERR, LOG_DAEMON, LOG_NOTICE);
	ck_assert(log_part(relay[1]));
	log_notice("hello");
	ck_assert_str_eq(heard(ends[0]), "");
	ck_assert_str_eq(heard(relay[0]), "aphorismd: hello\n");
	for (int i = 0; i < 20000; i++)   /* though it is one that would block */
		log_error("%d", i);
	while (*heard(relay[0]))
		;
	log_error("again");
	ck_assert_ptr_nonnull(strstr(heard(relay[0]), "messages are lost\naphorismd: again\n"));
}
END_TEST

START_TEST(a_process_that_parts_has_a_socket_of_its_own)
{
	int status;
	pid_t pid;

	open_syslog(LOG_NOTICE);
	if ((pid = fork()) == 0) {
		if (!log_part(STDERR_FILENO))
			_exit(1);
		for (int fd = 0; fd < 64; fd++)
			shutdown(fd, fd == reader ? 100 : SHUT_RDWR);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	log_error("heard");
	ck_assert_str_eq(message(), "heard");
}
END_TEST

START_TEST(what_others_say_is_passed_on_a_line_at_a_time)
{
	char text[5000];
	int end = pipe_stderr();

	log_open("aphorismd", LOG_TO_STDERR, LOG_DAEMON, LOG_NOTICE);
	log_pass("event 0: a\033b", 12);
	ck_assert_str_eq(heard(end), "event 0: a b\n");
	memset(text, 'x', sizeof text);
	log_pass(text, sizeof text);
	ck_assert_uint_le(strlen(heard(end)), 2048);
}
END_TEST

START_TEST(stderr_can_be_a_file)
{
	char path[64], text[64] = "";
	int fd;

	snprintf(path, sizeof path, "%s/file", folder);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	dup2(fd, STDERR_FILENO);
	log_open("aphorismd", LOG_TO_STDERR, LOG_DAEMON, LOG_NOTICE);
	log_error("1");
	ck_assert_int_eq(write(STDERR_FILENO, "2\n", 2), 2);
	log_error("3");
	ck_assert_int_gt(pread(fd, text, sizeof text - 1, 0), 0);
	unlink(path);
	ck_assert_str_eq(text, "aphorismd: 1\n2\naphorismd: 3\n");
}
END_TEST

START_TEST(daemon_does_not_hold_its_launchers_pipe)
{
	char byte;
	int end = pipe_stderr(), null = open("/dev/null", O_RDWR | O_CLOEXEC);

	log_open("aphorismd", LOG_TO_STDERR, LOG_DAEMON, LOG_NOTICE);
	open_syslog(LOG_NOTICE);
	dup2(null, STDERR_FILENO);
	ck_assert_int_eq(read(end, &byte, 1), 0);
}
END_TEST

START_TEST(limit_holds_back_and_counts)
{
	struct log_limit limit = { 0 };

	open_syslog(LOG_NOTICE);
	log_limited(&limit, LOG_WARNING, "%s", "busy");
	for (int i = 0; i < 7; i++)
		log_limited(&limit, LOG_WARNING, "%s", "busy");
	ck_assert_str_eq(message(), "busy");
	ck_assert_str_eq(message(), "");
	limit.next_us = 0;
	log_limited(&limit, LOG_WARNING, "%s", "busy");
	ck_assert_str_eq(message(), "busy (and 7 more like it before)");
	ck_assert_uint_ge(limit.next_us, clock_now_us() + 9 * CLOCK_S);
	ck_assert_uint_le(limit.next_us, clock_now_us() + 10 * CLOCK_S);
	/* what is not written at this level does not use up the limit */
	limit = (struct log_limit){ 0 };
	log_limited(&limit, LOG_INFO, "%s", "quiet");
	ck_assert_uint_eq(limit.next_us, 0);
}
END_TEST

static const struct {
	const char *bytes;
	size_t len;
	const char *text;
} escapes[] = {
	{ "", 0, "\"\"" },
	{ "Who?", 4, "\"Who?\"" },
	{ "a\n\r\t\"\\", 6, "\"a\\n\\r\\t\\\"\\\\\"" },
	{ "\0\x1f ~\x7f\x80\xff", 7, "\"\\x00\\x1f ~\\x7f\\x80\\xff\"" },
	{ "%s%n", 4, "\"%s%n\"" },
};

START_TEST(client_bytes_are_escaped)
{
	char text[LOG_ESCAPED];

	ck_assert_str_eq(log_escape(text, sizeof text, escapes[_i].bytes, escapes[_i].len), escapes[_i].text);
}
END_TEST

START_TEST(client_bytes_are_cut)
{
	char text[LOG_ESCAPED + 1], bytes[1000];

	/* plain ones, and such that take four characters: at every size, an escape is whole or not there */
	for (size_t size = 6; size <= LOG_ESCAPED; size++) {
		memset(text, '#', sizeof text);
		memset(bytes, 'a', sizeof bytes);
		log_escape(text, size, bytes, sizeof bytes);
		ck_assert_uint_eq(strlen(text), size - 1);
		ck_assert_str_eq(text + size - 5, "\"...");
		ck_assert_int_eq(text[size], '#');
		memset(bytes, 1, sizeof bytes);
		log_escape(text, size, bytes, sizeof bytes);
		ck_assert_uint_lt(strlen(text), size);
		ck_assert_uint_eq((strlen(text) - 5) % 4, 0);
		ck_assert_int_eq(text[size], '#');
	}
}
END_TEST

static TCase *cases(void)
{
	TCase *tcase = tcase_create("log");

	tcase_add_test(tcase, syslog_has_the_usual_head);
	tcase_add_test(tcase, level_is_kept);
	tcase_add_test(tcase, message_is_one_line_and_cut);
	tcase_add_test(tcase, errno_is_kept_and_told);
	tcase_add_test(tcase, reader_that_hangs_does_not_block);
	tcase_add_test(tcase, reader_that_restarts_is_found_again);
	tcase_add_test(tcase, stderr_has_a_short_head);
	tcase_add_test(tcase, stderr_is_the_target_before_the_first_open);
	tcase_add_test(tcase, stderr_that_nobody_reads_does_not_block);
	tcase_add_test(tcase, stderr_of_somebody_else_does_not_block);
	tcase_add_test(tcase, stderr_that_is_a_socket_does_not_block);
	tcase_add_test(tcase, a_process_that_parts_has_an_opening_of_its_own);
	tcase_add_test(tcase, where_that_can_not_be_it_speaks_into_the_relay);
	tcase_add_test(tcase, a_process_that_parts_has_a_socket_of_its_own);
	tcase_add_test(tcase, what_others_say_is_passed_on_a_line_at_a_time);
	tcase_add_test(tcase, stderr_can_be_a_file);
	tcase_add_test(tcase, daemon_does_not_hold_its_launchers_pipe);
	tcase_add_test(tcase, limit_holds_back_and_counts);
	tcase_add_loop_test(tcase, client_bytes_are_escaped, 0, (int)(sizeof escapes / sizeof *escapes));
	tcase_add_test(tcase, client_bytes_are_cut);
	return tcase;
}

/* Each test has a process of its own, and so a log of its own. */
static void remove_socket(void)
{
	char path[64];

	snprintf(path, sizeof path, "%s/log", folder);
	unlink(path);
}

int main(void)
{
	Suite *suite = suite_create("log");
	TCase *tcase = cases();
	SRunner *runner = srunner_create(suite);
	int failed;

	if (!mkdtemp(folder))
		return 99;
	tcase_add_checked_fixture(tcase, NULL, remove_socket);
	suite_add_tcase(suite, tcase);
	srunner_set_fork_status(runner, CK_FORK);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	remove_socket();
	rmdir(folder);
	return failed > 0;
}
