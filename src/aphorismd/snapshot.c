/*
 * snapshot.c - filling a memfd, sealing it, mapping it.
 */
#include "aphorismd/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/regular.h"
#include "models/model.h"

enum { LINE = PATH_MAX + 256, SEALS = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL };

struct header {
	char magic[16];
	uint64_t size;
	struct config config;
};

static const char magic[16] = "aphorismd image";
static const char three[] = "Beautiful is better than? Ugly.\n"
                            "Explicit is better than? Implicit.\n"
                            "Simple is better than? Complex.\n";

struct reporter {
	config_report *report;
	void *arg;
	const char *file;
};

static size_t table_at(void)
{
	return (sizeof(struct header) + 4095) / 4096 * 4096;
}

static void report_line(void *arg, size_t line, const char *reason)
{
	struct reporter *reporter = arg;
	char text[LINE];

	if (line > 0)
		snprintf(text, sizeof text, "%s:%zu: %s", reporter->file, line, reason);
	else
		snprintf(text, sizeof text, "%s: %s", reporter->file, reason);
	reporter->report(reporter->arg, true, text);
}

/* Reads at most size bytes; less when the file has shrunk meanwhile.  -1 on an error. */
static ssize_t read_all(int fd, char *to, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len < size && (n = read(fd, to + len, size - len)) != 0) {
		if (n < 0 && errno != EINTR)
			return -1;
		len += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)len;
}

/* What a machine of 32 bits can't hold is an error; whatever got by here fits into a size_t from then on. */
static void *grow(int memfd, void *old, size_t old_size, uint64_t whole)
{
	size_t size = (size_t)whole;
	void *at;

	if (whole > SIZE_MAX / 2) {
		errno = EFBIG;
		return NULL;
	}
	if (ftruncate(memfd, (off_t)size) < 0)
		return NULL;
	at = old ? mremap(old, old_size, size, MREMAP_MAYMOVE)
	         : mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	return at == MAP_FAILED ? NULL : at;
}

static int fail(struct reporter *reporter, int status)
{
	report_line(reporter, 0, strerror(errno));
	return status;
}

/* The memfd as it is when the text is in place; *fd is the table's file, or -1 for the built-in text. */
static int write_snapshot(int memfd, const struct config *config, int fd, uint64_t text_size, struct reporter *reporter)
{
	uint64_t size = table_at() + sizeof(struct table) + text_size;
	struct header *header = grow(memfd, NULL, 0, size), *grown;
	ssize_t len = (ssize_t)text_size;
	struct table *table;
	size_t lines;

	if (!header)
		return fail(reporter, EX_OSERR);
	table = (struct table *)(void *)((char *)header + table_at());
	if (fd < 0)
		memcpy(table_text(table), three, sizeof three - 1);
	else if ((len = read_all(fd, table_text(table), (size_t)text_size)) < 0)
		return fail(reporter, EX_NOINPUT);
	lines = table_lines(table_text(table), (size_t)len);
	if (!(grown = grow(memfd, header, (size_t)size, table_at() + table_size((size_t)len, lines))))
		return fail(reporter, EX_OSERR);
	header = grown;
	table = (struct table *)(void *)((char *)header + table_at());
	table->text_len = (uint64_t)len;
	memcpy(header->magic, magic, sizeof magic);
	header->size = table_at() + table_size((size_t)len, lines);
	header->config = *config;
	if (fd < 0)
		header->config.aphorisms[0] = '\0';
	if (table_build(table, lines, (size_t)config->max_question_length, report_line, reporter) > 0)
		return EX_CONFIG;
	munmap(header, header->size);     /* no seal against writing while a writable mapping lives */
	if (fcntl(memfd, F_ADD_SEALS, SEALS) < 0)
		return fail(reporter, EX_OSERR);
	return 0;
}

int snapshot_write(int memfd, const struct config *config, bool built_in, config_report *report, void *arg)
{
	struct reporter reporter = { report, arg, config->aphorisms };
	const char *reason;
	struct stat st;
	int fd = regular_open(config->aphorisms, &st, &reason), status;
	char text[LINE];

	if (fd < 0) {
		if (errno != ENOENT || config->set.aphorisms || !built_in) {
			report_line(&reporter, 0, reason);
			return EX_NOINPUT;
		}
		snprintf(text, sizeof text, "%s: not there: serving the three aphorisms that are built in",
		         config->aphorisms);
		report(arg, false, text);
	}
	status = write_snapshot(memfd, config, fd, fd < 0 ? sizeof three - 1 : (uint64_t)st.st_size, &reporter);
	if (fd >= 0)
		close(fd);
	return status;
}

/* With these at least: the kernel may be told to add one against execution. */
static bool is_sealed(int memfd)
{
	int seals = fcntl(memfd, F_GET_SEALS);

	return seals >= 0 && (seals & SEALS) == SEALS;
}

struct service snapshot_service(const struct snapshot *snapshot, const struct config_listen *listen)
{
	const struct protocol *protocol = protocol_find(listen->protocol);
	const struct config *config = snapshot->config;

	return (struct service){
		.protocol = protocol,
		.data = snapshot->table,
		.greatest = protocol->greatest ? protocol->greatest : (uint32_t)config->max_question_length,
		.max_questions = listen->once ? 1 :
		                 protocol->counted ? (uint32_t)config->max_questions_per_connection : 0,
		.question_us = (uint64_t)config->question_us,
		.idle_us = (uint64_t)config->idle_us,
		.costly = config->delay_us > 0 || config->cpu_us > 0 || protocol->cost_us,
		.proxied = listen->proxy,
	};
}

int snapshot_map(struct snapshot *snapshot, int memfd)
{
	const struct header *header;
	struct stat st;

	if (!is_sealed(memfd) || fstat(memfd, &st) < 0 || (uint64_t)st.st_size > SIZE_MAX / 2 ||
	    (size_t)st.st_size < table_at() + sizeof(struct table))
		return -1;
	header = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, memfd, 0);
	if (header == MAP_FAILED)
		return -1;
	if (memcmp(header->magic, magic, sizeof magic) != 0 || header->size != (uint64_t)st.st_size ||
	    !config_validate(&header->config, model_schema())) {
		munmap((void *)(uintptr_t)header, (size_t)st.st_size);
		return -1;
	}
	*snapshot = (struct snapshot){
		.config = &header->config,
		.table = (const struct table *)(const void *)((const char *)header + table_at()),
		.at = (void *)(uintptr_t)header,
		.size = (size_t)st.st_size,
	};
	return 0;
}

void snapshot_unmap(struct snapshot *snapshot)
{
	if (snapshot->at)
		munmap(snapshot->at, snapshot->size);
	*snapshot = (struct snapshot){ .at = NULL };
}
