// autodiff/rules/pack.cpp -- derivatives of moving real rows together and back.
#include "autodiff/rules/table.h"

namespace weft::autodiff::rules {
namespace ops = ir::ops;
namespace {

ir::OperandGroups like(Vjp& g) {
  ir::OperandGroups groups{{g.cotangent()}, {g.operand(1)}};
  if (g.op().has("places")) groups.push_back({g.operand(2)});
  return groups;
}

// To lengths and places nothing flows.
Grads only(ir::Value first, Vjp& g) {
  Grads grads(g.op().has("places") ? 3 : 2);
  grads[0] = first;
  return grads;
}

}  // namespace

// p = pack(x)   =>   dx = unpack(dp)
const VjpRule pack{&ops::pack, [](Vjp& g) -> Grads {
                     const bool by_sequence = g.op().flag("by_sequence");
                     return only(
                         g.builder.emit(ops::unpack, like(g),
                                        {{"steps", g.op().operand(0).dim(by_sequence ? 1 : 0)},
                                         {"by_sequence", by_sequence}}),
                         g);
                   }};

// y = unpack(p)   =>   dp = pack(dy)
const VjpRule unpack{
    &ops::unpack, [](Vjp& g) -> Grads {
      return only(g.builder.emit(ops::pack, like(g), {{"by_sequence", g.op().flag("by_sequence")}}),
                  g);
    }};

const VjpRule length_order = zero_gradient(ops::length_order);

std::span<const VjpRule* const> of_pack() {
  static const VjpRule* const kRules[] = {&pack, &unpack, &length_order};
  return kRules;
}

}  // namespace weft::autodiff::rules
