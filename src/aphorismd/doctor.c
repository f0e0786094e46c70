/*
 * doctor.c - findings, each with the line that mends it.
 */
#include "aphorismd/doctor.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "aphorismd/pidfile.h"
#include "common/cgroup.h"
#include "common/compat.h"
#include "common/cpus.h"
#include "common/folder.h"
#include "models/model.h"

enum {
	OWN_FILES = 16,                   /* descriptors of a worker beside listeners and connections */
	OWN_TASKS = 6,                    /* supervisor and starter, in an upgrade twice; loader; writer of metrics */
	/* bytes, with what the kernel needs: about, on the safe side */
	BASE = 4 << 20, PROCESS = 300 << 10, THREAD = 32 << 10, CONNECTION = 4 << 10,
};

/* ---- what the system grants ---- */

static uint64_t tasks_in(const char *folder, bool v2)
{
	(void)v2;
	return cgroup_number(folder, "pids.max");
}

static uint64_t memory_in(const char *folder, bool v2)
{
	return cgroup_number(folder, v2 ? "memory.max" : "memory.limit_in_bytes");
}

static uint64_t limit_of(int resource)
{
	struct rlimit limit;

	return getrlimit(resource, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

void doctor_learn(struct doctor_facts *facts)
{
	uint64_t processes = limit_of(RLIMIT_NPROC), group = cgroup_least("memory", memory_in);
	struct sysinfo system;

	*facts = (struct doctor_facts){
		.somaxconn = cgroup_number("/proc/sys/net/core", "somaxconn"),
		.files = limit_of(RLIMIT_NOFILE),
		.tasks = cgroup_least("pids", tasks_in),
		.tasks_by = "TasksMax",
		.memory = UINT64_MAX,
		.cpus = cpus_usable(),
	};
	if (processes < facts->tasks) {
		facts->tasks = processes;
		facts->tasks_by = "LimitNPROC";
	}
	if (sysinfo(&system) == 0)
		facts->memory = (uint64_t)system.totalram * system.mem_unit;
	if (group < facts->memory)
		facts->memory = group;
}

/* ---- telling ---- */

const char *const doctor_levels[] = { "note", "warning", "error" };

struct doctor {
	const struct config *config;
	const struct model *model;
	struct plan plan;
	const struct doctor_ear *ear;
	char mend[PATH_MAX + 64];
};

static struct doctor doctor_for(const struct config *config, const struct doctor_ear *ear)
{
	const struct model *model = model_find(config->model);

	return (struct doctor){ config, model, model->plan(config), ear, "" };
}

static void __attribute__((format(printf, 2, 3))) mend_by(struct doctor *doctor, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(doctor->mend, sizeof doctor->mend, format, arguments);
	va_end(arguments);
}

void doctor_find(const struct doctor_ear *ear, enum doctor_level level, const char *about, const char *mend,
                 const char *format, ...)
{
	char what[2 * PATH_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof what, format, arguments);
	va_end(arguments);
	ear->hear(ear->arg, level, about, what, mend);
}

/* ---- the configuration ---- */

static void check_backlog(struct doctor *doctor, const struct doctor_facts *facts)
{
	if ((uint64_t)doctor->config->backlog <= facts->somaxconn)
		return;
	mend_by(doctor, "sysctl -w net.core.somaxconn=%" PRId64, doctor->config->backlog);
	doctor_find(doctor->ear, DOCTOR_WARNING, "backlog", doctor->mend,
	            "%" PRId64 " is cut to %" PRIu64 " by the kernel (net.core.somaxconn)", doctor->config->backlog,
	            facts->somaxconn);
}

/* Of a limit that somebody wrote: what the default of one key makes of that of another is nobody's mistake. */
static void check_capacity(struct doctor *doctor)
{
	if (!doctor->config->set.max_connections || doctor->plan.capacity >= doctor->config->max_connections)
		return;
	mend_by(doctor, "max_connections = %u;", doctor->plan.capacity);
	doctor_find(doctor->ear, DOCTOR_WARNING, "max_connections", doctor->mend,
	            "model %s serves %u at once, not %" PRId64 "; more clients wait in the backlog",
	            doctor->model->name, doctor->plan.capacity, doctor->config->max_connections);
}

/* The most connections that one process may come to hold. */
static uint64_t most_held(const struct doctor *doctor)
{
	if (doctor->plan.makes & SANDBOX_PROCESSES)
		return 1;
	if (doctor->model->nonblocking)
		return doctor->plan.capacity;     /* by whoever of them is quickest */
	return (doctor->plan.capacity + doctor->plan.most_workers - 1) / doctor->plan.most_workers;
}

static void check_files(struct doctor *doctor, const struct doctor_facts *facts)
{
	uint64_t needed = most_held(doctor) + 2 * (uint64_t)doctor->config->listeners + OWN_FILES;

	if (needed <= facts->files)
		return;
	mend_by(doctor, "LimitNOFILE=%" PRIu64 " in the unit, or before the start: ulimit -n %" PRIu64, needed, needed);
	doctor_find(doctor->ear, DOCTOR_WARNING, "descriptors", doctor->mend,
	            "a process of model %s may need %" PRIu64 " for max_connections, the limit is %" PRIu64,
	            doctor->model->name, needed, facts->files);
}

/* Of one generation. */
static uint64_t most_tasks(const struct doctor *doctor)
{
	const struct plan *plan = &doctor->plan;
	uint64_t each = plan->makes & SANDBOX_THREADS ? (uint64_t)plan->conversations + 1 : 1;

	return plan->most_workers * each + (plan->makes & SANDBOX_PROCESSES ? plan->capacity : 0);
}

/* While a reload or an upgrade is under way there are two generations. */
static void check_tasks(struct doctor *doctor, const struct doctor_facts *facts)
{
	uint64_t needed = 2 * most_tasks(doctor) + OWN_TASKS;

	if (needed <= facts->tasks)
		return;
	mend_by(doctor, "%s=%" PRIu64 " in the unit, or max_connections = %" PRIu64 ";", facts->tasks_by, needed,
	        facts->tasks > OWN_TASKS + 4 ? (facts->tasks - OWN_TASKS) / 2 - 1 : 1);
	doctor_find(doctor->ear, DOCTOR_WARNING, "tasks", doctor->mend,
	            "model %s may need %" PRIu64 " processes and threads in a reload, the limit is %" PRIu64,
	            doctor->model->name, needed, facts->tasks);
}

static void check_memory(struct doctor *doctor, const struct doctor_facts *facts, size_t snapshot_size)
{
	const struct plan *plan = &doctor->plan;
	uint64_t fixed = BASE + snapshot_size, tasks = most_tasks(doctor);
	uint64_t each = plan->makes & SANDBOX_THREADS ? THREAD : PROCESS;
	uint64_t needed = fixed + tasks * each + plan->capacity * (uint64_t)CONNECTION;
	uint64_t left = facts->memory > fixed ? facts->memory - fixed : 0, most;

	if (needed <= facts->memory)
		return;
	each = (needed - fixed) / (plan->capacity > 0 ? plan->capacity : 1) + 1;
	most = left / each;
	most -= most / 64;        /* what all share counts as well */
	mend_by(doctor, "max_connections = %" PRIu64 ";", most > 0 ? most : 1);
	doctor_find(doctor->ear, DOCTOR_WARNING, "memory", doctor->mend,
	            "model %s takes about %" PRIu64 " MiB at its limit, there are %" PRIu64, doctor->model->name,
	            needed >> 20, facts->memory >> 20);
}

static void check_cpus(struct doctor *doctor, const struct doctor_facts *facts)
{
	if (!doctor->model->nonblocking || doctor->plan.workers <= facts->cpus)
		return;
	mend_by(doctor, "%s = { workers = 0; };", doctor->model->name);
	doctor_find(doctor->ear, DOCTOR_NOTE, "cpus", doctor->mend,
	            "%u loops share %u usable CPUs, which serves nobody sooner", doctor->plan.workers, facts->cpus);
}

static void check_file(struct doctor *doctor, const char *about, const char *path, bool exposed)
{
	if (!exposed)
		return;
	mend_by(doctor, "chmod go-w %s; chown %u %s", path, (unsigned)geteuid(), path);
	doctor_find(doctor->ear, DOCTOR_WARNING, about, doctor->mend,
	            "%s may be changed by others than who starts the daemon", path);
}

static void check_sandbox(struct doctor *doctor)
{
	if (doctor->config->sandbox != SANDBOX_OFF)
		return;
	doctor_find(doctor->ear, DOCTOR_WARNING, "process.sandbox", "process = { sandbox = \"auto\"; };",
	            "off: who takes a worker over may do what its user may");
}

/* Whatever is done instead serves, too. */
static void tell_lacking(void *ear, const char *call, const char *what, const char *mend)
{
	doctor_find(ear, DOCTOR_NOTE, call, mend, "%s", what);
}

void doctor_check(const struct config *config, size_t snapshot_size, const struct options *options,
                  const struct doctor_facts *facts, const struct doctor_ear *ear)
{
	struct doctor doctor = doctor_for(config, ear);

	check_backlog(&doctor, facts);
	check_capacity(&doctor);
	check_files(&doctor, facts);
	check_tasks(&doctor, facts);
	check_memory(&doctor, facts, snapshot_size);
	check_cpus(&doctor, facts);
	check_file(&doctor, "configuration", options->file, config->exposed.file);
	check_file(&doctor, "aphorisms", config->aphorisms, config->exposed.aphorisms);
	check_sandbox(&doctor);
	compat_each_lacking(tell_lacking, (void *)(uintptr_t)ear);
}

void doctor_check_user(const struct privileges *privileges, const struct doctor_ear *ear)
{
	if (privileges_are_roots(privileges))
		doctor_find(ear, DOCTOR_WARNING, "process.user", "process = { user = \"aphorismd\"; };",
		            "workers keep the rights of root");
}

/* ---- the load ---- */

/* A model that holds as many as max_connections allows: the one that waits for all of them in one loop. */
static const struct model *roomiest(const struct config *config)
{
	const struct model *best = NULL;

	for (size_t i = 0; models[i]; i++)
		if (!models[i]->adjust && models[i]->nonblocking &&
		    models[i]->plan(config).capacity >= config->max_connections)
			best = models[i];
	return best;
}

/* What would let so many be served at once: another model, where this one holds no more whatever the limit is. */
static void mend_room(struct doctor *doctor, uint64_t clients)
{
	static struct config more;
	const struct model *better = roomiest(doctor->config);
	uint64_t held;

	more = *doctor->config;
	more.max_connections = (int64_t)(2 * clients);
	held = doctor->model->plan(&more).capacity;
	if (doctor->plan.capacity < doctor->config->max_connections && better)
		mend_by(doctor, "model = \"%s\";", better->name);
	else if ((held < clients || held <= doctor->plan.capacity) && better)
		mend_by(doctor, "model = \"%s\"; max_connections = %" PRIu64 ";", better->name, 2 * clients);
	else
		mend_by(doctor, "max_connections = %" PRIu64 ";", 2 * clients);
}

void doctor_check_load(const struct config *config, const struct figures *figures, const struct doctor_ear *ear)
{
	struct doctor doctor = doctor_for(config, ear);
	uint64_t clients = figures->connections_open + figures->queued, most = (uint64_t)config->max_connections;
	const struct model *better = roomiest(config);
	bool fits = doctor.plan.capacity < most && better && clients <= most;

	if (figures->queued > 0 && figures->connections_open >= doctor.plan.capacity) {
		mend_room(&doctor, clients);
		doctor_find(ear, DOCTOR_WARNING, "load", doctor.mend,
		            "%" PRIu64 " of %" PRIu64 " clients wait: %s serves %u at a time%s%s%s", figures->queued,
		            clients, doctor.model->name, doctor.plan.capacity, fits ? "; " : "",
		            fits ? better->name : "", fits ? " would serve all" : "");
	} else if (figures->totals.count[COUNT_ACCEPT_WAITS] > 0) {
		mend_room(&doctor, doctor.plan.capacity);
		doctor_find(ear, DOCTOR_NOTE, "load", doctor.mend,
		            "clients had to wait %" PRIu64 " times, for a seat, a descriptor, a process or a thread",
		            figures->totals.count[COUNT_ACCEPT_WAITS]);
	}
	if (figures->totals.count[COUNT_REFUSED_LIMIT] > 0) {
		mend_room(&doctor, most);
		doctor_find(ear, DOCTOR_WARNING, "max_connections", doctor.mend,
		            "was reached; clients refused so far: %" PRIu64,
		            figures->totals.count[COUNT_REFUSED_LIMIT]);
	}
}

/* ---- files ---- */

bool doctor_is_exposed(const char *path)
{
	struct stat st;

	if (*path == '\0' || stat(path, &st) < 0)
		return false;
	return st.st_mode & S_IWOTH || (st.st_uid != 0 && st.st_uid != geteuid()) ||
	       (geteuid() == 0 && st.st_mode & S_IWGRP && st.st_gid != 0);
}

/* A daemon that runs has it locked. */
static bool was_left(const struct folder *folder)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = openat(folder->fd, folder->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	bool left = fd >= 0 && fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK;

	if (fd >= 0)
		close(fd);
	return left;
}

void doctor_check_pidfile(const char *path, enum doctor_level grave, const struct doctor_ear *ear)
{
	static const char about[] = "process.pidfile";
	bool held = pidfile_path()[0] != '\0';
	char mend[PATH_MAX + 64];
	const char *refused = NULL;
	struct folder folder;
	struct stat st;

	snprintf(mend, sizeof mend, "rm %s%s", path, held ? ", and restart the daemon" : "");
	if (pidfile_is_lost()) {
		doctor_find(ear, grave, about, mend, "%s is not the file of this daemon any more", path);
		return;
	}
	if (!folder_open(&folder, path))
		return;
	if (fstatat(folder.fd, folder.name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		refused = pidfile_refuses(&st);
	if (refused)
		doctor_find(ear, grave, about, mend, "%s: %s; a start or an upgrade refuses that", path, refused);
	else if (!held && was_left(&folder))
		doctor_find(ear, DOCTOR_NOTE, about, mend,
		            "%s was left by a daemon that is gone; the next one replaces it", path);
	if (!folder.fixed || !folder.kept)
		doctor_find(ear, DOCTOR_WARNING, about, "a folder that only who starts the daemon may write to",
		            "%s may be replaced by others than who starts the daemon", path);
	folder_close(&folder);
}
