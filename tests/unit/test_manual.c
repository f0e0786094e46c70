/*
 * test_manual.c - each row of a table has its words in the manual.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config_parts.h"
#include "metrics/figures.h"
#include "models/model.h"

enum { ROOM = 1 << 20 };

static const char *page;                  /* its name */
static char *text;                        /* behind a newline */

static void read_page(const char *name)
{
	const char *top = getenv("srcdir");
	char path[4096];
	FILE *file;

	free(text);
	page = name;
	text = calloc(1, ROOM);
	snprintf(path, sizeof path, "%s/man/%s", top ? top : ".", name);
	file = fopen(path, "r");
	ck_assert_msg(file != NULL, "%s can't be read", path);
	*text = '\n';
	ck_assert_uint_gt(fread(text + 1, 1, ROOM - 2, file), 0);
	fclose(file);
}

/* The first line that begins so, and is that word at its end; or NULL. */
static const char *find(const char *from, const char *begins, const char *word)
{
	size_t len = strlen(word);
	char line[128];

	snprintf(line, sizeof line, "\n%s %s", begins, word);
	while ((from = strstr(from, line)) != NULL && !strchr(" \n", from[strlen(line)]))
		from += len;
	return from;
}

static void has_item(const char *begins, const char *word)
{
	ck_assert_msg(find(text, begins, word) != NULL, "%s has no \"%s %s\"", page, begins, word);
}

static bool is_part_of_word(char byte)
{
	return byte != '\0' && strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", byte);
}

static bool has_word(const char *from, const char *end, const char *word)
{
	size_t len = strlen(word);

	for (; (from = strstr(from, word)) != NULL && from < end; from += len)
		if (!is_part_of_word(from[-1]) && !is_part_of_word(from[len]))
			return true;
	return false;
}

/* Of a key, up to the next one. */
static void item_has_word(const char *key, const char *word)
{
	const char *from = find(text, ".It Ic", key), *end = from ? strstr(from + 1, "\n.It Ic") : NULL;

	ck_assert_msg(from && has_word(from, end ? end : text + strlen(text), word), "%s says nothing of \"%s\" at %s",
	              page, word, key);
}

static void key_has_words(void *arg, const struct key *key)
{
	char choices[256], *rest = choices, *choice;

	(void)arg;
	has_item(".It Ic", key->name);
	snprintf(choices, sizeof choices, "%s", key->choices ? key->choices : "");
	while ((choice = strsep(&rest, "|")) != NULL && *choice)
		item_has_word(key->name, choice);
}

START_TEST(keys)
{
	read_page("aphorismd.conf.5");
	config_each_key(model_schema(), key_has_words, NULL);
	for (const struct key *key = config_listen_keys; key->name; key++)
		has_item(".It Cm", key->name);
}
END_TEST

static void is_key(void *arg, const struct key *key)
{
	const char **name = arg;

	if (*name && strcmp(*name, key->name) == 0)
		*name = NULL;
}

START_TEST(no_other_keys)
{
	char *rest, *line;

	read_page("aphorismd.conf.5");
	rest = text;
	while ((line = strsep(&rest, "\n")) != NULL) {
		const char *name = line + strlen(".It Ic ");

		if (strncmp(line, ".It Ic ", strlen(".It Ic ")) != 0 || !strchr(name, '.'))
			continue;
		line[strcspn(line + 7, " ") + 7] = '\0';
		config_each_key(model_schema(), is_key, &name);
		ck_assert_msg(name == NULL, "%s has an item for %s, which is no key", page, name);
	}
}
END_TEST

START_TEST(models_and_protocols)
{
	char quoted[128];

	read_page("aphorismd-models.7");
	for (size_t i = 0; models[i]; i++) {
		has_item(".Ss", models[i]->name);
		ck_assert_msg(find(find(text, ".It", models[i]->name) + 1, ".It", models[i]->name) != NULL,
		              "%s has %s not in both of its tables", page, models[i]->name);
	}
	read_page("aphorismd.conf.5");
	for (size_t i = 0; protocols[i]; i++) {
		snprintf(quoted, sizeof quoted, "Qq %s", protocols[i]->name);
		item_has_word("listen", quoted);
	}
}
END_TEST

START_TEST(figures)
{
	static char all[65536];
	struct figures some = { .model = "event", .sees_queues = true };
	FILE *to = fmemopen(all, sizeof all, "w");
	char *rest = all, *line;

	ck_assert_ptr_nonnull(to);
	figures_print_all(&some, to);
	fclose(to);
	read_page("aphorismctl.8");
	while ((line = strsep(&rest, "\n")) != NULL) {
		const char *item = text;

		line[strcspn(line, " ")] = '\0';
		if (*line == '\0' || strncmp(line, "service_", strlen("service_")) == 0)
			continue;         /* of no row */
		while ((item = strstr(item, "\n.It Cm ")) != NULL && !has_word(item, strchr(item + 1, '\n'), line))
			item++;
		ck_assert_msg(item != NULL, "%s has no item for %s", page, line);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("manual");
	TCase *tcase = tcase_create("manual");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, keys);
	tcase_add_test(tcase, no_other_keys);
	tcase_add_test(tcase, models_and_protocols);
	tcase_add_test(tcase, figures);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed > 0;
}
