#include "aphorism-bench/view.h"

#include <string.h>

static bool same_model(const struct cell *one, const struct cell *other)
{
	return strcmp(one->model, other->model) == 0;
}

static bool same_scenario(const struct cell *one, const struct cell *other)
{
	return strcmp(one->scenario, other->scenario) == 0;
}

static bool same_block(const struct cell *one, const struct cell *other)
{
	return same_scenario(one, other) && one->connections == other->connections;
}

/* The first cell from `cell` on that nothing before it is the same as. */
static const struct cell *next(const struct record *record, const struct cell *cell,
                               bool (*same)(const struct cell *, const struct cell *))
{
	for (; cell < record->cells + record->cell_count; cell++) {
		const struct cell *before = record->cells;

		while (before < cell && !same(before, cell))
			before++;
		if (before == cell)
			return cell;
	}
	return NULL;
}

const struct cell *view_next_model(const struct record *record, const struct cell *model)
{
	return next(record, model ? model + 1 : record->cells, same_model);
}

const struct cell *view_next_scenario(const struct record *record, const struct cell *block)
{
	return next(record, block ? block + 1 : record->cells, same_scenario);
}

const struct cell *view_next_block(const struct record *record, const struct cell *block)
{
	const struct cell *found = block;

	do
		found = next(record, found + 1, same_block);
	while (found && !same_scenario(found, block));
	return found;
}

const struct cell *view_largest(const struct record *record, const struct cell *block)
{
	const struct cell *largest = block;

	while ((block = view_next_block(record, block)))
		if (block->connections > largest->connections)
			largest = block;
	return largest;
}

const struct cell *view_cell(const struct record *record, const struct cell *block, const struct cell *model)
{
	for (const struct cell *cell = record->cells; cell < record->cells + record->cell_count; cell++)
		if (same_block(cell, block) && same_model(cell, model))
			return cell;
	return NULL;
}
