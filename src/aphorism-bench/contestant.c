/*
 * contestant.c - aphorismd, found, started under one of its models, and stopped.
 */
#include "aphorism-bench/contestant.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "aphorism-bench/capture.h"
#include "aphorism-bench/child.h"
#include "aphorism-bench/tree.h"
#include "common/clock.h"
#include "common/dial.h"
#include "common/plain.h"

enum {
	ASK_US = 10 * CLOCK_S, START_US = 10 * CLOCK_S, STOP_US = 5 * CLOCK_S,
	ARGUMENTS = 2 * CONTESTANT_SETTINGS + 24,
};

static const char listening[] = "listening on 127.0.0.1:";
static const char config[] = "aphorisms = \"three.aphorisms\";\n";
static const char table[] =
	"Beautiful is better than? Ugly.\n"
	"Explicit is better than? Implicit.\n"
	"Simple is better than? Complex.\n";

/* ---- the program ---- */

/* Whether FOLDER/NAME can be run; leaves it in path. */
static bool try(struct program *program, const char *folder, size_t folder_len, const char *name)
{
	struct stat status;
	int len = snprintf(program->path, sizeof program->path, "%.*s/%s", (int)folder_len, folder, name);

	return len > 0 && (size_t)len < sizeof program->path && stat(program->path, &status) == 0 &&
	       S_ISREG(status.st_mode) && access(program->path, X_OK) == 0;
}

