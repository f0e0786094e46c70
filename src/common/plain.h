/*
 * plain.h - the one filter for text that somebody else chose, before a terminal or a log shows it.
 *
 * Plain is UTF-8, as far as it is valid, but for what commands a terminal or hides what stands there: control
 * characters (C0, DEL and C1, which are U+0080 to U+009F), ends of lines and of paragraphs (U+2028, U+2029), and what
 * turns the direction of writing.  A byte that is not plain is shown as \n, \r, \t or \xNN.
 */
#ifndef COMMON_PLAIN_H
#define COMMON_PLAIN_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Bytes of the character at the front, and which it is; 0 when it is none: overlong forms and surrogates are none. */
size_t plain_decode(const char *bytes, size_t len, uint32_t *character);

/* Is that a plain one?  And bytes of the plain character at the front, 0 when it is none. */
bool plain_is(uint32_t character);
size_t plain_char(const char *bytes, size_t len);

/* Is all of it plain? */
bool plain_is_text(const char *text);

/* Renders a byte as \n, \r, \t or \xNN; returns the length. */
size_t plain_escape(char to[5], unsigned char byte);

/* Renders text so that it fits size, cut between two characters; returns `to`. */
char *plain_text(char *to, size_t size, const char *bytes, size_t len);

/* Prints text; returns how many bytes that became.  With NULL for the stream it only counts them. */
size_t plain_put(FILE *, const char *bytes, size_t len);

/* Prints a line, printf-like, of at most 8191 bytes before they are rendered; the newline is added. */
void plain_say(FILE *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Where a text may not grow: puts `instead` in place of each byte that is not plain.  Returns the text. */
char *plain_clean(char *text, size_t len, char instead);

#endif
