/*
 * csv.c - the cells of a record as comma-separated values.
 */
#include "aphorism-bench/csv.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "aphorism-bench/fields.h"
#include "aphorism-bench/out.h"

static void put_text(FILE *file, const char *text)
{
	if (!strpbrk(text, ",\"\r\n")) {
		fputs(text, file);
		return;
	}
	putc('"', file);
	for (; *text; text++) {
		if (*text == '"')
			putc('"', file);
		putc(*text, file);
	}
	putc('"', file);
}

static void put_field(FILE *file, const struct field *field, const void *holder)
{
	const void *at = (const char *)holder + field->offset;

	if (!field_known(field, holder))
		return;
	switch (field->kind) {
	case FIELD_TEXT:
		put_text(file, at);
		break;
	case FIELD_TRUTH:
		fputs(*(const bool *)at ? "true" : "false", file);
		break;
	case FIELD_COUNT:
	case FIELD_SEEN:
		fprintf(file, "%" PRIu32, *(const uint32_t *)at);
		break;
	case FIELD_LARGE:
	case FIELD_LARGE_SEEN:
	case FIELD_LARGE_NEWER:
		fprintf(file, "%" PRIu64, *(const uint64_t *)at);
		break;
	case FIELD_REAL:
	case FIELD_SHARE:
		fprintf(file, "%.10g", *(const double *)at);
		break;
	}
}

int csv_write(const struct record *record, const char *name)
{
	struct out out;
	int status = out_open(&out, name);

	if (status != EX_OK)
		return status;
	for (const struct field *field = fields_cell; field->name; field++)
		fprintf(out.file, "%s%s", field == fields_cell ? "" : ",", field->name);
	for (size_t i = 0; i < LOAD_ERRORS; i++)
		fprintf(out.file, ",errors_%s", load_error_names[i].name);
	putc('\n', out.file);
	for (const struct cell *cell = record->cells; cell < record->cells + record->cell_count; cell++) {
		for (const struct field *field = fields_cell; field->name; field++) {
			if (field != fields_cell)
				putc(',', out.file);
			put_field(out.file, field, cell);
		}
		for (size_t i = 0; i < LOAD_ERRORS; i++)
			fprintf(out.file, ",%" PRIu64, cell->errors[i]);
		putc('\n', out.file);
	}
	return out_close(&out);
}
