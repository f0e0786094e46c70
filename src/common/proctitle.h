/*
 * proctitle.h - what ps(1) shows of a process: a store to the memory where argv and environ were.
 */
#ifndef COMMON_PROCTITLE_H
#define COMMON_PROCTITLE_H

/*
 * Moves argv's strings and the environment to the heap, so that the room they leave can hold the title.  To be called
 * first thing in main.  Never fails: without memory the title just stays as it is.
 */
void proctitle_init(int argc, char **argv);

/* Sets the whole title, printf-like: "aphorismd: supervisor".  Cut to the room there is.  Not async-signal-safe. */
void proctitle_set(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Replaces what follows the title's first `keep` bytes as proctitle_set left it; cheap enough for each connection.
 * proctitle_mark() remembers the present length as that `keep`: set "aphorismd: prefork 3: ", mark, then
 * tail("busy").  The latter is async-signal-safe, for one caller at a time.
 */
void proctitle_mark(void);
void proctitle_tail(const char *text);

#endif
