/*
 * test_uring.c - what a ring can do: io_uring passes by seccomp filters, so it has to be tied, and Landlock to hold.
 *
 * Every case is a child process that tells by its exit status which step went wrong.
 */
#include "event/engine/event_ring.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/sandbox_parts.h"

#ifdef HAVE_LIBURING

enum { LACKING = 77 };

static struct event_ring ring;

#define TRY(condition)                                                                     \
	do {                                                                               \
		if (!(condition)) {                                                        \
			dprintf(STDERR_FILENO, "%d: %s: %d\n", __LINE__, #condition, errno); \
			_exit(EXIT_FAILURE);                                               \
		}                                                                          \
	} while (0)

static void run(int (*child)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		_exit(event_ring_lacks() ? LACKING : child());
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == LACKING)
		fprintf(stderr, "test_uring: this build or kernel lacks it: a test is skipped\n");
	else
		ck_assert_int_eq(WEXITSTATUS(status), 0);
}

/* An order's result. */
static int outcome(void)
{
	struct io_uring_cqe *cqe;
	int result;

	TRY(io_uring_submit_and_wait(&ring.uring, 1) == 1);
	TRY(io_uring_peek_cqe(&ring.uring, &cqe) == 0);
	result = cqe->res;
	io_uring_cqe_seen(&ring.uring, cqe);
	return result;
}

static int opened(void)
{
	io_uring_prep_openat(event_ring_order(&ring), AT_FDCWD, "/etc/passwd", O_RDONLY | O_CLOEXEC, 0);
	return outcome();
}

static int connected(int tcp)
{
	static const struct sockaddr_in nobody = { .sin_family = AF_INET, .sin_port = 256 };

	io_uring_prep_connect(event_ring_order(&ring), tcp, (const struct sockaddr *)&nobody, sizeof nobody);
	return outcome();
}

static int tied(void)
{
	int ends[2];

	TRY(event_ring_open(&ring, 1) == NULL);
	TRY(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	TRY(opened() == -EACCES);
	TRY(connected(ends[0]) == -EACCES);
	io_uring_prep_socket(event_ring_order(&ring), AF_INET, SOCK_STREAM, 0, 0);
	TRY(outcome() == -EACCES);
	io_uring_prep_accept(event_ring_order(&ring), ends[0], NULL, NULL, 0);
	TRY(outcome() == -EACCES);
	io_uring_prep_send(event_ring_order(&ring), ends[0], "x", 1, 0);
	TRY(outcome() == 1);
	TRY(io_uring_register((unsigned)ring.uring.ring_fd, IORING_REGISTER_PERSONALITY, NULL, 0) == -EACCES);
	return 0;
}

/* Nobody ties another ring, once the filter is in force. */
static int alone(void)
{
	TRY(event_ring_open(&ring, 1) == NULL);
	if (sandbox_enter_seccomp(SANDBOX_WORKER, SANDBOX_ORDERS, NULL))
		return LACKING;
	io_uring_prep_nop(event_ring_order(&ring));
	TRY(outcome() == 0);
	TRY(io_uring_setup(1, &(struct io_uring_params){ .flags = 0 }) == -EPERM);
	TRY(io_uring_register((unsigned)ring.uring.ring_fd, IORING_REGISTER_PERSONALITY, NULL, 0) == -EPERM);
	return 0;
}

/* Even a ring that was opened before, and is not tied, obeys Landlock. */
static int landlocked(void)
{
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, 1);

	TRY(io_uring_queue_init(1, &ring.uring, 0) == 0);
	TRY(opened() >= 0);
	if (sandbox_enter_landlock(SANDBOX_WORKER))
		return LACKING;
	TRY(opened() == -EACCES);
	TRY(version < 4 || connected(tcp) == -EACCES);
	return 0;
}

static void end_well(void)
{
	_exit(EXIT_SUCCESS);
}

/* The kernel says so once, when it has others to tell of, too: nobody goes on then. */
static int lost(void)
{
	struct sock_filter lines[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_enter, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EBADR),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = { sizeof lines / sizeof *lines, lines };

	TRY(event_ring_open(&ring, 1) == NULL);
	io_uring_prep_nop(event_ring_order(&ring));
	TRY(io_uring_submit(&ring.uring) == 1 && io_uring_cq_ready(&ring.uring) == 1);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) < 0)
		return LACKING;
	TRY(atexit(end_well) == 0);
	event_ring_wait(&ring, 0);
	return EXIT_FAILURE;
}

START_TEST(a_ring_that_has_lost_events_is_not_trusted)
{
	run(lost);
}
END_TEST

START_TEST(a_ring_is_tied)
{
	run(tied);
	run(alone);
}
END_TEST

START_TEST(landlock_holds_for_a_ring)
{
	run(landlocked);
}
END_TEST

#endif

int main(void)
{
	Suite *suite = suite_create("uring");
	TCase *tcase = tcase_create("uring");
	SRunner *runner = srunner_create(suite);
	int failed;

#ifdef HAVE_LIBURING
	tcase_add_test(tcase, a_ring_is_tied);
	tcase_add_test(tcase, landlock_holds_for_a_ring);
	tcase_add_test(tcase, a_ring_that_has_lost_events_is_not_trusted);
#endif
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
