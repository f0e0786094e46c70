/*
 * json.c - a record as a JSON file: written, and read again.
 */
#include "aphorism-bench/json.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "aphorism-bench/fields.h"
#include "aphorism-bench/json_text.h"
#include "aphorism-bench/out.h"
#include "aphorism-bench/view.h"
#include "common/plain.h"

/* Enough for every figure, and 0.97 stays 0.97. */
enum { DIGITS = 10 };

/* Of a figure that is not 0: no run has smaller or larger ones, and what is drawn has to fit a picture's axes. */
static const double least_real = 1e-18, most_real = 1e15;

/* Writing.  Whatever there is no memory for becomes NULL, which its holder refuses to take. */

/* Text came from the system and from the command line: what a file may not hold, when it is read, becomes '?'. */
static json_t *text_value(const char *text)
{
	char *clean = strdup(text);
	json_t *value = clean ? json_string(plain_clean(clean, strlen(clean), '?')) : NULL;

	free(clean);
	return value;
}

static json_t *real_value(double real)
{
	return isfinite(real) && real >= 0 ? json_real(real) : json_null();
}

static json_t *field_value(const struct field *field, const void *holder)
{
	const void *at = (const char *)holder + field->offset;

	if (!field_known(field, holder))
		return json_null();
	switch (field->kind) {
	case FIELD_TEXT:
		return text_value(at);
	case FIELD_TRUTH:
		return json_boolean(*(const bool *)at);
	case FIELD_COUNT:
	case FIELD_SEEN:
		return json_integer(*(const uint32_t *)at);
	case FIELD_LARGE:
	case FIELD_LARGE_SEEN:
	case FIELD_LARGE_NEWER:
		return json_integer((json_int_t)*(const uint64_t *)at);
	case FIELD_REAL:
	case FIELD_SHARE:
		return json_real(*(const double *)at);
	}
	return NULL;
}

/* Whether all of the fields could be put into the object. */
static bool put_fields(json_t *object, const struct field *field, const void *holder)
{
	bool done = true;

	for (; field->name; field++)
		done &= json_object_set_new(object, field->name, field_value(field, holder)) == 0;
	return done;
}

static json_t *curve_value(const double *reals)
{
	json_t *array = json_array();

	for (size_t i = 0; i < CELL_CURVE; i++)
		json_array_append_new(array, real_value(reals[i]));
	return array;
}

static json_t *errors_value(const uint64_t *errors)
{
	json_t *object = json_object();

	for (size_t i = 0; i < LOAD_ERRORS; i++)
		json_object_set_new(object, load_error_names[i].name, json_integer((json_int_t)errors[i]));
	return object;
}

static json_t *record_value(const struct record *record)
{
	json_t *root = json_object(), *cells = json_array();
	bool done = json_object_set_new(root, "schema_version", json_integer(CELL_SCHEMA)) == 0 &&
	            put_fields(root, fields_record, record) &&
	            json_object_set_new(root, "percentiles", curve_value(cell_percentiles)) == 0 &&
	            json_object_set(root, "cells", cells) == 0;

	for (size_t i = 0; done && i < record->cell_count; i++) {
		const struct cell *cell = &record->cells[i];
		json_t *object = json_object();

		done = put_fields(object, fields_cell, cell) &&
		       json_object_set_new(object, "errors", errors_value(cell->errors)) == 0 &&
		       json_object_set_new(object, "curve_us", curve_value(cell->curve_us)) == 0;
		done = json_array_append_new(cells, object) == 0 && done;
	}
	json_decref(cells);
	if (done)
		return root;
	json_decref(root);
	return NULL;
}

int json_write(const struct record *record, const char *file)
{
	json_t *root = record_value(record);
	struct out out;
	int status;

	if (!root) {
		fprintf(stderr, "aphorism-bench: %s: not enough memory\n", file);
		return EX_OSERR;
	}
	status = out_open(&out, file);
	if (status == EX_OK) {
		/* what fails here shows in the stream, unless it is memory */
		bool done = json_dumpf(root, out.file, JSON_INDENT(1) | JSON_REAL_PRECISION(DIGITS)) == 0;

		putc('\n', out.file);
		if (done || ferror(out.file)) {
			status = out_close(&out);
		} else {
			fprintf(stderr, "aphorism-bench: %s: not enough memory\n", file);
			out_abandon(&out);
			status = EX_OSERR;
		}
	}
	json_decref(root);
	return status;
}

