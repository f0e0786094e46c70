/*
 * test_sandbox.c - each mechanism of the sandbox alone: together one would hide that the other does nothing.
 *
 * Every case is a child process that confines itself and tells by its exit status which step went wrong.
 */
#include "sandbox/sandbox_parts.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#ifdef HAVE_SECCOMP
#include <seccomp.h>
#endif
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/compat.h"

enum { LACKING = 77 };

/* Where calls of sockets may go through socketcall no filter sees their arguments; libseccomp knows where. */
static bool sees_sockets(void)
{
#ifdef HAVE_SECCOMP
	return seccomp_syscall_resolve_name("setsockopt") >= 0;
#else
	return true;
#endif
}

#ifdef __s390__
enum { SEES_MAPS = false };               /* nor those of mmap */
#else
enum { SEES_MAPS = true };
#endif

/* Returns whether the child could be confined at all here; fails when a step in there went wrong. */
static bool run(int (*child)(int), int argument)
{
	int status;
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		_exit(child(argument));
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	if (WEXITSTATUS(status) == LACKING)
		fprintf(stderr, "test_sandbox: this build or kernel lacks it: a test is skipped\n");
	else
		ck_assert_int_eq(WEXITSTATUS(status), 0);
	return WEXITSTATUS(status) != LACKING;
}

/* By a plain write: dprintf looks at the file first, which is denied in there. */
static int wrong(int line, const char *what)
{
	char text[200];
	int len = snprintf(text, sizeof text, "test_sandbox.c:%d: %.140s: errno %d\n", line, what, errno);

	return write(STDERR_FILENO, text, (size_t)len) < 0 ? EXIT_FAILURE + 1 : EXIT_FAILURE;
}

#define TRY(condition)                                          \
	do {                                                    \
		if (!(condition))                               \
			return wrong(__LINE__, #condition);     \
	} while (0)
#define DENIED(call, why) TRY((call) < 0 && errno == (why))

static long landlock_version(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1);
}

/* ---- Landlock ---- */

static int worker_without_files(int nothing)
{
	struct sockaddr_in nobody = { .sin_family = AF_INET, .sin_port = htons(1) };
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	long version = landlock_version();

	(void)nothing;
	if (sandbox_enter_landlock(SANDBOX_WORKER))
		return LACKING;
	DENIED(open("/etc/passwd", O_RDONLY | O_CLOEXEC), EACCES);
	DENIED(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), EACCES);
	DENIED(open("/tmp/test_sandbox", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), EACCES);
	DENIED(mkdir("/tmp/test_sandbox", 0700), EACCES);
	DENIED(execl("/bin/true", "true", NULL), EACCES);
	if (version >= 4) {
		DENIED(connect(tcp, (struct sockaddr *)&nobody, sizeof nobody), EACCES);
		nobody.sin_port = 0;
		DENIED(bind(tcp, (struct sockaddr *)&nobody, sizeof nobody), EACCES);
	}
	if (version >= 6) {
		TRY(kill(getpid(), 0) == 0);
		DENIED(kill(getppid(), 0), EPERM);
	}
	return 0;
}

static int loader_reads(int nothing)
{
	(void)nothing;
	if (sandbox_enter_landlock(SANDBOX_LOADER))
		return LACKING;
	TRY(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0);
	DENIED(open("/dev/null", O_WRONLY | O_CLOEXEC), EACCES);
	DENIED(open("/tmp/test_sandbox", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), EACCES);
	DENIED(mkdir("/tmp/test_sandbox", 0700), EACCES);
	DENIED(execl("/bin/true", "true", NULL), EACCES);
	return 0;
}

static int supervisor_has_files(int nothing)
{
	(void)nothing;
	if (sandbox_enter_landlock(SANDBOX_SUPERVISOR))
		return LACKING;
	TRY(open("/dev/null", O_WRONLY | O_CLOEXEC) >= 0);
	return 0;
}

