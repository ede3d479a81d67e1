// ir/rules/random.cpp -- random numbers of all steps at once: their positions are one more axis.
#include "ir/rules/table.h"

namespace weft::ir::batching {

bool can_random(const OpView& op, const Flags& lifted, const Wants& wants) {
  return only_each(op, lifted, wants) && !lifted[0] && !lifted[1] && op.has("position") &&
         lifted[2];
}

}  // namespace weft::ir::batching
