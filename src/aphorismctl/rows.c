/*
 * rows.c - lines of fields, for each worker, connection or the like.
 */
#include "aphorismctl/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/command.h"
#include "common/plain.h"

enum { COLUMNS = 16 };

bool rows_are(const char *key)
{
	const struct command *command = command_listing(key);

	return command && command->fields;
}

bool rows_next(const char **at, struct field *field)
{
	size_t len = strcspn(*at, "\t");
	const char *equals = memchr(*at, '=', len);

	if (len == 0)
		return false;
	field->name = *at;
	field->name_len = equals ? (size_t)(equals - *at) : len;
	field->value = equals ? equals + 1 : *at + len;
	field->value_len = equals ? len - field->name_len - 1 : 0;
	*at += len + ((*at)[len] == '\t');
	return true;
}

bool rows_find(const struct line *line, const char *name, struct field *field)
{
	const char *at = line->value;

	while (rows_next(&at, field))
		if (field->name_len == strlen(name) && memcmp(field->name, name, field->name_len) == 0)
			return true;
	return false;
}

double rows_number(const struct line *line, const char *name)
{
	struct field field;

	return rows_find(line, name, &field) ? strtod(field.value, NULL) : 0;
}

static bool is_number(const struct field *field)
{
	return strspn(field->value, "0123456789") >= field->value_len;
}

static size_t count_rows(const struct line *lines, size_t count)
{
	size_t rows = 0;

	while (rows < count && strcmp(lines[rows].key, lines[0].key) == 0)
		rows++;
	return rows;
}

static void widen(int width[COLUMNS], const struct line *line)
{
	const char *at = line->value;
	struct field field;

	for (int i = 0; i < COLUMNS && rows_next(&at, &field); i++) {
		int name = (int)plain_put(NULL, field.name, field.name_len);
		int value = (int)plain_put(NULL, field.value, field.value_len);

		if (name > width[i])
			width[i] = name;
		if (value > width[i])
			width[i] = value;
	}
}

/* A row, or the head above it; numbers stand to the right. */
static void print_row(const int width[COLUMNS], const struct line *line, bool head)
{
	const char *at = line->value;
	struct field field;

	for (int i = 0; i < COLUMNS && rows_next(&at, &field); i++) {
		bool last = *at == '\0';
		const char *text = head ? field.name : field.value;
		size_t len = head ? field.name_len : field.value_len;
		int room = width[i] - (int)plain_put(NULL, text, len);

		printf("%s%*s", i ? "  " : "", is_number(&field) ? room : 0, "");
		plain_put(stdout, text, len);
		printf("%*s", is_number(&field) || last ? 0 : room, "");
	}
	putchar('\n');
}

size_t rows_print(const struct line *lines, size_t count)
{
	size_t rows = count_rows(lines, count);
	int width[COLUMNS] = { 0 };

	for (size_t i = 0; i < rows; i++)
		widen(width, &lines[i]);
	print_row(width, &lines[0], true);
	for (size_t i = 0; i < rows; i++)
		print_row(width, &lines[i], false);
	return rows;
}