/* Reading.  A reason is static text, NULL when all is well. */

static const char *get_text(const json_t *value, char *to, size_t size)
{
	if (!json_is_string(value))
		return "is not a string";
	if (json_string_length(value) >= size)
		return "is too long";
	if (!plain_is_text(json_string_value(value)))     /* neither a terminal nor gnuplot is to meet that */
		return "holds a control character";
	strcpy(to, json_string_value(value));
	return NULL;
}

static const char *get_integer(const json_t *value, uint64_t most, uint64_t *to)
{
	if (!json_is_integer(value))
		return "is not an integer";
	if (json_integer_value(value) < 0 || (uint64_t)json_integer_value(value) > most)
		return "is out of range";
	*to = (uint64_t)json_integer_value(value);
	return NULL;
}

static const char *get_real(const json_t *value, double most, double *to)
{
	double real;

	*to = NAN;
	if (json_is_null(value))
		return NULL;
	if (!json_is_number(value))
		return "is neither a number nor null";
	real = json_number_value(value);
	if (real < 0 || real > most || (real > 0 && real < least_real))
		return "is out of range";
	*to = real;
	return NULL;
}

static const char *get_field(const json_t *object, const struct field *field, void *holder)
{
	const json_t *value = json_object_get(object, field->name);
	void *at = (char *)holder + field->offset;
	const char *reason = NULL;
	uint64_t integer = 0;

	if (!value)
		return field->kind == FIELD_LARGE_NEWER ? NULL : "is missing";
	switch (field->kind) {
	case FIELD_TEXT:
		return get_text(value, at, field->size);
	case FIELD_TRUTH:
		*(bool *)at = json_is_true(value);
		return json_is_boolean(value) ? NULL : "is neither true nor false";
	case FIELD_SEEN:
	case FIELD_COUNT:
		if (field->kind == FIELD_COUNT || !json_is_null(value))
			reason = get_integer(value, UINT32_MAX, &integer);
		*(uint32_t *)at = (uint32_t)integer;
		return reason;
	case FIELD_LARGE_SEEN:
	case FIELD_LARGE_NEWER:
	case FIELD_LARGE:
		if (field->kind != FIELD_LARGE_SEEN || !json_is_null(value))
			reason = get_integer(value, INT64_MAX, &integer);
		*(uint64_t *)at = integer;
		return reason;
	case FIELD_REAL:
		return get_real(value, most_real, at);
	case FIELD_SHARE:
		return get_real(value, 1, at);
	}
	return NULL;
}

/* Of two that begin behind each other's ends each would be better than the other. */
static const char *check_figure(const struct figure *figure)
{
	return figure->low > figure->high ? "has an interval that ends before it begins" : NULL;
}

static const char *get_curve(const json_t *value, double *to)
{
	const char *reason = NULL;

	if (!value)
		return "is missing";
	if (!json_is_array(value) || json_array_size(value) != CELL_CURVE)
		return "is not an array of as many numbers as there are percentiles";
	for (size_t i = 0; !reason && i < CELL_CURVE; i++)
		reason = get_real(json_array_get(value, i), most_real, &to[i]);
	return reason;
}

static const char *get_errors(const json_t *value, uint64_t *errors)
{
	const char *reason = NULL;

	if (!value)
		return "is missing";
	if (!json_is_object(value))
		return "is not an object";
	for (size_t i = 0; !reason && i < LOAD_ERRORS; i++) {
		const json_t *count = json_object_get(value, load_error_names[i].name);

		reason = count ? get_integer(count, INT64_MAX, &errors[i]) : "does not count every kind of error";
	}
	return reason;
}

/* The name of the first member that is wrong, with the reason; NULL when none is. */
static const char *get_fields(const json_t *object, const struct field *field, void *holder, const char **reason)
{
	for (; field->name; field++) {
		*reason = get_field(object, field, holder);
		if (*reason)
			return field->name;
	}
	return NULL;
}

