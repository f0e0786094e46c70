/*
 * fuzz.h - what the fuzz targets share: a promise that must hold, and taking an input apart.
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Unlike assert() it says nothing of the code: what fails here is a promise to the user. */
#define REQUIRE(promise)                                                                                             \
	do {                                                                                                         \
		if (!(promise)) {                                                                                    \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #promise);                        \
			abort();                                                                                     \
		}                                                                                                    \
	} while (0)

/* An input that is taken from the front; beyond its end there are zeros. */
struct feed {
	const uint8_t *at, *end;
};

static inline uint8_t feed_byte(struct feed *feed)
{
	return feed->at < feed->end ? *feed->at++ : 0;
}

static inline size_t feed_left(const struct feed *feed)
{
	return (size_t)(feed->end - feed->at);
}

/* The next len bytes, or as many as there are, with a NUL behind them; to be freed. */
static inline char *feed_text(struct feed *feed, size_t *len)
{
	char *text;

	if (*len > feed_left(feed))
		*len = feed_left(feed);
	text = malloc(*len + 1);
	REQUIRE(text);
	memcpy(text, feed->at, *len);
	text[*len] = '\0';
	feed->at += *len;
	return text;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
