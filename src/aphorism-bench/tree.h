/*
 * tree.h - what a process and all below it have cost so far, read from /proc.
 *
 * Every function looks for the tree anew, so processes may come and go.  None blocks; each takes some us per process
 * of the machine, tree_pss() and tree_switches() some 50 us per process or thread of the tree on top.
 */
#ifndef BENCH_TREE_H
#define BENCH_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct tree {
	/*
	 * CPU time since each was born, what it inherited from children it has waited for included.  Parents are read
	 * before their children: one that dies in between is missing until the next reading, and none is ever counted
	 * twice.
	 */
	uint64_t cpu_us;
	uint32_t processes, threads;              /* that live */
	uint64_t rss_bytes;                       /* shared pages count in each */
};

/* Returns false when the root is gone or /proc can't be read. */
bool tree_read(pid_t root, struct tree *);

/* Context switches of all threads that live now; those of threads that have ended are in nobody's file. */
uint64_t tree_switches(pid_t root);

/* Memory where shared pages count in parts; 0 when a process does not let us see it. */
uint64_t tree_pss(pid_t root);

/* The child of the root that has used the most CPU time itself; 0 when there is none. */
pid_t tree_busiest_child(pid_t root);

/* Kills all below the root, not itself, again and again until none is left.  Returns how many there were. */
size_t tree_kill_below(pid_t root);

#endif
