/*
 * table.h - the table of aphorisms: which answer belongs to a question.
 *
 * One block of memory without pointers, so that one process builds it and any number map it.  The text of the
 * file is held as it is; beside it stands an index of 8 bytes an entry, open addressing with linear probing, at
 * most 3/4 full.
 */
#ifndef PROTOCOL_TABLE_H
#define PROTOCOL_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/protocol.h"

struct table {
	uint64_t text_len;                /* the file's bytes begin right behind this header */
	uint64_t index_at;                /* offset of the entries from this header, a multiple of 8 */
	uint64_t mask;                    /* number of entries - 1, a power of two - 1 */
	uint64_t count;                   /* aphorisms */
	uint64_t longest_answer;          /* bytes, the '.' counted */
};

enum { TABLE_LONGEST_ANSWER = 65535 };

/* Where the file's text belongs: text_len bytes, to be filled before table_build(). */
char *table_text(struct table *);

/*
 * How many lines the text has (an upper bound of its aphorisms); bytes of the whole block with that many,
 * which may be more than a size_t holds.
 */
size_t table_lines(const char *text, size_t len);
uint64_t table_size(size_t text_len, size_t lines);

/* Receives one error; line counts from 1, 0 is the file as a whole; reason lasts for the call. */
typedef void table_report(void *arg, size_t line, const char *reason);

/*
 * Builds the index of a block of table_size() bytes whose text and text_len are set, the rest needs no
 * value.  Each bad line is reported with its first fault (a double with the number of the line that it
 * repeats), a text without any aphorism too; after 100 errors a last report says so and the work ends.
 * Returns the number of reports, 0 for success: only then may table_find() be called.  Takes a few seconds
 * for ten million lines.
 */
size_t table_build(struct table *, size_t lines, size_t max_question_length, table_report *, void *arg);

/* The answer to a question (its only '?' its last byte), or an empty span; points into the table. */
struct span table_find(const struct table *, struct span question);

#endif
