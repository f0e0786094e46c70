/*
 * control.c - fuzz target: the control protocol, both of its ends.
 *
 * input: an even first byte plays clients against the supervisor's end, each step two bytes (who, what) and perhaps
 * what is said; an odd one plays the rest as a daemon's answer to aphorismctl.
 */
#include "aphorismd/control.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorismctl/control.h"
#include "aphorismctl/json.h"
#include "aphorismctl/rows.h"
#include "common/clock.h"
#include "common/command.h"
#include "common/log.h"
#include "fuzz.h"

enum {
	PEERS = CONTROL_CLIENTS + 4, LONGEST_COMMAND = 255, LONGEST_SPEECH = 1 << 16,
	RECEIVED = 1 << 20, LONG_ANSWER = 2000,
};

static char folder[] = "/dev/shm/aphorismd-fuzz-XXXXXX";
static struct sockaddr_un address = { .sun_family = AF_UNIX };
static int peers[PEERS];
static uint64_t now_us;
static uint32_t reloads;
static size_t heard;

static void remove_folder(void)
{
	control_close(true);
	rmdir(folder);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	REQUIRE(mkdtemp(folder));
	snprintf(address.sun_path, sizeof address.sun_path, "%s/control", folder);
	atexit(remove_folder);
	log_open("fuzz", LOG_TO_STDERR, LOG_DAEMON, LOG_ERR);
	REQUIRE(freopen("/dev/null", "w", stdout));
	return 0;
}

/* ---- the supervisor's end ---- */

static void command(unsigned client, const char *line)
{
	const char *argument;
	const struct command *parsed = command_parse(line, &argument);

	REQUIRE(!parsed || strncmp(parsed->name, line, strlen(parsed->name)) == 0);
	REQUIRE(!argument || (argument > line && argument[-1] == ' '));
	REQUIRE(client < CONTROL_CLIENTS);
	REQUIRE(strlen(line) < LONGEST_COMMAND && !strchr(line, '\n'));
	heard++;
	if (strcmp(line, "reload") == 0) {
		control_keep(client, CONTROL_RELOAD, reloads + 1 + heard % 2);
	} else if (strcmp(line, "stop") == 0) {
		control_say(client, "stopping");
		control_say(client, "end 0");
		control_keep(client, CONTROL_EXIT, 1);
	} else if (strcmp(line, "connections") == 0) {
		/* more than a socket holds: it is kept until it is taken */
		for (unsigned i = 0; i < LONG_ANSWER; i++)
			control_say(client, "connection client=%0100u\tworker=%u", i, client);
		control_end(client, 0);
	} else {
		control_say(client, "error %s", line);
		control_end(client, EX_USAGE);
	}
}

static void serve(void)
{
	struct pollfd fds[CONTROL_CLIENTS + 1];
	int count = control_poll(fds);

	REQUIRE(count >= 1 && count <= CONTROL_CLIENTS + 1);
	control_serve(now_us, command);
	REQUIRE(control_due_us() > now_us);
}

/* What came is whole lines, and "end STATUS" is one of them once at the most. */
static void hear(int *peer)
{
	static char text[RECEIVED];
	ssize_t len = recv(*peer, text, sizeof text - 1, MSG_DONTWAIT);
	unsigned ends = 0;

	if (len > 0) {
		text[len] = '\0';
		REQUIRE(strlen(text) == (size_t)len);
		for (char *at = text, *end; (end = strchr(at, '\n')) != NULL; at = end + 1)
			ends += strncmp(at, "end ", 4) == 0;
		REQUIRE(ends <= 1 && (ends == 0 || text[len - 1] == '\n'));
	}
	if (len >= 0)
		close(*peer);
	if (len >= 0)
		*peer = -1;
}

static void join(int *peer)
{
	if ((*peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
		return;
	if (connect(*peer, (struct sockaddr *)&address, sizeof address) < 0) {
		close(*peer);
		*peer = -1;
	}
}

static void step(struct feed *feed)
{
	static const char *const words[] = { "reload\n", "stop\n", "connections\n", "\n" };
	int *peer = &peers[feed_byte(feed) % PEERS];
	uint8_t what = feed_byte(feed);
	size_t len = what / 8;
	char *text;

	if (*peer < 0)
		join(peer);
	switch (what % 8) {
	case 0:
	case 1:
		text = feed_text(feed, &len);
		send(*peer, text, len, MSG_NOSIGNAL);
		free(text);
		break;
	case 2:
		send(*peer, words[len % 4], strlen(words[len % 4]), MSG_NOSIGNAL);
		break;
	case 3:
		shutdown(*peer, SHUT_WR);
		break;
	case 4:
		close(*peer);
		*peer = -1;
		break;
	case 5:
		now_us += len * CLOCK_S / 4;
		break;
	case 6:
		control_happened(CONTROL_RELOAD, ++reloads, len & 1 ? "error x\n" : NULL, 0);
		break;
	default:
		if (*peer >= 0)
			hear(peer);
	}
	if (what & 0x80)
		serve();
}

static void play_clients(struct feed *feed)
{
	struct pollfd fds[CONTROL_CLIENTS + 1];
	char reason[CONTROL_REASON];

	now_us = CLOCK_S;
	REQUIRE(control_open(address.sun_path, -1, getegid(), reason) == 0);
	memset(peers, -1, sizeof peers);
	while (feed_left(feed) > 0)
		step(feed);
	for (int i = 0; i < PEERS; i++)
		if (peers[i] >= 0)
			close(peers[i]);
	/* a round takes who waits to be taken, and of what each has said a line's length */
	for (int rounds = 0; rounds < LONGEST_SPEECH / LONGEST_COMMAND + 2 && control_poll(fds) > 1; rounds++)
		serve();
	REQUIRE(control_poll(fds) == 1);
	control_close(true);
	REQUIRE(access(address.sun_path, F_OK) < 0);
}

/* ---- aphorismctl's end ---- */

static void play_daemon(struct feed *feed)
{
	static struct reply reply;
	int ends[2];

	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
	send(ends[0], feed->at, feed_left(feed), MSG_NOSIGNAL);
	shutdown(ends[0], SHUT_WR);
	if (control_ask(ends[1], "status\n", &reply, clock_now_us() + CLOCK_S) == 0) {
		REQUIRE(reply.status >= 0 && reply.status <= 255 && reply.count <= REPLY_LINES);
		for (size_t i = 0; i < reply.count; i++)
			REQUIRE(!strchr(reply.lines[i].key, ' ') && !strchr(reply.lines[i].value, '\n'));
		json_reply(&reply, "worker");
		for (size_t i = 0; i < reply.count; i += rows_print(&reply.lines[i], reply.count - i))
			rows_number(&reply.lines[i], "count");
	}
	close(ends[0]);
	close(ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct feed feed = { data, data + size };

	(feed_byte(&feed) % 2 ? play_daemon : play_clients)(&feed);
	return 0;
}
