/*
 * torrent.c - keeps a listener's queue full: connects and is gone at once, in many threads, faster than most servers
 * can accept.  Most of what they take is dead by then, and is still in the queue.
 *
 * torrent SOURCE ADDRESS PORT, or torrent unix PATH; ends with its standard input.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { THREADS_PER_CPU = 4, AT_ONCE = 64 };

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_un un;
};

static union address from, to;
static socklen_t length;

static int begin(void)
{
	struct linger reset = { 1, 0 };           /* else all ports would soon be waiting for the end of time */
	int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;

	if (to.any.sa_family == AF_INET) {
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
		setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
		bind(fd, &from.any, length);
	}
	connect(fd, &to.any, length);
	return fd;
}

static void *pour(void *unused)
{
	int fds[AT_ONCE];

	(void)unused;
	for (;;) {
		for (int i = 0; i < AT_ONCE; i++)
			fds[i] = begin();
		for (int i = 0; i < AT_ONCE; i++)
			close(fds[i]);
	}
	return NULL;
}

int main(int count, char **words)
{
	long threads = THREADS_PER_CPU * sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t thread;
	char end;

	if (count == 4) {
		from.in.sin_family = to.in.sin_family = AF_INET;
		to.in.sin_port = htons((in_port_t)atoi(words[3]));
		if (inet_pton(AF_INET, words[1], &from.in.sin_addr) != 1 ||
		    inet_pton(AF_INET, words[2], &to.in.sin_addr) != 1)
			return 64;
		length = sizeof to.in;
	} else if (count == 3 && strlen(words[2]) < sizeof to.un.sun_path) {
		to.un.sun_family = AF_UNIX;
		strcpy(to.un.sun_path, words[2]);
		length = sizeof to.un;
	} else {
		return 64;
	}
	while (threads-- > 0)
		if (pthread_create(&thread, NULL, pour, NULL) != 0)
			return 71;
	puts("pouring");
	fflush(stdout);
	while (read(STDIN_FILENO, &end, 1) > 0 || errno == EINTR)
		;
	return 0;
}
