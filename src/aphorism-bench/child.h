/*
 * child.h - what we start does not outlive us.
 */
#ifndef BENCH_CHILD_H
#define BENCH_CHILD_H

#include <sys/types.h>

/*
 * In a child that was just forked, with the parent's pid from before: it gets that signal when the parent dies, of
 * whatever.  Does not return when the parent has died already.
 */
void child_follow(pid_t parent, int signal);

#endif
