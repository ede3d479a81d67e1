// frontend/compile/memory_budget.h -- which policy of recomputation meets a memory budget at the least
// cost.
#pragma once
#include "frontend/compile/session.h"
#include "ir/error.h"

#include <functional>
#include <string_view>

namespace weft {

// No policy meets the budget.
struct BudgetTooSmall : ir::GraphError {
  using ir::GraphError::GraphError;
};

// Plans the step of every policy there is for `options.budget_sizes`, and takes the one with the
// least arithmetic of those that fit. `other_bytes` is stored besides the arguments of the step.
// Throws BudgetTooSmall where none does.
BudgetChoice choose_policy(const ProgramOptions& options,
                           const std::function<ir::Graph(const autodiff::ResidualPolicy&)>& step,
                           int64_t other_bytes = 0);

// "200MB", "1.5 GB", "64MiB": bytes. Throws GraphError for what is no size.
int64_t bytes_named(std::string_view text);

}  // namespace weft
