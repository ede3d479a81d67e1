// models/measure/arithmetic.cpp -- a step's matrix products, batch by batch and row by row.
#include "models/measure/arithmetic.h"

#include "ir/rules/arithmetic.h"

#include <map>
#include <utility>

namespace weft::measure {

StepArithmetic step_arithmetic(const ir::Graph& fused, const ir::NamedArrays& batch) {
  const auto step = [&](int64_t rows, int64_t source, int64_t target) {
    return 3 * ir::product_flops(fused, {{"B", rows}, {"S", source}, {"T", target}});
  };
  const ir::Array &source = batch.at("source_lengths"), &target = batch.at("target_lengths");
  StepArithmetic a;
  a.padded = step(source.size(), batch.at("source").dim(1), batch.at("target_in").dim(1));
  std::map<std::pair<int64_t, int64_t>, double> known;
  for (int64_t b = 0; b < source.size(); ++b) {
    const auto [it, is_new] = known.try_emplace({source.integer_at(b), target.integer_at(b)});
    if (is_new) it->second = step(1, it->first.first, it->first.second);
    a.real += it->second;
  }
  return a;
}

}  // namespace weft::measure
