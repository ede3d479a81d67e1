// ir/rules/row_use.h -- how an op treats the axis that counts rows.
//
// Some of its operands are `led` by rows: the first `leading` axes of each count the same rows (1:
// rows of a batch, or packed ones; 2: steps and rows of a batch).
//
//   row_wise   every result is led by the rows; its row r depends on row r of led operands only
//   summed     a sum over all rows, to which some rows add nothing if certain operands are zero
//              there
//   both       some results are row-wise (`moved_results` says which), the first among them; the
//              others are such sums
//   mixed      anything else
//
// Judged by the operands' roles in the op (its row in ir/rules), not by sizes that happen to be
// equal.
#pragma once
#include "ir/graph.h"

#include <initializer_list>
#include <optional>
#include <vector>

namespace weft::ir {

enum class RowUse : uint8_t { mixed, row_wise, summed, both };

// A node of which some operands are led: what its rule asks.
struct Led {
  const OpView& op;
  const std::vector<bool>& operands;
  int leading;

  using Names = std::initializer_list<std::string_view>;

  bool operator()(std::string_view name) const;  // there, and led
  bool operator[](int operand) const { return operands[static_cast<size_t>(operand)]; }
  bool only(Names names) const;  // no others are led
  bool all() const;
  bool same_rows(const TensorType& a, const TensorType& b) const;
  // Elements keep their rows: the axes that `axis` or `axes` name lie behind them.
  bool acts_behind() const;
  bool wants(std::string_view name) const;
};

RowUse row_use(const OpView& op, const std::vector<bool>& led, int leading);

// If rows of all led operands are put in another order: which results have their rows in that order
// (the others stay as they are)? Nothing where neither holds.
std::optional<std::vector<bool>> moved_results(const OpView& op, const std::vector<bool>& led,
                                               int leading);

// Is every element the same, so that the order of rows does not show?
bool is_uniform(const Graph& graph, Value v);
bool is_zero_constant(const Graph& graph, Value v);

// Row-wise: is a row of the result zero where that row of the operands flagged in `zero` is?
bool keeps_zero(const OpView& op, int result, const std::vector<bool>& zero);

// Summed: does a row add nothing where that row of the operands flagged in `zero` is zero?
bool adds_nothing(const OpView& op, const std::vector<bool>& zero);

}  // namespace weft::ir
