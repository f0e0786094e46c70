/*
 * tree.c - what a process and all below it have cost so far, read from /proc.
 */
#include "aphorism-bench/tree.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct process {
	pid_t pid, parent;
	char state;
	uint64_t user_ticks, system_ticks, child_user_ticks, child_system_ticks;
	uint32_t threads;
	uint64_t rss_pages;
};

struct processes {
	struct process *at;
	size_t count, room;
};

enum { PATH_LEN = 64, KILL_ROUNDS = 1000, KILL_PAUSE_US = 5000 };

/* A small file as a string; false when it is not there or not ours to read. */
static bool read_text(const char *path, char *to, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, to, size - 1);

	if (fd >= 0)
		close(fd);
	to[n > 0 ? n : 0] = '\0';
	return n > 0;
}

static bool read_process(pid_t pid, struct process *p)
{
	char path[PATH_LEN], text[1024], *at;

	snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
	if (!read_text(path, text, sizeof text) || !(at = strrchr(text, ')')))
		return false;     /* its name, in brackets, may hold anything */
	*p = (struct process){ .pid = pid };
	return sscanf(at + 1, " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
	              " %*d %*d %u %*d %*u %*u %" SCNu64,
	              &p->state, &p->parent, &p->user_ticks, &p->system_ticks, &p->child_user_ticks,
	              &p->child_system_ticks, &p->threads, &p->rss_pages) == 8;
}

static bool append(struct processes *all, const struct process *p)
{
	if (all->count == all->room) {
		size_t room = all->room ? 2 * all->room : 256;
		struct process *more = realloc(all->at, room * sizeof *more);

		if (!more)
			return false;
		all->at = more;
		all->room = room;
	}
	all->at[all->count++] = *p;
	return true;
}

static void list_all(struct processes *all)
{
	DIR *folder = opendir("/proc");
	struct dirent *entry;
	struct process p;

	while (folder && (entry = readdir(folder)))
		if (read_process(atoi(entry->d_name), &p) && !append(all, &p))
			break;
	if (folder)
		closedir(folder);
}

static int by_parent(const void *a, const void *b)
{
	const struct process *p = a, *q = b;

	return (p->parent > q->parent) - (p->parent < q->parent);
}

/* The first whose parent has that number, in a list by parent; its siblings follow. */
static size_t first_child(const struct processes *all, pid_t parent)
{
	size_t low = 0, high = all->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (all->at[middle].parent < parent)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Root first, then its children, then theirs.  to->at is to be freed. */
static void list_tree(pid_t root, struct processes *to)
{
	struct processes all = { 0 };
	struct process first;

	*to = (struct processes){ 0 };
	if (!read_process(root, &first) || !append(to, &first))
		return;
	list_all(&all);
	qsort(all.at, all.count, sizeof *all.at, by_parent);
	for (size_t done = 0; done < to->count && to->count <= all.count; done++) {
		pid_t parent = to->at[done].pid;

		for (size_t i = first_child(&all, parent); i < all.count && all.at[i].parent == parent; i++)
			append(to, &all.at[i]);
	}
	free(all.at);
}

/*
 * A process's own CPU time.  Its clock is exact, its file counts whole ticks, which in a thousand processes are many.
 */
static uint64_t own_cpu_us(const struct process *p)
{
	uint64_t tick_us = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(p->pid, &clock) == 0 && clock_gettime(clock, &t) == 0)
		return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
	return (p->user_ticks + p->system_ticks) * tick_us;
}

static void add(struct tree *tree, const struct process *p)
{
	uint64_t tick_us = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);

	tree->cpu_us += own_cpu_us(p) + (p->child_user_ticks + p->child_system_ticks) * tick_us;
	if (p->state == 'Z' || p->state == 'X')
		return;
	tree->processes++;
	tree->threads += p->threads;
	tree->rss_bytes += p->rss_pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

bool tree_read(pid_t root, struct tree *tree)
{
	struct processes found;
	struct process now;

	*tree = (struct tree){ 0 };
	list_tree(root, &found);
	/* the list is by depth; each is read anew, so that no child's time is older than its parent's */
	for (size_t i = 0; i < found.count; i++)
		if (read_process(found.at[i].pid, &now))
			add(tree, &now);
	free(found.at);
	return tree->processes > 0;
}

static uint64_t switches_of(pid_t pid, const char *thread)
{
	char path[PATH_LEN], text[4096], *at;
	uint64_t sum = 0;

	snprintf(path, sizeof path, "/proc/%d/task/%.16s/status", (int)pid, thread);
	if (!read_text(path, text, sizeof text))
		return 0;
	if ((at = strstr(text, "\nvoluntary_ctxt_switches:")))
		sum += strtoull(strchr(at, ':') + 1, NULL, 10);
	if ((at = strstr(text, "\nnonvoluntary_ctxt_switches:")))
		sum += strtoull(strchr(at, ':') + 1, NULL, 10);
	return sum;
}

uint64_t tree_switches(pid_t root)
{
	struct processes found;
	uint64_t sum = 0;

	list_tree(root, &found);
	for (size_t i = 0; i < found.count; i++) {
		char path[PATH_LEN];
		struct dirent *entry;
		DIR *folder;

		snprintf(path, sizeof path, "/proc/%d/task", (int)found.at[i].pid);
		folder = opendir(path);
		while (folder && (entry = readdir(folder)))
			if (isdigit((unsigned char)entry->d_name[0]))
				sum += switches_of(found.at[i].pid, entry->d_name);
		if (folder)
			closedir(folder);
	}
	free(found.at);
	return sum;
}

uint64_t tree_pss(pid_t root)
{
	struct processes found;
	uint64_t sum = 0;
	bool seen = true;

	list_tree(root, &found);
	for (size_t i = 0; i < found.count; i++) {
		char path[PATH_LEN], text[2048], *at;

		snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)found.at[i].pid);
		if (read_text(path, text, sizeof text) && (at = strstr(text, "\nPss:")))
			sum += strtoull(at + 5, NULL, 10) * 1024;
		else if (found.at[i].state != 'Z' && kill(found.at[i].pid, 0) == 0)
			seen = false;
	}
	free(found.at);
	return seen ? sum : 0;
}

pid_t tree_busiest_child(pid_t root)
{
	uint64_t most_us = 0;
	struct processes found;
	pid_t busiest = 0;

	list_tree(root, &found);
	for (size_t i = 0; i < found.count; i++) {
		const struct process *p = &found.at[i];
		uint64_t us = own_cpu_us(p);

		if (p->parent != root || p->state == 'Z' || (busiest && us <= most_us))
			continue;
		most_us = us;
		busiest = p->pid;
	}
	free(found.at);
	return busiest;
}

/* Only what is below us can be reaped here; all else is its parent's to reap. */
static size_t kill_once(pid_t root)
{
	struct processes found;
	size_t alive = 0;

	list_tree(root, &found);
	for (size_t i = 1; i < found.count; i++) {
		if (found.at[i].parent == getpid() && waitpid(found.at[i].pid, NULL, WNOHANG) > 0)
			continue;
		if (found.at[i].state == 'Z')
			continue;
		kill(found.at[i].pid, SIGKILL);
		alive++;
	}
	free(found.at);
	return alive;
}

size_t tree_kill_below(pid_t root)
{
	size_t count = kill_once(root);

	/* those that a fork has made meanwhile, and those that have lost their parent and are ours now */
	for (int round = 0; round < KILL_ROUNDS && kill_once(root) > 0; round++)
		usleep(KILL_PAUSE_US);
	return count;
}