START_TEST(landlock_takes_files_away)
{
	run(worker_without_files, 0);
	run(loader_reads, 0);
	run(supervisor_has_files, 0);
}
END_TEST

/* ---- seccomp ---- */

static void *end_thread(void *given)
{
	return given;
}

static bool makes_thread(void)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, end_thread, NULL) == 0 && pthread_join(thread, NULL) == 0;
}

static bool makes_process(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(0);
	return pid > 0 && waitpid(pid, &status, 0) == pid;
}

static int worker_makes(int makes)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int devnull = open("/dev/null", O_RDWR | O_CLOEXEC), listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), spare = dup(devnull);
	const struct sandbox_descriptors descriptors = { devnull, 2, { 99, listener } };
	const struct timeval timeout = { 1, 0 };
	pid_t parent = getpid();

	setpgid(0, 0);
	signal(SIGUSR2, SIG_IGN);
	if (sandbox_enter_seccomp(SANDBOX_WORKER, (unsigned)makes, &descriptors))
		return LACKING;
	TRY(makes_thread() == (makes == SANDBOX_THREADS));
	TRY(makes_process() == (makes == SANDBOX_PROCESSES));
	DENIED(syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0), EPERM);
	DENIED(open("/etc/passwd", O_RDONLY | O_CLOEXEC), EPERM);
	DENIED(execl("/bin/true", "true", NULL), EPERM);
	DENIED(socket(AF_UNIX, SOCK_DGRAM, 0), EPERM);
	DENIED(mprotect(page, 4096, PROT_READ | PROT_EXEC), EPERM);
	TRY(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED || !SEES_MAPS);
	TRY(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
#if defined SYS_mmap && defined SYS_mmap2
	DENIED(syscall(SYS_mmap, (long[]){ 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0 },
	               0, 0, 0, -1, 0), EPERM);
#endif
	DENIED(prctl(PR_SET_DUMPABLE, 1), EPERM);
	TRY(prctl(PR_SET_PDEATHSIG, SIGUSR2) == 0);
	/* to its group what all take from their leader alone; to its own threads, if it makes no processes */
	TRY(kill(0, SIGUSR2) == 0);
	DENIED(kill(0, SIGKILL), EPERM);
	DENIED(kill(0, 0), EPERM);
	DENIED(kill(getppid(), 0), EPERM);
	DENIED(kill(-1, SIGUSR2), EPERM);
	DENIED(syscall(SYS_tgkill, getppid(), getppid(), 0), EPERM);
	if (makes & SANDBOX_PROCESSES) {
		TRY(fork() > 0 || (syscall(SYS_tgkill, parent, parent, SIGKILL) < 0 && errno == EPERM));
		if (getpid() != parent)
			_exit(0);
		DENIED(syscall(SYS_clone, SIGKILL, 0, 0, 0, 0), EPERM);
		TRY(wait(NULL) > 0);
	} else {
		TRY(syscall(SYS_tgkill, parent, gettid(), 0) == 0);
	}
	/* options of connections, not of a listener, by whatever number */
	TRY(setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0);
	if (sees_sockets()) {
		DENIED(setsockopt(connection, SOL_SOCKET, SO_KEEPALIVE, &timeout, sizeof(int)), EPERM);
		DENIED(setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout), EPERM);
	}
	DENIED(syscall(SYS_setsockopt, (long)(listener | 1LL << 32), SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout),
	       EPERM);
	/* what musl calls besides: it adds O_LARGEFILE, and tries accept where accept4 says EINVAL */
	DENIED(accept4(listener, NULL, NULL, SOCK_CLOEXEC), EINVAL);
	DENIED(accept(listener, NULL, NULL), EINVAL);
	TRY(fcntl(listener, F_SETFL, O_RDWR | O_NONBLOCK) == 0);
	DENIED(fcntl(listener, F_SETFL, O_RDWR), EPERM);
	TRY(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0) == 0 ||
	    (makes != SANDBOX_THREADS && errno == EPERM));
	DENIED(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0), EPERM);
	DENIED(dup(listener), EPERM);
	DENIED(fcntl(listener, F_DUPFD, 0), EPERM);
	DENIED(dup2(listener, spare), EPERM);
	DENIED(dup3(listener, spare, O_CLOEXEC), EPERM);
	TRY(dup2(devnull, listener) == listener);
	DENIED(syscall(SYS_seccomp, 1, 0, NULL), EPERM);
	DENIED(syscall(SYS_io_uring_setup, 1, page), EPERM);
	DENIED(syscall(SYS_io_uring_register, -1, 0, NULL, 0), EPERM);
	DENIED(syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0), makes & SANDBOX_ORDERS ? EBADF : EPERM);
	/* what a C library tries first must fail as on an older kernel */
	DENIED(syscall(SYS_clone3, NULL, 0), ENOSYS);
	DENIED(syscall(SYS_landlock_create_ruleset, NULL, 0, 1), ENOSYS);
	return 0;
}

