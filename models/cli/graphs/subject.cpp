// models/cli/graphs/subject.cpp -- sizes and budgets as words.
#include "models/cli/graphs/subject.h"

#include "frontend/compile/memory_budget.h"
#include "models/cli/command.h"
#include "models/cli/graphs/bind_arguments.h"

namespace weft::cli {

Subject read_subject(const std::string& what, const std::vector<std::string>& bind,
                     const std::string& memory_budget) {
  const ir::Bindings sizes = parse_bindings(bind);
  for (const auto& [symbol, size] : sizes) {
    if (symbol != "B" && symbol != "S" && symbol != "T")
      throw UsageError("a model's sizes are B (rows), S (source) and T (target), found '" + symbol +
                       "'");
    if (size < 1) throw UsageError("--bind " + symbol + " needs a size of at least 1");
  }
  return measure::read_subject(what, sizes, memory_budget.empty() ? 0 : bytes_named(memory_budget));
}

}  // namespace weft::cli
