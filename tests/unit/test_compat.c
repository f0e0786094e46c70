/*
 * test_compat.c - what not every system has: the same, whichever way it is done here.
 */
#include "common/compat.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"

enum { SHORT_US = 50 * CLOCK_MS, LONG_US = 60 * CLOCK_S };

/* ---- waiting ---- */

static sem_t semaphore;

static void *post(void *nothing)
{
	sem_post(&semaphore);
	return nothing;
}

START_TEST(semaphore_is_waited_for)
{
	uint64_t begin_us = clock_now_us();
	pthread_t other;

	ck_assert_int_eq(sem_init(&semaphore, 0, 1), 0);
	ck_assert_int_eq(compat_sem_wait(&semaphore, 0), 0);
	ck_assert(compat_sem_wait(&semaphore, 0) < 0 && errno == ETIMEDOUT);
	ck_assert(compat_sem_wait(&semaphore, begin_us + SHORT_US) < 0 && errno == ETIMEDOUT);
	ck_assert_uint_ge(clock_now_us(), begin_us + SHORT_US);
	ck_assert_int_eq(pthread_create(&other, NULL, post, NULL), 0);
	ck_assert_int_eq(compat_sem_wait(&semaphore, begin_us + LONG_US), 0);
	ck_assert_uint_lt(clock_now_us(), begin_us + LONG_US / 2);
	pthread_join(other, NULL);
}
END_TEST

START_TEST(events_are_waited_for)
{
	int set = epoll_create1(EPOLL_CLOEXEC);
	uint64_t until_us = clock_now_us() + SHORT_US;
	struct epoll_event event;

	ck_assert_int_eq(compat_epoll_wait(set, &event, 1, 0), 0);
	ck_assert_int_eq(compat_epoll_wait(set, &event, 1, until_us), 0);
	ck_assert_uint_ge(clock_now_us(), until_us);
	close(set);
}
END_TEST

/* ---- signals ---- */

static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
	signalled = number;
}

START_TEST(thread_is_signalled)
{
	ck_assert(signal(SIGUSR1, on_signal) != SIG_ERR);
	ck_assert_int_eq(compat_signal_thread(getpid(), gettid(), SIGUSR1), 0);
	ck_assert_int_eq(signalled, SIGUSR1);
	ck_assert(compat_signal_thread(getppid(), gettid(), SIGUSR1) < 0 && errno == ESRCH);
}
END_TEST

/* ---- descriptors ---- */

/* However many there could be: one by one that takes minutes where a container has no limit. */
START_TEST(descriptors_are_closed)
{
	struct rlimit limit;
	uint64_t begin_us = clock_now_us();
	int low = open("/dev/null", O_RDONLY | O_CLOEXEC), status;
	pid_t pid;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	pid = fork();
	if (pid == 0) {
		int high = fcntl(low, F_DUPFD_CLOEXEC, 1000);

		compat_close_from(low + 1);
		_exit(high < 1000 || fcntl(low, F_GETFD) < 0 || fcntl(high, F_GETFD) >= 0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_uint_lt(clock_now_us(), begin_us + 2 * CLOCK_S);
	close(low);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("compat");
	TCase *tcase = tcase_create("compat");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, semaphore_is_waited_for);
	tcase_add_test(tcase, events_are_waited_for);
	tcase_add_test(tcase, thread_is_signalled);
	tcase_add_test(tcase, descriptors_are_closed);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
