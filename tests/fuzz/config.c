/*
 * config.c - fuzz target: the configuration, with the real libconfig.  What is taken can be dumped, and the dump is
 * taken as the same; what is not taken has a reason in one printable line.
 *
 * input: a byte that says where it comes from, then the text: the file, options or variables, a line each.  The
 * folder holds what an @include may name: "more", itself, a folder, a FIFO.
 */
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "config/config.h"
#include "fuzz.h"
#include "models/model.h"

enum { SOURCE_FILE, SOURCE_OPTIONS, SOURCE_ENVIRONMENT, SOURCES, MOST_SETTINGS = 64 };

static char folder[] = "/dev/shm/aphorismd-fuzz-XXXXXX", file[64], dumped[64];
static size_t errors, notices;
static int folder_fd;

static void remove_folder(void)
{
	static const char *const names[] = { "conf", "dump", "more", "fifo" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		unlinkat(folder_fd, names[i], 0);
	unlinkat(folder_fd, "folder", AT_REMOVEDIR);
	rmdir(folder);
}

static void write_file(const char *path, const char *text, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	REQUIRE(fd >= 0 && write(fd, text, len) == (ssize_t)len);
	close(fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	static const char more[] = "timeouts = { idle = \"5s\" };\n@include \"more\"";
	char path[64];

	(void)argc;
	(void)argv;
	REQUIRE(mkdtemp(folder));
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	atexit(remove_folder);
	snprintf(file, sizeof file, "%s/conf", folder);
	snprintf(dumped, sizeof dumped, "%s/dump", folder);
	snprintf(path, sizeof path, "%s/more", folder);
	write_file(path, more, sizeof more - 1);
	snprintf(path, sizeof path, "%s/fifo", folder);
	REQUIRE(mkfifo(path, 0600) == 0);
	snprintf(path, sizeof path, "%s/folder", folder);
	REQUIRE(mkdir(path, 0700) == 0);
	return 0;
}

/* A string that stands before a syntax error is lost inside libconfig; the loader's process ends there and then. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:strbuf_append\nleak:libconfig_yylex\n";
}

static void report(void *arg, bool error, const char *line)
{
	REQUIRE(arg == folder && *line);
	for (; *line; line++)
		REQUIRE((unsigned char)*line >= ' ' && *line != 0x7f);
	*(error ? &errors : &notices) += 1;
}

static int load(struct config *config, const struct config_sources *sources, FILE *dump)
{
	int status;

	errors = notices = 0;
	status = config_load(config, model_schema(), sources, dump, report, folder);
	REQUIRE((status == 0) == (errors == 0));
	REQUIRE(status == 0 || status == EX_CONFIG || status == EX_NOINPUT);
	return status;
}

/* Lines of the text, each a string of its own, ended by NULL. */
static void split(char *text, char **lines, const char *prefix)
{
	size_t count = 0;

	for (char *line; count < MOST_SETTINGS && (line = strsep(&text, "\n")) != NULL; count++)
		REQUIRE(asprintf(&lines[count], "%s%s", prefix, line) >= 0);
	lines[count] = NULL;
}

static void expect_same_from_dump(struct config *config, char *dump, size_t len)
{
	static struct config again;
	struct config_sources sources = { .file = dumped, .file_needed = true };

	write_file(dumped, dump, len);
	if (load(&again, &sources, NULL) != 0)
		fprintf(stderr, "%s", dump);
	REQUIRE(errors == 0 && notices == 0);
	memset(&again.set, 0, sizeof again.set);
	memset(&config->set, 0, sizeof config->set);
	REQUIRE(memcmp(&again, config, sizeof again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config config;
	static char *lines[MOST_SETTINGS + 1];
	struct feed feed = { data, data + size };
	int kind = feed_byte(&feed) % SOURCES;
	struct config_sources sources = { .file = file, .file_needed = true };
	size_t len = feed_left(&feed), dump_len;
	char *text = feed_text(&feed, &len), *dump_text;
	FILE *dump = open_memstream(&dump_text, &dump_len);

	lines[0] = NULL;
	write_file(file, text, kind == SOURCE_FILE ? len : 0);
	if (kind == SOURCE_OPTIONS)
		split(text, lines, "");
	if (kind == SOURCE_ENVIRONMENT)
		split(text, lines, "APHORISMD_");
	sources.settings = kind == SOURCE_OPTIONS ? (const char *const *)lines : NULL;
	sources.environment = kind == SOURCE_ENVIRONMENT ? lines : NULL;
	if (load(&config, &sources, dump) != 0)
		dump = (fclose(dump), NULL);
	if (dump) {
		fclose(dump);
		expect_same_from_dump(&config, dump_text, dump_len);
	}
	free(dump_text);
	for (char **line = lines; *line; line++)
		free(*line);
	free(text);
	return 0;
}