static bool waits(int fd)
{
	struct pollfd one = { .fd = fd, .events = POLLIN };
	struct epoll_event event = { .events = EPOLLIN };
	int set = epoll_create1(EPOLL_CLOEXEC);

	return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0 && poll(&one, 1, -1) == 1 &&
	       ppoll(&one, 1, &(struct timespec){ 60, 0 }, NULL) == 1 && epoll_wait(set, &event, 1, -1) == 1 &&
	       compat_epoll_wait(set, &event, 1, clock_now_us() + 60 * CLOCK_S) == 1 &&
	       nanosleep(&(struct timespec){ 0, 1 }, NULL) == 0 &&
	       clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &(struct timespec){ 0, 1 }, NULL) == 0;
}

/* Every call by which a model serves, with an effect that is looked at. */
static int worker_serves(int makes)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), peer, unsent, log[2];
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const struct sandbox_descriptors descriptors = { open("/dev/null", O_RDWR | O_CLOEXEC), 1, { listener } };
	const struct timeval timeout = { 60, 0 };
	socklen_t size = sizeof address;
	char in[16];

	TRY(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 8) == 0);
	TRY(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
	TRY(connect(client, (struct sockaddr *)&address, size) == 0);
	TRY(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, log) == 0);
	if (sandbox_enter_seccomp(SANDBOX_WORKER, (unsigned)makes, &descriptors))
		return LACKING;
	TRY((peer = accept4(listener, (struct sockaddr *)&address, &size, SOCK_CLOEXEC)) >= 0);
	TRY(setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout) == 0);
	TRY(setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout) == 0);
	TRY(send(client, "a", 1, MSG_NOSIGNAL) == 1 && sendto(client, "b", 1, MSG_NOSIGNAL, NULL, 0) == 1);
	TRY(write(client, "c", 1) == 1 && send(log[0], "d", 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1);
	TRY(waits(peer));
	TRY(recv(peer, in, 1, 0) == 1 && recvfrom(peer, in, 1, 0, NULL, NULL) == 1 && read(peer, in, 1) == 1);
	TRY(recv(log[1], in, sizeof in, 0) == 1 && in[0] == 'd');
	if (sees_sockets())
		DENIED(sendto(peer, "", 0, MSG_FASTOPEN, (struct sockaddr *)&address, size), EPERM);
	TRY(ioctl(peer, SIOCOUTQ, &unsent) == 0 && unsent == 0);
	TRY(shutdown(peer, SHUT_RD) == 0 && recv(peer, in, sizeof in, 0) == 0);
	TRY(fcntl(listener, F_SETFL, O_RDWR | O_NONBLOCK) == 0);
	DENIED(accept4(listener, NULL, NULL, SOCK_CLOEXEC), EAGAIN);
	TRY(dup2(descriptors.devnull, listener) == listener);
	DENIED(accept4(listener, NULL, NULL, SOCK_CLOEXEC), ENOTSOCK);
	return 0;
}