static const char *get_cell(const json_t *object, struct cell *cell, const char **reason)
{
	const char *wrong = get_fields(object, fields_cell, cell, reason);

	if (wrong)
		return wrong;
	if (cell->model[0] == '\0' || cell->scenario[0] == '\0') {
		*reason = "is empty";
		return cell->model[0] == '\0' ? "model" : "scenario";
	}
	if (cell->connections == 0) {
		*reason = "is out of range";
		return "connections";
	}
	if ((*reason = check_figure(&cell->answers_per_second)))
		return "answers_per_second";
	if ((*reason = check_figure(&cell->tail_us)))
		return "tail_us";
	if ((*reason = check_figure(&cell->cpu_us_per_answer)))
		return "cpu_us_per_answer";
	*reason = get_errors(json_object_get(object, "errors"), cell->errors);
	if (*reason)
		return "errors";
	*reason = get_curve(json_object_get(object, "curve_us"), cell->curve_us);
	return *reason ? "curve_us" : NULL;
}

static int complain(const char *file, const char *member, const char *reason)
{
	plain_say(stderr, "aphorism-bench: %s: %s%s%s", file, member, *member ? " " : "", reason);
	return EX_DATAERR;
}

/* What looks at the cells relies on it that there is one of a kind, and not very many kinds. */
static int check_cells(struct record *record, const char *file)
{
	if (!view_arrange(record))
		return complain(file, "cells", "have more than 32 models or scenarios");
	for (const struct cell *cell = record->cells; cell < record->cells + record->cell_count; cell++) {
		if (view_cell(cell->block_first, cell->model_first) == cell)
			continue;
		fprintf(stderr, "aphorism-bench: %s: cells[%zu] is of the same model, scenario and connections "
		        "as another\n", file, (size_t)(cell - record->cells));
		return EX_DATAERR;
	}
	return EX_OK;
}

static int get_cells(const json_t *array, struct record *record, const char *file)
{
	size_t count = json_array_size(array);

	if (!json_is_array(array))
		return complain(file, "cells", array ? "is not an array" : "is missing");
	if (count > CELL_MOST)
		return complain(file, "cells", "are more than 4096");
	record->cells = calloc(count + 1, sizeof record->cells[0]);
	if (!record->cells)
		return complain(file, "", "not enough memory");
	for (record->cell_count = 0; record->cell_count < count; record->cell_count++) {
		const json_t *object = json_array_get(array, record->cell_count);
		const char *reason, *wrong = get_cell(object, &record->cells[record->cell_count], &reason);

		if (wrong) {
			plain_say(stderr, "aphorism-bench: %s: cells[%zu].%s %s", file, record->cell_count, wrong,
			          reason);
			return EX_DATAERR;
		}
	}
	return check_cells(record, file);
}

static int get_record(const json_t *root, struct record *record, const char *file)
{
	const json_t *schema = json_object_get(root, "schema_version");
	double percentiles[CELL_CURVE];
	const char *reason, *wrong;

	if (!json_is_integer(schema))
		return complain(file, "", "not a file of aphorism-bench: it has no schema_version");
	if (json_integer_value(schema) != CELL_SCHEMA) {
		fprintf(stderr, "aphorism-bench: %s: schema_version is %" JSON_INTEGER_FORMAT ", only %d can be read\n",
		        file, json_integer_value(schema), CELL_SCHEMA);
		return EX_DATAERR;
	}
	wrong = get_fields(root, fields_record, record, &reason);
	if (wrong)
		return complain(file, wrong, reason);
	reason = get_curve(json_object_get(root, "percentiles"), percentiles);
	for (size_t i = 0; !reason && i < CELL_CURVE; i++)
		if (!(fabs(percentiles[i] - cell_percentiles[i]) < 1e-6))
			reason = "are not those of this schema_version";
	if (reason)
		return complain(file, "percentiles", reason);
	return get_cells(json_object_get(root, "cells"), record, file);
}

int json_read(struct record *record, const char *file)
{
	int status;
	json_t *root = json_text_load(file, &status);

	memset(record, 0, sizeof *record);
	if (!root)
		return status;
	status = get_record(root, record, file);
	json_decref(root);
	if (status != EX_OK)
		record_free(record);
	return status;
}

void record_free(struct record *record)
{
	free(record->cells);
	memset(record, 0, sizeof *record);
}
