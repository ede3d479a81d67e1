// frontend/inspect/collapse.h -- making a drawing small enough to be laid out and read.
#pragma once
#include "frontend/inspect/drawing.h"

namespace weft::inspect {

// While there are more than `max_boxes`, turns one innermost group into a single box: the deepest
// first, of those the one with the most boxes. Boxes that stand in no such group are then put
// together in runs, in the graph's order.
void collapse(Drawing& drawing, int max_boxes);

}  // namespace weft::inspect
