/*
 * count_allocations.c - loaded into the daemon by tests: counts what all its processes ask malloc(3) and its kin for.
 *
 * ALLOCATIONS names a file of one uint64_t that all processes share.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic uint64_t before, *count = &before;

static void *next(const char *name)
{
	atomic_fetch_add(count, 1);
	return dlsym(RTLD_NEXT, name);
}

void *malloc(size_t size)
{
	return ((void *(*)(size_t))next("malloc"))(size);
}

void *calloc(size_t n, size_t size)
{
	return ((void *(*)(size_t, size_t))next("calloc"))(n, size);
}

void *realloc(void *old, size_t size)
{
	return ((void *(*)(void *, size_t))next("realloc"))(old, size);
}

void *reallocarray(void *old, size_t n, size_t size)
{
	return ((void *(*)(void *, size_t, size_t))next("reallocarray"))(old, n, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return ((void *(*)(size_t, size_t))next("aligned_alloc"))(alignment, size);
}

int posix_memalign(void **at, size_t alignment, size_t size)
{
	return ((int (*)(void **, size_t, size_t))next("posix_memalign"))(at, alignment, size);
}

__attribute__((constructor)) static void load(void)
{
	const char *path = getenv("ALLOCATIONS");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *shared = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (shared == MAP_FAILED)
		return;
	close(fd);
	count = shared;
}
