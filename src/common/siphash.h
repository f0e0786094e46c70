/*
 * siphash.h - SipHash-2-4: a hash that nobody can aim at who does not know its key.
 *
 * J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input PRF", INDOCRYPT 2012.  It gives the same on machines
 * of either byte order.  The file that hashes includes it and has it to itself.
 */
#ifndef COMMON_SIPHASH_H
#define COMMON_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/* Up to eight bytes as a number, the first one the least. */
static uint64_t siphash_word(const uint8_t *at, size_t len)
{
	uint64_t word = 0;

	for (size_t i = 0; i < len; i++)
		word |= (uint64_t)at[i] << 8 * i;
	return word;
}

static uint64_t siphash_turn(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static void siphash_rounds(uint64_t v[4], int rounds)
{
	while (rounds-- > 0) {
		v[0] += v[1];
		v[1] = siphash_turn(v[1], 13) ^ v[0];
		v[0] = siphash_turn(v[0], 32);
		v[2] += v[3];
		v[3] = siphash_turn(v[3], 16) ^ v[2];
		v[0] += v[3];
		v[3] = siphash_turn(v[3], 21) ^ v[0];
		v[2] += v[1];
		v[1] = siphash_turn(v[1], 17) ^ v[2];
		v[2] = siphash_turn(v[2], 32);
	}
}

static void siphash_take(uint64_t v[4], uint64_t word)
{
	v[3] ^= word;
	siphash_rounds(v, 2);
	v[0] ^= word;
}

/* The hash of so many bytes. */
static uint64_t siphash(const uint8_t key[16], const void *bytes, size_t len)
{
	const uint8_t *at = bytes, *last = at + len / 8 * 8;
	uint64_t k0 = siphash_word(key, 8), k1 = siphash_word(key + 8, 8);
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
		          k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573 };

	for (; at < last; at += 8)
		siphash_take(v, siphash_word(at, 8));
	siphash_take(v, siphash_word(at, len % 8) | (uint64_t)len << 56);
	v[2] ^= 0xff;
	siphash_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
