// backends/onednn/plan/lowering.cpp -- finding the lowering of an op.
#include "backends/onednn/plan/lowering.h"

#include <algorithm>

namespace weft::onednn {

const Lowering* find_lowering(std::span<const Lowering> table, const ir::OpDef* op) {
  const auto found =
      std::lower_bound(table.begin(), table.end(), op->name,
                       [](const Lowering& l, std::string_view name) { return l.op->name < name; });
  return found != table.end() && found->op == op ? &*found : nullptr;
}

}  // namespace weft::onednn
