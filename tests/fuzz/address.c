/*
 * address.c - fuzz target: addresses and networks.  What is taken is written back as the same; and who may connect is
 * decided as a slow and simple reader of the lists decides it.
 *
 * input: a line is an address, a network of the allow list behind a '+', or of the deny list behind a '-'.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/un.h>

#include "common/address.h"
#include "config/access.h"
#include "fuzz.h"

static struct access_list allow, deny;

static void try_address(const char *text, struct address *address)
{
	char shown[sizeof(struct sockaddr_un) + 16];
	struct address again;

	if (address_parse(address, text) != NULL) {
		address->len = 0;
		return;
	}
	address_format(shown, sizeof shown, (struct sockaddr *)&address->sockaddr);
	REQUIRE(address_parse(&again, shown) == NULL);
	REQUIRE(again.len == address->len && memcmp(&again.sockaddr, &address->sockaddr, again.len) == 0);
}

static void try_network(const char *text, struct access_list *list)
{
	struct access_network *network = &list->networks[list->count], again;
	char shown[ACCESS_TEXT];

	if (list->count == ACCESS_NETWORKS || access_parse(network, text) != NULL)
		return;
	REQUIRE(network->bits <= 128);
	REQUIRE(access_parse(&again, access_format(shown, network)) == NULL);
	REQUIRE(again.bits == network->bits && memcmp(again.address, network->address, 16) == 0);
	list->count++;
}

static bool bit(const uint8_t *address, unsigned n)
{
	return address[n / 8] >> (7 - n % 8) & 1;
}

/* How many of the first bits agree with those of the best network that the peer is in; -1: it is in none. */
static int best_of(const struct access_list *list, const uint8_t *address, bool ipv4)
{
	int best = -1;

	for (uint32_t i = 0; i < list->count; i++) {
		const struct access_network *network = &list->networks[i];
		unsigned n = 0;

		while (n < network->bits && bit(address, n) == bit(network->address, n))
			n++;
		if (n == network->bits && (!ipv4 || n >= 96) && (int)n > best)
			best = (int)n;
	}
	return best;
}

static bool may_connect(const struct sockaddr_storage *peer)
{
	uint8_t address[16] = { [10] = 0xff, [11] = 0xff };
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	int allowed, denied;

	if (peer->ss_family == AF_UNIX)
		return true;
	if (peer->ss_family == AF_INET)
		memcpy(address + 12, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
	else
		memcpy(address, &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr, 16);
	allowed = best_of(&allow, address, memcmp(address, mapped, sizeof mapped) == 0);
	denied = best_of(&deny, address, memcmp(address, mapped, sizeof mapped) == 0);
	return denied < 0 ? allow.count == 0 || allowed >= 0 : allowed > denied;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed feed = { data, data + size };

	allow.count = deny.count = 0;
	while (feed_left(&feed) > 0) {
		const uint8_t *newline = memchr(feed.at, '\n', feed_left(&feed));
		size_t len = newline ? (size_t)(newline - feed.at) : feed_left(&feed);
		char *text = feed_text(&feed, &len);
		struct address peer;

		feed_byte(&feed);
		if (*text == '+' || *text == '-') {
			try_network(text + 1, *text == '+' ? &allow : &deny);
		} else {
			try_address(text, &peer);
			if (peer.len > 0)
				REQUIRE(access_allows(&allow, &deny, (struct sockaddr *)&peer.sockaddr) ==
				        may_connect(&peer.sockaddr));
		}
		free(text);
	}
	return 0;
}