static int loader_calls(int nothing)
{
	(void)nothing;
	if (sandbox_enter_seccomp(SANDBOX_LOADER, 0, NULL))
		return LACKING;
	TRY(open("/etc/passwd", O_RDONLY | O_CLOEXEC) >= 0);
	TRY(stat("/etc/passwd", &(struct stat){ .st_size = 0 }) == 0);
#ifdef SYS_stat
	TRY(syscall(SYS_stat, "/etc/passwd", (char[512]){ 0 }) == 0);
#endif
	/* whether standard output is a terminal, and no more of it */
	TRY(ioctl(STDIN_FILENO, TIOCGWINSZ, &(struct winsize){ 0 }) == 0 || errno != EPERM);
	TRY(isatty(STDIN_FILENO) || errno != EPERM);
	DENIED(ioctl(STDIN_FILENO, TIOCSTI, ""), EPERM);
	DENIED(open("/dev/null", O_WRONLY | O_CLOEXEC), EPERM);
	DENIED(open("/dev/null", O_RDWR | O_CLOEXEC), EPERM);
	DENIED(open("/tmp/test_sandbox", O_RDONLY | O_CREAT | O_CLOEXEC, 0600), EPERM);
	DENIED(open("/tmp", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600), EPERM);
	DENIED(socket(AF_UNIX, SOCK_DGRAM, 0), EPERM);
	DENIED(execl("/bin/true", "true", NULL), EPERM);
	TRY(!makes_process() && !makes_thread());
	/* to go behind others is allowed, to push others behind is not */
	TRY(syscall(SYS_sched_setscheduler, 0, SCHED_IDLE, &(struct sched_param){ 0 }) == 0);
	DENIED(syscall(SYS_sched_setscheduler, getppid(), SCHED_IDLE, &(struct sched_param){ 0 }), EPERM);
	DENIED(syscall(SYS_sched_setscheduler, 0, SCHED_OTHER, &(struct sched_param){ 0 }), EPERM);
	TRY(syscall(SYS_ioprio_set, 1, 0, 3 << 13) == 0);
	DENIED(syscall(SYS_ioprio_set, 1, getppid(), 3 << 13), EPERM);
	DENIED(syscall(SYS_ioprio_set, 2, 0, 3 << 13), EPERM);
	return 0;
}

static int supervisor_calls(int nothing)
{
	(void)nothing;
	if (sandbox_enter_seccomp(SANDBOX_SUPERVISOR, 0, NULL))
		return LACKING;
	DENIED(execl("/bin/true", "true", NULL), EPERM);
	DENIED(syscall(SYS_ptrace, 0, 0, 0, 0), EPERM);
	DENIED(syscall(SYS_mount, NULL, NULL, NULL, 0, NULL), EPERM);
	TRY(makes_process() && open("/dev/null", O_RDWR | O_CLOEXEC) >= 0);
	/* its children confine themselves further */
	TRY(run(worker_makes, 0) && run(worker_serves, 0) && run(loader_calls, 0));
	return 0;
}

START_TEST(seccomp_takes_calls_away)
{
	run(worker_makes, 0);
	run(worker_makes, SANDBOX_PROCESSES);
	run(worker_makes, SANDBOX_THREADS);
	run(worker_makes, SANDBOX_ORDERS);
	for (int makes = 0; makes <= SANDBOX_MAKES; makes++)
		run(worker_serves, makes);
	run(loader_calls, 0);
	run(supervisor_calls, 0);
}
END_TEST

/* ---- both ---- */

START_TEST(what_is_lacking_is_told)
{
	char reason[SANDBOX_REASON] = "";
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(sandbox_enter(SANDBOX_WORKER, 0, NULL, reason) != (reason[0] == '\0'));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("sandbox");
	TCase *tcase = tcase_create("sandbox");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, landlock_takes_files_away);
	tcase_add_test(tcase, seccomp_takes_calls_away);
	tcase_add_test(tcase, what_is_lacking_is_told);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
