/*
 * proxy.c - the PROXY protocol, versions 1 and 2.
 */
#include "protocol/proxy.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <string.h>

enum {
	SIGNATURE = 12, FIXED = 16,       /* bytes of version 2 */
	TLV = 3,
	TLV_CRC32C = 3,                   /* a type */
	CRC = 4,
};

static const char line_begin[] = "PROXY ", signature[] = "\r\n\r\n\0\r\nQUIT\n";

static bool may_begin(const char *at, size_t len, const char *with, size_t with_len)
{
	return memcmp(at, with, len < with_len ? len : with_len) == 0;
}

/* ---- version 1: a line of text ---- */

static bool read_address(uint8_t to[16], int family, const char *text)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	if (!text || family == AF_INET6)
		return text && inet_pton(AF_INET6, text, to) == 1;
	memcpy(to, mapped, sizeof mapped);
	return inet_pton(AF_INET, text, to + sizeof mapped) == 1;
}

static bool read_port(uint16_t *to, const char *text)
{
	size_t len = text ? strlen(text) : 0;
	unsigned port = 0;

	if (len == 0 || len > 5 || strspn(text, "0123456789") != len || (*text == '0' && len > 1))
		return false;
	for (; *text; text++)
		port = port * 10 + (unsigned)(*text - '0');
	*to = (uint16_t)port;
	return port <= UINT16_MAX;
}

/* What stands behind "PROXY " in a line, whose parts one space separates. */
static const char *read_line(struct proxy_header *header, char *rest)
{
	const char *kind = strsep(&rest, " "), *from, *to;
	int family = strcmp(kind, "TCP4") == 0 ? AF_INET : AF_INET6;
	uint8_t own_address[16];
	uint16_t own_port;

	if (strcmp(kind, "UNKNOWN") == 0)
		return NULL;      /* whatever follows */
	if (family == AF_INET6 && strcmp(kind, "TCP6") != 0)
		return "neither TCP4 nor TCP6 nor UNKNOWN";
	from = strsep(&rest, " ");
	to = strsep(&rest, " ");
	if (!read_address(header->address, family, from) || !read_address(own_address, family, to))
		return "an address that is none";
	from = strsep(&rest, " ");
	if (!read_port(&header->port, from) || !read_port(&own_port, rest))
		return "a port that is none";
	header->client = PROXY_TCP;
	return NULL;
}

static const char *read_v1(struct proxy_header *header, const char *at, size_t len)
{
	const char *end = memchr(at, '\n', len < PROXY_LINE ? len : PROXY_LINE);
	char line[PROXY_LINE];
	size_t line_len;

	if (!end)
		return len < PROXY_LINE ? NULL : "a line of more than 107 bytes";
	if (end[-1] != '\r')
		return "a line that does not end in CR LF";
	line_len = (size_t)(end - 1 - at);
	memcpy(line, at, line_len);
	line[line_len] = '\0';
	if (strlen(line) != line_len)
		return "a NUL in its line";
	header->len = (uint32_t)(end + 1 - at);
	return read_line(header, line + strlen(line_begin));
}

/* ---- version 2: binary ---- */

static unsigned read_u16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

/* CRC32C of a header in which the bytes of the sum itself count as 0. */
static uint32_t sum_up(const uint8_t *at, size_t len, const uint8_t *sum)
{
	uint32_t crc = UINT32_MAX;

	for (const uint8_t *byte = at; byte < at + len; byte++) {
		crc ^= byte >= sum && byte < sum + CRC ? 0 : *byte;
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

/*
 * Skips what stands behind the addresses; but a checksum is held against the header: without that, what a broken sender
 * or a broken memory makes of an address would be denied, limited and logged in an innocent client's name.
 */
static const char *skip_tlvs(const uint8_t *at, size_t len, size_t begin)
{
	size_t value_len;

	for (const uint8_t *tlv = at + begin; tlv < at + len; tlv += TLV + value_len) {
		size_t left = (size_t)(at + len - tlv);

		if (left < TLV || left - TLV < (value_len = read_u16(tlv + 1)))
			return "a part beyond its end";
		if (*tlv != TLV_CRC32C)
			continue;
		if (value_len != CRC || sum_up(at, len, tlv + TLV) !=
		    ((uint32_t)read_u16(tlv + TLV) << 16 | read_u16(tlv + TLV + 2)))
			return "a wrong checksum";
	}
	return NULL;
}

/* Of the combinations of a family and a transport those that name a client of ours; all others name nobody. */
static const char *read_client(struct proxy_header *header, const uint8_t *at)
{
	enum { TCP4 = 0x11, TCP6 = 0x21, UNIX_STREAM = 0x31, TCP4_LEN = 12, TCP6_LEN = 36, UNIX_LEN = 216 };
	size_t len = at[13] == TCP4 ? TCP4_LEN : at[13] == TCP6 ? TCP6_LEN : UNIX_LEN;

	if (at[13] != TCP4 && at[13] != TCP6 && at[13] != UNIX_STREAM)
		return NULL;
	if (header->len < FIXED + len)
		return "too short for its addresses";
	header->client = at[13] == UNIX_STREAM ? PROXY_UNIX : PROXY_TCP;
	if (at[13] == TCP4) {
		memset(header->address + 10, 0xff, 2);
		memcpy(header->address + 12, at + FIXED, 4);
		header->port = (uint16_t)read_u16(at + FIXED + 8);
	} else if (at[13] == TCP6) {
		memcpy(header->address, at + FIXED, 16);
		header->port = (uint16_t)read_u16(at + FIXED + 32);
	}
	return skip_tlvs(at, header->len, FIXED + len);
}

static const char *read_v2(struct proxy_header *header, const uint8_t *at, size_t len)
{
	enum { LOCAL = 0x20, PROXY = 0x21, FAMILIES = 4, TRANSPORTS = 3 };
	size_t whole;

	if (len < FIXED)
		return NULL;
	if (at[12] != LOCAL && at[12] != PROXY)
		return "an unknown version or command";
	if (at[12] == PROXY && (at[13] >> 4 >= FAMILIES || (at[13] & 15) >= TRANSPORTS))
		return "an unknown family or transport";
	whole = FIXED + read_u16(at + 14);
	if (whole > PROXY_MOST)
		return "more than 4096 bytes";
	if (len < whole)
		return NULL;
	header->len = (uint32_t)whole;
	return at[12] == LOCAL ? NULL : read_client(header, at);
}

const char *proxy_read(struct proxy_header *header, const char *at, size_t len)
{
	*header = (struct proxy_header){ .len = 0 };
	if (may_begin(at, len, signature, SIGNATURE))
		return read_v2(header, (const uint8_t *)at, len);
	if (may_begin(at, len, line_begin, strlen(line_begin)))
		return read_v1(header, at, len);
	return "it begins otherwise";
}