static bool find_program(struct program *program)
{
	const char *path = getenv("PATH");
	char here[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", here, sizeof here - 1);

	if (len > 0) {
		here[len] = '\0';
		*strrchr(here, '/') = '\0';
		if (try(program, here, strlen(here), "aphorismd") ||
		    try(program, here, strlen(here), "../sbin/aphorismd"))
			return true;
	}
	while (path && *path) {
		size_t folder_len = strcspn(path, ":");

		if (folder_len > 0 && try(program, path, folder_len, "aphorismd"))
			return true;
		path += folder_len + (path[folder_len] == ':');
	}
	return false;
}

static int ask_models(struct program *program)
{
	const char *const ask[] = { program->path, "--list-models", NULL };
	const char *const ask_version[] = { program->path, "--version", NULL };
	char text[4096], *rest = text, *line;

	if (capture(ask, text, sizeof text, ASK_US) != 0)
		*text = '\0';
	while ((line = strsep(&rest, "\n")) && program->model_count < CONTESTANT_MODELS)
		if (sscanf(line, "%31s", program->models[program->model_count]) == 1 &&
		    plain_is_text(program->models[program->model_count]))
			program->model_count++;   /* any other would be no model's name */
	if (program->model_count == 0) {
		plain_say(stderr, "aphorism-bench: %s does not list its models: is it aphorismd?", program->path);
		return EX_UNAVAILABLE;
	}
	if (capture(ask_version, text, sizeof text, ASK_US) == 0)
		plain_text(program->version, sizeof program->version, text, strcspn(text, "\n"));
	return EX_OK;
}

/* Readable for whoever the daemon becomes. */
static bool write_file(char *path, size_t size, const char *folder, const char *name, const char *text)
{
	size_t len = strlen(text);
	bool ok;
	int fd;

	snprintf(path, size, "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	ok = fd >= 0 && fchmod(fd, 0644) == 0 && write(fd, text, len) == (ssize_t)len;
	return (fd < 0 || close(fd) == 0) && ok;
}

static int make_folder(struct program *program)
{
	const char *named = getenv("TMPDIR"), *temporary = named && *named == '/' ? named : "/tmp";
	char template[sizeof program->folder];

	snprintf(template, sizeof template, "%s/aphorism-bench-XXXXXX", temporary);
	if (mkdtemp(template)) {
		strcpy(program->folder, template);
		if (chmod(template, 0755) == 0 &&
		    write_file(program->config, sizeof program->config, template, "aphorismd.conf", config) &&
		    write_file(program->table, sizeof program->table, template, "three.aphorisms", table))
			return EX_OK;
	}
	plain_say(stderr, "aphorism-bench: %s: %s", template, strerror(errno));
	program_forget(program);
	return EX_CANTCREAT;
}

int program_find(struct program *program, const char *named)
{
	int status;

	*program = (struct program){ 0 };
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	if (named && access(named, X_OK) == 0 && snprintf(program->path, PATH_MAX, "%s", named) < PATH_MAX) {
		if (!strchr(named, '/') && snprintf(program->path, PATH_MAX, "./%s", named) >= PATH_MAX)
			return EX_UNAVAILABLE;
	} else if (named) {
		plain_say(stderr, "aphorism-bench: --aphorismd %s: %s", named, strerror(errno));
		return EX_UNAVAILABLE;
	} else if (!find_program(program)) {
		fputs("aphorism-bench: no aphorismd beside this program or on PATH: "
		      "install it, or name it with --aphorismd FILE\n", stderr);
		return EX_UNAVAILABLE;
	}
	status = ask_models(program);
	return status == EX_OK ? make_folder(program) : status;
}

void program_forget(struct program *program)
{
	unlink(program->config);
	unlink(program->table);
	if (program->folder[0])
		rmdir(program->folder);
	program->folder[0] = '\0';
}

/* ---- one daemon ---- */

/* Root's daemon gives its workers a user of their own: the one meant for it, or any that has no rights. */
static const char *user_setting(void)
{
	static const struct { const char *name, *setting; } users[] = {
		{ "aphorismd", "process.user=aphorismd" }, { "nobody", "process.user=nobody" },
	};

	for (size_t i = 0; i < sizeof users / sizeof users[0]; i++)
		if (getpwnam(users[i].name))
			return users[i].setting;
	return "process.user=";
}

static void forget_environment(void)
{
	static const char prefix[] = "APHORISMD_";

	for (char **variable = environ; *variable;) {
		char name[256];

		snprintf(name, sizeof name, "%.*s", (int)strcspn(*variable, "="), *variable);
		if (strncmp(name, prefix, sizeof prefix - 1) != 0 || unsetenv(name) != 0)
			variable++;
	}
}

static _Noreturn void become_daemon(const struct program *program, const char *const arguments[], int log, pid_t parent)
{
	int devnull = open("/dev/null", O_RDWR);
	sigset_t none;

	/* a group of its own: Ctrl-C at the terminal is for us, and we end it in good order */
	setpgid(0, 0);
	child_follow(parent, SIGQUIT);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	forget_environment();
	if (dup2(devnull, STDIN_FILENO) >= 0 && dup2(devnull, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0)
		execv(program->path, (char *const *)arguments);
	dprintf(log, "%s: %s\n", program->path, strerror(errno));
	_exit(EX_OSERR);
}

static void compose(const char *arguments[ARGUMENTS], const struct program *program, const char *model,
                    const char *const settings[])
{
	size_t count = 0;

	arguments[count++] = program->path;
	arguments[count++] = "-f";
	arguments[count++] = "-c";
	arguments[count++] = program->config;
	arguments[count++] = "-m";
	arguments[count++] = model;
	arguments[count++] = "-l";
	arguments[count++] = "127.0.0.1:0";
	arguments[count++] = "-o";
	arguments[count++] = "control.socket=";
	if (geteuid() == 0) {
		arguments[count++] = "-o";
		arguments[count++] = user_setting();
	}
	for (size_t i = 0; i < CONTESTANT_SETTINGS && settings[i]; i++) {
		arguments[count++] = "-o";
		arguments[count++] = settings[i];
	}
	arguments[count] = NULL;
}

/* Takes what is there, and keeps the end of it.  False at the end of the log. */
static bool take(struct contestant *contestant)
{
	size_t len = strlen(contestant->said), room = sizeof contestant->said - 1 - len;
	ssize_t n;

	if (room < sizeof contestant->said / 2) {
		size_t out = sizeof contestant->said / 2 - room;

		memmove(contestant->said, contestant->said + out, len + 1 - out);
		len -= out;
		room += out;
	}
	n = read(contestant->log, contestant->said + len, room);
	if (n > 0)
		contestant->said[len + (size_t)n] = '\0';
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

void contestant_listen(struct contestant *contestant)
{
	struct pollfd log = { .fd = contestant->log, .events = POLLIN };

	while (poll(&log, 1, 0) > 0 && take(contestant))
		;
}

/* Waits for the line with its address. */
static bool wait_for_address(struct contestant *contestant)
{
	struct pollfd log = { .fd = contestant->log, .events = POLLIN };
	uint64_t deadline_us = clock_now_us() + START_US;
	bool goes_on = true;

	while (goes_on) {
		const char *at = strstr(contestant->said, listening);

		if (at && strchr(at, '\n')) {
			contestant->address = (struct sockaddr_in){
				.sin_family = AF_INET,
				.sin_port = htons((uint16_t)atoi(at + sizeof listening - 1)),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
			};
			return contestant->address.sin_port != 0;
		}
		goes_on = dial_wait(&log, 1, deadline_us) > 0 && take(contestant);
	}
	return false;
}

/* The last line that it said, for whoever is to mend it. */
static const char *last_line(struct contestant *contestant)
{
	size_t len = strlen(contestant->said);
	char *line;

	while (len > 0 && contestant->said[len - 1] == '\n')
		contestant->said[--len] = '\0';
	line = strrchr(contestant->said, '\n');
	line = line ? line + 1 : contestant->said;
	return *line ? line : "it said nothing";
}

__attribute__((format(printf, 2, 3)))
static void complain(struct contestant *contestant, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(contestant->reason, sizeof contestant->reason, format, arguments);
	va_end(arguments);
}

/* Waits until all of it has ended, which is when nobody holds the log any more. */
static bool wait_for_end(struct contestant *contestant, uint64_t deadline_us)
{
	struct pollfd log = { .fd = contestant->log, .events = POLLIN };

	while (dial_wait(&log, 1, deadline_us) > 0)
		if (!take(contestant))
			return true;
	return false;
}

/* Returns its status, and true when it went when told to. */
static bool end(struct contestant *contestant, int *status, struct rusage *usage)
{
	bool in_time;

	/* at once: its clients have all gone, and nothing is owed to anybody */
	kill(contestant->pid, SIGQUIT);
	in_time = wait_for_end(contestant, clock_now_us() + STOP_US);
	if (!in_time) {
		tree_kill_below(contestant->pid);
		kill(contestant->pid, SIGKILL);
	}
	while (wait4(contestant->pid, status, 0, usage) < 0 && errno == EINTR)
		;
	tree_kill_below(getpid());        /* what it has left behind is ours now */
	close(contestant->log);
	return in_time;
}

int contestant_start(struct contestant *contestant, const struct program *program, const char *model,
                     const char *const settings[])
{
	const char *arguments[ARGUMENTS];
	struct rusage usage;
	int log[2], status;
	pid_t parent = getpid();

	*contestant = (struct contestant){ 0 };
	compose(arguments, program, model, settings);
	if (pipe2(log, O_CLOEXEC) < 0 || (contestant->pid = fork()) < 0) {
		complain(contestant, "can't start %s: %s", program->path, strerror(errno));
		return EX_OSERR;
	}
	if (contestant->pid == 0)
		become_daemon(program, arguments, log[1], parent);
	setpgid(contestant->pid, contestant->pid);
	close(log[1]);
	contestant->log = log[0];
	if (wait_for_address(contestant))
		return EX_OK;
	end(contestant, &status, &usage);
	complain(contestant, "aphorismd does not start under the model %s: %s", model, last_line(contestant));
	return EX_UNAVAILABLE;
}

bool contestant_stop(struct contestant *contestant, const char *model, struct rusage *usage)
{
	int status = 0;
	bool in_time = end(contestant, &status, usage);

	if (in_time && WIFEXITED(status) && WEXITSTATUS(status) == EX_OK)
		return true;
	complain(contestant, "aphorismd under the model %s %s: %s", model,
	         in_time ? "ended by itself or with an error" : "did not stop in 5 s and was killed",
	         last_line(contestant));
	return false;
}
