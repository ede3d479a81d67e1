// ir/rules/recurrent.cpp -- cells: a step of all rows.
#include "ir/ops/all.h"
#include "ir/rules/op_rules.h"

#include <algorithm>

namespace weft::ir::rules {
namespace {

RowUse by_rows(const Led& led, Led::Names names) {
  return led.leading == 1 && led.only(names) ? RowUse::row_wise : RowUse::mixed;
}
bool both_zero(const OpView&, int, const Flags& zero) { return zero[0] && zero[1]; }

Shape matrices(const OpView& op) { return op.operand("U").shape; }

constexpr OpRules kRules[] = {
    {.op = &ops::gru_cell,
     .signature = "s:bh g:b3h U:h2h Un:hh bias_n:h -> bh b3h",
     .rows =
         [](const Led& led) {
           return by_rows(led, {"g", "s"});
         },
     .cost = Cost::product,
     .bf16 = {.factors = {"U", "Un"}, .matrices = matrices}},
    {.op = &ops::gru_cell_grad,
     .signature = "ds1:bh s:bh gates:b3h U:h2h Un:hh bias_n:h -> b3h bh bh",
     .rows =
         [](const Led& led) {
           return by_rows(led, {"ds1", "s", "gates"});
         },
     .keeps_zero = first_zero,
     .cost = Cost::product,
     .range = Range::adjoint,
     .bf16 = {.factors = {"U", "Un"}, .matrices = matrices, .saved = {"s", "gates"}}},
    {.op = &ops::lstm_cell,
     .signature = "h:bh g:b4h c:bh U:h4h -> bh bh b4h",
     .rows =
         [](const Led& led) {
           return by_rows(led, {"g", "h", "c"});
         },
     .cost = Cost::product,
     .bf16 = {.factors = {"U"}, .matrices = matrices}},
    {.op = &ops::lstm_cell_grad,
     .signature = "c:bh dh1:bh dc1:bh c1:bh gates:b4h U:h4h -> b4h bh bh",
     .rows =
         [](const Led& led) {
           return by_rows(led, {"dh1", "dc1", "c", "c1", "gates"});
         },
     .keeps_zero = both_zero,
     .cost = Cost::product,
     .range = Range::adjoint,
     .bf16 = {.factors = {"U"}, .matrices = matrices, .saved = {"c", "c1", "gates"}}},
};

}  // namespace

std::span<const OpRules> recurrent() { return kRules; }

}  // namespace weft::ir::rules
