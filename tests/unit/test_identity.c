/*
 * test_identity.c - that it takes effect, and that nothing of it stays.  What for: tests/system/test_owner.py.
 */
#include "common/identity.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OTHER = 4242 };

static char path[] = "/tmp/identity-XXXXXX";

static struct stat made(void)
{
	struct stat st;
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(fstat(fd, &st), 0);
	close(fd);
	ck_assert_int_eq(unlink(path), 0);
	return st;
}

/* Whether this process may: not as an ordinary user, nor as root in some containers. */
static bool may_be_other(void)
{
	struct identity before;

	strcpy(path + strlen(path) - 6, "XXXXXX");
	close(mkstemp(path));
	unlink(path);
	if (!identity_take(&before, OTHER, OTHER + 1)) {
		ck_assert_int_eq(errno, EPERM);
		return false;
	}
	identity_leave(&before);
	return true;
}

START_TEST(nobody_else)
{
	struct identity before;
	struct stat st;

	may_be_other();
	ck_assert(identity_take(&before, geteuid(), getegid()));
	st = made();
	identity_leave(&before);
	ck_assert_uint_eq(st.st_uid, geteuid());
	ck_assert(geteuid() == 0 || (!identity_take(&before, OTHER, OTHER) && errno == EPERM));
	st = made();
	ck_assert_uint_eq(st.st_uid, geteuid());
}
END_TEST

START_TEST(another_one)
{
	struct capabilities all, few, now;
	struct identity before;
	struct stat st;

	if (!may_be_other())
		return;
	ck_assert(capability_get(&all));
	few = all;
	few.words[0].effective &= ~(1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE);
	ck_assert(capability_set(&few));
	ck_assert_int_eq(prctl(PR_SET_DUMPABLE, 1), 0);
	ck_assert(identity_take(&before, OTHER, OTHER + 1));
	st = made();
	errno = EXDEV;
	identity_leave(&before);
	ck_assert_int_eq(errno, EXDEV);
	ck_assert_uint_eq(st.st_uid, OTHER);
	ck_assert_uint_eq(st.st_gid, OTHER + 1);
	st = made();
	ck_assert_uint_eq(st.st_uid, 0);
	ck_assert_uint_eq(st.st_gid, getegid());
	ck_assert(capability_get(&now));
	ck_assert_mem_eq(&now, &few, sizeof now);
	ck_assert_int_eq(prctl(PR_GET_DUMPABLE), 1);
	capability_set(&all);
}
END_TEST

START_TEST(giving)
{
	struct capabilities all, few, now;
	struct stat st;
	int fd;

	if (!may_be_other() || !capability_get(&all) || !(all.words[0].permitted & 1u << CAP_CHOWN))
		return;
	few = all;
	few.words[0].effective &= ~(1u << CAP_CHOWN);
	ck_assert(capability_set(&few));
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	ck_assert(fchown(fd, OTHER, (gid_t)-1) < 0 && errno == EPERM);
	close(fd);
	fd = open(path, O_PATH | O_NOFOLLOW);
	ck_assert(identity_give(fd, OTHER, (gid_t)-1));
	ck_assert(fstat(fd, &st) == 0 && st.st_uid == OTHER && st.st_gid == getegid());
	ck_assert(identity_give(fd, (uid_t)-1, OTHER + 1));
	ck_assert(fstat(fd, &st) == 0 && st.st_uid == OTHER && st.st_gid == OTHER + 1);
	ck_assert(capability_get(&now));
	ck_assert_mem_eq(&now, &few, sizeof now);
	close(fd);
	ck_assert(!identity_give(fd, OTHER, OTHER) && errno == EBADF);
	ck_assert_int_eq(unlink(path), 0);
	capability_set(&all);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("identity");
	TCase *tcase = tcase_create("identity");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, nobody_else);
	tcase_add_test(tcase, another_one);
	tcase_add_test(tcase, giving);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
