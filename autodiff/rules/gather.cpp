// autodiff/rules/gather.cpp -- derivatives of reading and writing at places known at run time.
#include "autodiff/rules/table.h"

namespace weft::autodiff::rules {
namespace ops = ir::ops;

// y = gather(x, indices)   =>   dx = zeros with dy added at `indices`
const VjpRule gather{
    &ops::gather, [](Vjp& g) -> Grads {
      const ir::Attrs attrs{{"axis", g.op().axis()}, {"batch", g.op().integer("batch")}};
      return {
          g.builder.emit(ops::scatter_add,
                         {{g.zeros(g.op().operand(0))}, {g.operand(1)}, {g.cotangent()}}, attrs),
          {}};
    }};

// y = x + updates at `indices`   =>   dx = dy,  dupdates = dy gathered there
const VjpRule scatter_add{
    &ops::scatter_add, [](Vjp& g) -> Grads {
      const ir::Attrs attrs{{"axis", g.op().axis()}, {"batch", g.op().integer("batch")}};
      return {
          g.cotangent(), {}, g.builder.emit(ops::gather, {{g.cotangent()}, {g.operand(1)}}, attrs)};
    }};

// dx = zeros with dy written at `start`
const VjpRule dynamic_slice{
    &ops::dynamic_slice, [](Vjp& g) -> Grads {
      return {g.builder.emit(ops::update_slice,
                             {{g.zeros(g.op().operand(0))}, {g.cotangent()}, {g.operand(1)}},
                             {{"axis", g.op().axis()}}),
              {}};
    }};

// dx = dy with zeros written over the update's place,  dupdate = dy read there
const VjpRule update_slice{
    &ops::update_slice, [](Vjp& g) -> Grads {
      const int64_t axis = g.op().axis();
      const Expr dy = g.cotangent();
      return {
          g.builder.emit(ops::update_slice, {{dy}, {g.zeros(g.op().operand(1))}, {g.operand(2)}},
                         {{"axis", axis}}),
          g.builder.emit(ops::dynamic_slice, {{dy}, {g.operand(2)}},
                         {{"axis", axis}, {"size", g.op().operand(1).dim(axis)}}),
          {}};
    }};

std::span<const VjpRule* const> of_gather() {
  static const VjpRule* const kRules[] = {&gather, &scatter_add, &dynamic_slice, &update_slice};
  return kRules;
}

}  // namespace weft::autodiff::rules
