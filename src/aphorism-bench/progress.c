/*
 * progress.c - how far it is: a bar on a terminal, plain lines elsewhere.
 */
#include "aphorism-bench/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/clock.h"

enum { BAR = 30, BETWEEN_US = CLOCK_S / 10, SOON_US = CLOCK_S / 2 };

void progress_start(struct progress *p, bool wanted)
{
	*p = (struct progress){
		.wanted = wanted, .terminal = isatty(STDERR_FILENO) == 1, .started_us = clock_now_us(),
	};
}

/* "1:05 left"; too little is done in the first moments to tell. */
static void format_left(char *to, size_t size, const struct progress *p, double share, uint64_t now_us)
{
	double gone_us = (double)(now_us - p->started_us);

	*to = '\0';
	if (share > 0 && gone_us > SOON_US) {
		uint64_t left_s = (uint64_t)(gone_us * (1 - share) / share / CLOCK_S + 0.5);

		snprintf(to, size, "%" PRIu64 ":%02" PRIu64 " left", left_s / 60, left_s % 60);
	}
}

static unsigned columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void show_bar(double share, const char *left, const char *label)
{
	static const char full[] = "##############################";
	int done = (int)(share * BAR + 0.5);
	char line[256];

	snprintf(line, sizeof line, "[%-*.*s] %3.0f %%  %-11s %s", BAR, done, full, share * 100, left, label);
	/* in the last column some terminals would begin a new line */
	fprintf(stderr, "\r%.*s\033[K", (int)columns() - 1, line);
}

void progress_show(struct progress *p, double share, const char *label)
{
	uint64_t now_us = clock_now_us();
	bool changed = strncmp(p->label, label, sizeof p->label - 1) != 0;
	char left[32];

	if (!p->wanted || (!changed && (!p->terminal || now_us < p->shown_us + BETWEEN_US)))
		return;
	p->shown_us = now_us;
	snprintf(p->label, sizeof p->label, "%s", label);
	format_left(left, sizeof left, p, share, now_us);
	if (p->terminal)
		show_bar(share, left, label);
	else
		fprintf(stderr, "aphorism-bench: %3.0f %% done%s%s: %s\n", share * 100, *left ? ", " : "", left, label);
}

void progress_clear(struct progress *p)
{
	if (p->wanted && p->terminal && p->shown_us > 0)
		fputs("\r\033[K", stderr);
	p->shown_us = 0;
}
