// autodiff/rules/shape.cpp -- derivatives of ops that move or repeat elements: they move adjoints
// back.
#include "autodiff/rules/table.h"

namespace weft::autodiff::rules {
namespace ops = ir::ops;
namespace {

// x with zeros before and after it along an axis.
Expr padded(const Expr& x, int64_t axis, const ir::Dim& low, const ir::Dim& high) {
  return low.is(0) && high.is(0)
             ? x
             : apply(ops::pad, x, {{"axis", axis}, {"low", low}, {"high", high}});
}

// Every element of x along the axis followed by step - 1 zeros: [...,n,...] -> [...,n*step,...]
Expr spaced(const Expr& x, int64_t axis, int64_t step) {
  const auto at = static_cast<std::ptrdiff_t>(axis);
  ir::Shape column = x.type().shape, wide = column;
  column.insert(column.begin() + at + 1, ir::Dim(1));
  wide[static_cast<size_t>(axis)] = wide[static_cast<size_t>(axis)] * ir::Dim(step);
  return autodiff::reshape(padded(autodiff::reshape(x, column), axis + 1, 0, step - 1), wide);
}

}  // namespace

const VjpRule reshape{&ops::reshape, [](Vjp& g) -> Grads {
                        return {autodiff::reshape(g.cotangent(), g.op().operand(0).shape)};
                      }};
const VjpRule broadcast{&ops::broadcast, [](Vjp& g) -> Grads {
                          return {sum_to(g.cotangent(), g.op().operand(0).shape)};
                        }};
const VjpRule reverse{&ops::reverse, [](Vjp& g) -> Grads {
                        return {apply(ops::reverse, g.cotangent(), {{"axis", g.op().axis()}})};
                      }};

const VjpRule transpose{&ops::transpose, [](Vjp& g) -> Grads {
                          const ir::Integers& perm = g.op().integers("perm");
                          ir::Integers back(perm.size());
                          for (size_t i = 0; i < perm.size(); ++i)
                            back[static_cast<size_t>(perm[i])] = static_cast<int64_t>(i);
                          return {autodiff::transpose(g.cotangent(), back)};
                        }};

// Each operand's piece of dy.
const VjpRule concat{
    &ops::concat, [](Vjp& g) -> Grads {
      const int64_t axis = g.op().axis();
      Grads grads;
      ir::Dim start = 0;
      for (int i = 0; i < g.op().operand_count(); ++i) {
        const ir::Dim stop = start + g.op().operand(i).dim(axis);
        grads.push_back(g.wanted(i) ? ir::Value(autodiff::slice(g.cotangent(), axis, start, stop))
                                    : ir::Value());
        start = stop;
      }
      return grads;
    }};

// dy padded to where the slice was; for a step, with zeros between its elements.
const VjpRule slice{&ops::slice, [](Vjp& g) -> Grads {
                      const int64_t axis = g.op().axis(), step = g.op().integer("step");
                      const ir::Dim &start = g.op().dim("start"), &stop = g.op().dim("stop");
                      Expr d = g.cotangent();
                      if (step > 1)
                        d = autodiff::slice(spaced(d, axis, step), axis, 0, stop - start);
                      return {padded(d, axis, start, g.op().operand(0).dim(axis) - stop)};
                    }};

const VjpRule pad{
    &ops::pad, [](Vjp& g) -> Grads {
      const int64_t axis = g.op().axis();
      const ir::Dim& low = g.op().dim("low");
      return {autodiff::slice(g.cotangent(), axis, low, low + g.op().operand(0).dim(axis))};
    }};

const VjpRule same_dim{&ops::same_dim, [](Vjp& g) -> Grads {
                         const int64_t axis = g.op().axis();
                         return {apply(ops::same_dim, g.cotangent(),
                                       {{"axis", axis}, {"size", g.op().operand(0).dim(axis)}})};
                       }};

const VjpRule constant = zero_gradient(ops::constant), dim_size = zero_gradient(ops::dim_size),
              iota = zero_gradient(ops::iota), length_mask = zero_gradient(ops::length_mask),
              one_hot = zero_gradient(ops::one_hot),
              stop_gradient = zero_gradient(ops::stop_gradient);

std::span<const VjpRule* const> of_shape() {
  static const VjpRule* const kRules[] = {
      &reshape,  &broadcast, &reverse,  &transpose, &concat,      &slice,   &pad,
      &same_dim, &constant,  &dim_size, &iota,      &length_mask, &one_hot, &stop_gradient};
  return kRules;
}

}  // namespace weft::autodiff::rules
