/*
 * stop_here.c - loaded into the daemon by the tests that inject faults: stops a process before its first line, so that
 * a tracer can be attached to it and to no other.
 *
 * STOP_PAGE names a file of two ints that all processes share: how many beginnings are left until the one that stops
 * (the program's own is the first, then each fork counts), and the process id of whoever has stopped.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct {
	_Atomic int countdown, pid;
} *page;

static void begin(void)
{
	if (atomic_fetch_sub(&page->countdown, 1) != 1)
		return;
	atomic_store(&page->pid, getpid());
	raise(SIGSTOP);
}

__attribute__((constructor)) static void load(void)
{
	const char *path = getenv("STOP_PAGE");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (page == MAP_FAILED || pthread_atfork(NULL, NULL, begin) != 0)
		abort();
	begin();
}
