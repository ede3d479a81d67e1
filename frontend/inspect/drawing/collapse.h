// frontend/inspect/drawing/collapse.h -- making a drawing small enough to be laid out and read.
#pragma once
#include "frontend/inspect/drawing/drawing.h"

namespace weft::inspect {

// While there are more than `max_boxes`, turns one innermost group into a single box: the deepest
// first, of those the one with the most boxes. Boxes that stand in no such group are then put
// together in runs, in the graph's order.
void collapse(Drawing& drawing, int max_boxes);

// Of groups beside each other that hold the same, box by box and link by link, the first stays,
// with their number. Links that lead from one to the next are drawn as a recurrence.
void fold_repeats(Drawing& drawing);

// Drops what is more than `radius` links away from what `name` names: a value, a scope, an op.
// Throws GraphError, saying what there is, where nothing has that name.
void focus_on(Drawing& drawing, const std::string& name, int radius);

}  // namespace weft::inspect
