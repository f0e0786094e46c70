/*
 * test_folder.c - the way to a file.  Whose links are followed tests/system/test_paths.py shows, as root.
 */
#include "common/folder.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char top[] = "/tmp/folder-XXXXXX";
static char path[2 * PATH_MAX];

/* top/a/b/c, and top/file. */
static void set_up(void)
{
	strcpy(top + strlen(top) - 6, "XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(top));
	ck_assert_int_eq(chdir(top), 0);
	ck_assert_int_eq(mkdir("a", 0755) | mkdir("a/b", 0755) | mkdir("a/b/c", 0755), 0);
	close(open("file", O_WRONLY | O_CREAT, 0600));
}

static void tear_down(void)
{
	char command[64];

	snprintf(command, sizeof command, "rm -r %s", top);
	ck_assert_int_eq(chdir("/"), 0);
	ck_assert_int_eq(system(command), 0);
}

static const char *in_top(const char *name)
{
	snprintf(path, sizeof path, "%s/%s", top, name);
	return path;
}

/* Does that way end in that folder? */
static bool leads(const char *way, const char *to)
{
	struct folder folder;
	struct stat found, meant;
	bool same;

	if (!folder_open(&folder, way))
		return false;
	same = fstat(folder.fd, &found) == 0 && stat(to, &meant) == 0 && found.st_dev == meant.st_dev &&
	       found.st_ino == meant.st_ino && strcmp(folder.name, "name") == 0;
	folder_close(&folder);
	return same;
}

START_TEST(names)
{
	ck_assert(leads(in_top("a/b/c/name"), "a/b/c"));
	ck_assert(leads(in_top("a//b/./c///name"), "a/b/c"));
	ck_assert(leads(in_top("a/b/../b/c/../name"), "a/b"));
	ck_assert(leads("/name", "/"));
	ck_assert(leads("//name", "/"));
	ck_assert(leads("name", "."));
	ck_assert(leads("a/name", "a"));
}
END_TEST

START_TEST(links_of_our_own)
{
	ck_assert_int_eq(symlink("a/b", "near") | symlink(top, "a/far") | symlink("near/c", "a/b/c/dead"), 0);
	ck_assert_int_eq(symlink("../far/near/c", "a/b/long"), 0);
	ck_assert(leads(in_top("near/name"), "a/b"));
	ck_assert(leads(in_top("near/c/name"), "a/b/c"));
	ck_assert(leads(in_top("a/far/near/../name"), "a"));
	ck_assert(leads(in_top("near/long/name"), "a/b/c"));
	ck_assert(!leads(in_top("near/c/dead/name"), "a") && errno == ENOENT);
}
END_TEST

static void fails(const char *way, int error)
{
	struct folder folder;

	errno = 0;
	ck_assert_msg(!folder_open(&folder, way), "%s", way);
	ck_assert_msg(errno == error, "%s: %s", way, strerror(errno));
}

START_TEST(ways_that_do_not_end)
{
	char *deep = malloc(2 * PATH_MAX);

	ck_assert_int_eq(symlink("loop", "loop") | symlink("there", "back") | symlink("back", "there"), 0);
	fails("", ENOENT);
	fails("a/", EISDIR);
	fails("/", EISDIR);
	fails(in_top("missing/name"), ENOENT);
	fails(in_top("file/name"), ENOTDIR);
	fails(in_top("loop/name"), ELOOP);
	fails(in_top("there/name"), ELOOP);
	memset(deep, 'x', 2 * PATH_MAX);
	memcpy(deep + NAME_MAX + 1, "/name", 6);
	fails(deep, ENAMETOOLONG);
	for (int i = 0; i < PATH_MAX; i += 2)
		memcpy(deep + i, "./", 2);
	strcpy(deep + PATH_MAX, "name");
	fails(deep, ENAMETOOLONG);
	free(deep);
}
END_TEST

START_TEST(who_may_change_the_way)
{
	struct folder folder;

	ck_assert(folder_open(&folder, in_top("a/b/name")));
	ck_assert(folder.fixed && folder.kept);           /* top is ours, and /tmp lets nobody else move it */
	folder_close(&folder);
	ck_assert_int_eq(chmod("a/b", 0777), 0);
	ck_assert(folder_open(&folder, in_top("a/b/name")));
	ck_assert(folder.fixed && !folder.kept);
	folder_close(&folder);
	ck_assert(folder_open(&folder, in_top("a/b/c/name")));
	ck_assert(!folder.fixed && folder.kept);
	folder_close(&folder);
	ck_assert_int_eq(chmod("a/b", 01777), 0);
	ck_assert(folder_open(&folder, in_top("a/b/c/name")));
	ck_assert(folder.fixed && folder.kept);
	folder_close(&folder);
	ck_assert_int_eq(chmod("a/b", 0775), 0);
	ck_assert(folder_open(&folder, in_top("a/b/name")));
	ck_assert(!folder.kept);
	folder_close(&folder);
}
END_TEST

START_TEST(only_that_very_file_is_removed)
{
	struct folder folder;
	struct stat file, seen;
	int fd;

	ck_assert_int_eq(stat("file", &file), 0);
	ck_assert(folder_open(&folder, in_top("file")));
	ck_assert(!folder_remove(&folder, file.st_dev, file.st_ino + 1) && errno == EEXIST);
	ck_assert_int_eq(rename("file", "other") | symlink("other", "file"), 0);
	ck_assert(!folder_remove(&folder, file.st_dev, file.st_ino));     /* a link to it is another file */
	fd = folder_open_file(&folder, &seen);
	ck_assert(fd >= 0 && S_ISLNK(seen.st_mode));
	close(fd);
	ck_assert_int_eq(unlink("file") | rename("other", "file"), 0);
	ck_assert(folder_remove(&folder, file.st_dev, file.st_ino));
	ck_assert(!folder_remove(&folder, file.st_dev, file.st_ino) && errno == ENOENT);
	ck_assert(folder_open_file(&folder, &seen) < 0 && errno == ENOENT);
	folder_close(&folder);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("folder");
	TCase *tcase = tcase_create("folder");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, tear_down);
	tcase_add_test(tcase, names);
	tcase_add_test(tcase, links_of_our_own);
	tcase_add_test(tcase, ways_that_do_not_end);
	tcase_add_test(tcase, who_may_change_the_way);
	tcase_add_test(tcase, only_that_very_file_is_removed);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
