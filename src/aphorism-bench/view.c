/*
 * view.c - the order in which a record is shown.
 */
#include "aphorism-bench/view.h"

#include <string.h>

typedef bool same_fn(const struct cell *, const struct cell *);

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
	return one->connections == other->connections && same_scenario(one, other);
}

static struct cell *find_first(const struct record *record, const struct cell *cell, same_fn *same)
{
	struct cell *first = record->cells;

	while (!same(first, cell))
		first++;
	return first;
}

/* Puts one before all that follow it in a chain. */
static void chain(struct cell **next, struct cell **head, struct cell *cell)
{
	*next = *head;
	*head = cell;
}

bool view_arrange(struct record *record)
{
	struct cell *models = NULL, *scenarios = NULL;
	size_t model_count = 0, scenario_count = 0;

	for (struct cell *cell = record->cells; cell < record->cells + record->cell_count; cell++)
		cell->next_model = cell->next_scenario = cell->next_block = cell->next_in_block = NULL;
	/* from the end, so that each chain grows at its head, which is the first one's */
	for (size_t i = record->cell_count; i-- > 0;) {
		struct cell *cell = &record->cells[i], *scenario_first = find_first(record, cell, same_scenario);

		cell->model_first = find_first(record, cell, same_model);
		cell->block_first = find_first(record, cell, same_block);
		if (cell->model_first == cell) {
			chain(&cell->next_model, &models, cell);
			model_count++;
		}
		if (cell->block_first != cell)
			chain(&cell->next_in_block, &cell->block_first->next_in_block, cell);
		if (scenario_first == cell) {
			chain(&cell->next_scenario, &scenarios, cell);
			scenario_count++;
		} else if (cell->block_first == cell) {
			chain(&cell->next_block, &scenario_first->next_block, cell);
		}
	}
	return model_count <= CELL_NAMES && scenario_count <= CELL_NAMES;
}

/* The first cell of all is that of the first model and of the first scenario. */
static const struct cell *first_cell(const struct record *record)
{
	return record->cell_count > 0 ? record->cells : NULL;
}

const struct cell *view_next_model(const struct record *record, const struct cell *model)
{
	return model ? model->next_model : first_cell(record);
}

const struct cell *view_next_scenario(const struct record *record, const struct cell *block)
{
	return block ? block->next_scenario : first_cell(record);
}

const struct cell *view_next_block(const struct cell *block)
{
	return block->next_block;
}

const struct cell *view_largest(const struct cell *block)
{
	const struct cell *largest = block;

	while ((block = view_next_block(block)))
		if (block->connections > largest->connections)
			largest = block;
	return largest;
}

const struct cell *view_cell(const struct cell *block, const struct cell *model)
{
	const struct cell *cell = block;

	while (cell && cell->model_first != model)
		cell = cell->next_in_block;
	return cell;
}
