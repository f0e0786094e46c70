/*
 * view.h - the order in which a record is shown, the same everywhere: models and blocks as the record first names
 * them.
 *
 * A block is all cells that may be compared with each other: one scenario with one number of connections.  It is
 * known by its first cell, and a model by its first one too.  NULL stands before the first, and is returned after the
 * last.
 */
#ifndef BENCH_VIEW_H
#define BENCH_VIEW_H

#include "aphorism-bench/cell.h"

/*
 * Arranges the cells, which must then stay where they are: to be called before any other function here, and before the
 * verdict is asked.  Each of those goes by what it returns, not by the size of the record.  Returns false when there
 * are more than CELL_NAMES models, or scenarios.
 */
bool view_arrange(struct record *);

const struct cell *view_next_model(const struct record *, const struct cell *);
const struct cell *view_next_scenario(const struct record *, const struct cell *block);   /* its first block */
const struct cell *view_next_block(const struct cell *block);     /* of the same scenario; not for NULL */

/* The block with the most connections among those of the same scenario. */
const struct cell *view_largest(const struct cell *block);

/* The cell of the same model in a block, or NULL. */
const struct cell *view_cell(const struct cell *block, const struct cell *model);

#endif
