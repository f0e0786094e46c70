/*
 * proxy.c - fuzz target: the PROXY protocol.  What it says of some bytes it says of more; whom it names is named again
 * by a header of our own making, in both versions; and no bit of one with a checksum can change unnoticed.
 *
 * input: what is to be made of it, then a header; or an address, a port and what stands behind them in version 2.
 */
#include <arpa/inet.h>
#include <stdbool.h>

#include "fuzz.h"
#include "protocol/proxy.h"

enum { AS_IT_IS, WITH_CHECKSUM, KINDS, FIXED = 16, TCP6_LEN = 36, SUM_LEN = 7, ROOM = PROXY_MOST + 64 };

static const char beginning[] = "\r\n\r\n\0\r\nQUIT\n";

/* A copy of its exact size, so that ASan sees a step beyond it. */
static const char *try_bytes(struct proxy_header *header, const char *at, size_t len)
{
	char *copy = malloc(len + (len == 0));
	const char *reason;

	memcpy(copy, at, len);
	reason = proxy_read(header, copy, len);
	free(copy);
	return reason;
}

static void put_u16(uint8_t *to, size_t value)
{
	to[0] = (uint8_t)(value >> 8);
	to[1] = (uint8_t)value;
}

/* Of version 2, for a client of IPv6, with more behind its addresses; its length. */
static size_t make_v2(uint8_t *to, const uint8_t address[16], uint16_t port, const uint8_t *more, size_t more_len)
{
	memcpy(to, beginning, 12);
	to[12] = to[13] = 0x21;
	put_u16(to + 14, TCP6_LEN + more_len);
	memcpy(to + FIXED, address, 16);
	memset(to + FIXED + 16, 0, 16);
	put_u16(to + FIXED + 32, port);
	put_u16(to + FIXED + 34, 1060);
	memcpy(to + FIXED + TCP6_LEN, more, more_len);
	return FIXED + TCP6_LEN + more_len;
}

static void expect_client(const char *at, size_t len, const struct proxy_header *wanted)
{
	struct proxy_header header;

	REQUIRE(try_bytes(&header, at, len) == NULL);
	REQUIRE(header.len == len && header.client == PROXY_TCP && header.port == wanted->port);
	REQUIRE(memcmp(header.address, wanted->address, 16) == 0);
}

static void name_again(const struct proxy_header *header)
{
	char line[ROOM], text[INET6_ADDRSTRLEN];
	uint8_t binary[ROOM];
	int len;

	inet_ntop(AF_INET6, header->address, text, sizeof text);
	len = snprintf(line, sizeof line, "PROXY TCP6 %s :: %u 0\r\n", text, header->port);
	expect_client(line, (size_t)len, header);
	expect_client((char *)binary, make_v2(binary, header->address, header->port, binary, 0), header);
}

static void read_as_it_is(const char *at, size_t len)
{
	struct proxy_header header, whole;
	const char *reason = try_bytes(&whole, at, len), *before = NULL;

	if (!reason && whole.len > 0 && whole.client == PROXY_TCP)
		name_again(&whole);
	REQUIRE(reason || whole.len <= len);
	REQUIRE(reason || whole.len > 0 || len < PROXY_MOST);
	for (size_t part = 0, step = len / 256 + 1; part <= len; part += step) {
		const char *now = try_bytes(&header, at, part);

		REQUIRE(!before || now == before);
		REQUIRE(!now || now == reason);
		if (!reason && whole.len > 0)
			REQUIRE(!now && header.len == (part < whole.len ? 0 : whole.len));
		before = now;
	}
}

static uint32_t crc32c(const uint8_t *at, size_t len)
{
	uint32_t crc = UINT32_MAX;

	for (size_t bit = 0; bit < 8 * len; bit++)
		crc = crc >> 1 ^ (((crc ^ (uint32_t)(at[bit / 8] >> bit % 8)) & 1) ? UINT32_C(0x82f63b78) : 0);
	return ~crc;
}

static void read_with_checksum(struct feed *feed)
{
	static const uint8_t empty[SUM_LEN] = { 3, 0, 4 };
	struct proxy_header wanted = { .len = 0 }, header;
	uint8_t binary[ROOM], noise = feed_byte(feed), *sum;
	uint16_t flip = (uint16_t)(feed_byte(feed) << 8 | feed_byte(feed));
	size_t len, more_len = feed_left(feed) > 16 ? feed_left(feed) - 16 : 0, bit;
	uint32_t crc;

	for (size_t i = 0; i < 16; i++)
		wanted.address[i] = feed_byte(feed);
	wanted.port = (uint16_t)(noise * 257);
	if (more_len > 1024)
		more_len = 1024;
	/* a part of some other type, then the sum */
	len = make_v2(binary, wanted.address, wanted.port, binary, 0);
	binary[len] = 4;
	put_u16(binary + len + 1, more_len);
	memcpy(binary + len + 3, feed->at, more_len);
	len += 3 + more_len;
	memcpy(binary + len, empty, SUM_LEN);
	len += SUM_LEN;
	put_u16(binary + 14, len - FIXED);
	sum = binary + len - 4;
	crc = crc32c(binary, len);
	put_u16(sum, crc >> 16);
	put_u16(sum + 2, crc & 0xffff);
	expect_client((char *)binary, len, &wanted);
	/* but for what says where the sum is */
	bit = FIXED * 8 + flip % (TCP6_LEN * 8);
	binary[bit / 8] ^= (uint8_t)(1 << bit % 8);
	REQUIRE(try_bytes(&header, (char *)binary, len) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed feed = { data, data + size };

	if (feed_byte(&feed) % KINDS == WITH_CHECKSUM)
		read_with_checksum(&feed);
	else
		read_as_it_is((const char *)feed.at, feed_left(&feed));
	return 0;
}
