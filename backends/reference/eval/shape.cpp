// backends/reference/eval/shape.cpp -- what ops that move, repeat or make elements compute.
#include "ir/ops/shape.h"

#include "backends/reference/eval/table.h"

#include <xtensor/xmanipulation.hpp>

namespace weft::backends::reference::eval {
namespace {

namespace ops = ir::ops;

Tensor itself(const Call& call) { return call.in[0]; }

// A tensor of the result's type, element i being f(i).
template <typename F>
Tensor made(const Call& call, F f) {
  Ints y = filled<int64_t>(call.dims(), 0);
  for (size_t i = 0; i < y.size(); ++i) y.data()[i] = f(static_cast<int64_t>(i));
  if (!ir::is_float(call.dtype())) return stored(y, call.dtype());
  return stored(Floats(xt::cast<double>(y)), call.dtype());
}

}  // namespace

const Evaluation broadcast{
    &ops::broadcast, [](const Call& call) -> Tensor {
      return call.in[0].map([&](const auto& x) { return reference::broadcast(x, call.dims()); });
    }};

const Evaluation concat{
    &ops::concat, [](const Call& call) -> Tensor {
      return call.in[0].map([&](auto y) {  // of the first operand's kind; then made anew
        using Elements = decltype(y);
        const int64_t axis = call.op.axis();
        y = filled<typename Elements::value_type>(call.dims(), 0);
        int64_t at = 0;
        for (const Tensor& x : call.in) {
          const Elements* part = nullptr;
          if constexpr (std::is_same_v<Elements, Floats>)
            part = &x.floats();
          else
            part = &x.ints();
          write(y, axis, at, *part);
          at += static_cast<int64_t>(part->shape(static_cast<size_t>(axis)));
        }
        return y;
      });
    }};

const Evaluation constant{&ops::constant, [](const Call& call) -> Tensor {
                            const ir::Integers& exact = call.op.exact_integers("values");
                            if (!exact.empty()) {
                              Ints y = filled<int64_t>(call.dims(), exact[0]);
                              if (exact.size() > 1)
                                std::copy(exact.begin(), exact.end(), y.begin());
                              return y;
                            }
                            const ir::Reals& values = call.op.reals("values");
                            Floats y = filled<double>(call.dims(), values.empty() ? 0 : values[0]);
                            if (values.size() > 1)
                              std::copy(values.begin(), values.end(), y.begin());
                            if (ir::is_float(call.dtype())) return stored(y, call.dtype());
                            return Ints(xt::cast<int64_t>(y));
                          }};

const Evaluation dim_size{&ops::dim_size, [](const Call& call) -> Tensor {
                            const int64_t size =
                                call.in[0].dims()[static_cast<size_t>(call.op.axis())];
                            return made(call, [&](int64_t) { return size; });
                          }};

const Evaluation iota{&ops::iota, [](const Call& call) -> Tensor {
                        const Split s(call.dims(), call.op.integer("axis"));
                        return made(call, [&](int64_t i) { return i / s.inner % s.size; });
                      }};

const Evaluation length_mask{
    &ops::length_mask, [](const Call& call) -> Tensor {
      const Ints& lengths = call.in[0].ints();
      const int64_t size = call.size("size");
      return made(call, [&](int64_t i) { return i % size < lengths.data()[i / size]; });
    }};

const Evaluation one_hot{
    &ops::one_hot, [](const Call& call) -> Tensor {
      const Ints& indices = call.in[0].ints();
      const int64_t size = call.size("size");
      return made(call, [&](int64_t i) { return i % size == indices.data()[i / size]; });
    }};

const Evaluation pad{&ops::pad, [](const Call& call) -> Tensor {
                       return call.in[0].map([&](const auto& x) {
                         using T = typename std::decay_t<decltype(x)>::value_type;
                         Dense<T> y = filled<T>(call.dims(), static_cast<T>(call.op.real("value")));
                         write(y, call.op.axis(), call.size("low"), x);
                         return y;
                       });
                     }};

const Evaluation reshape{
    &ops::reshape, [](const Call& call) -> Tensor {
      return call.in[0].map([&](const auto& x) { return reshaped(x, call.dims()); });
    }};

const Evaluation reverse{
    &ops::reverse, [](const Call& call) -> Tensor {
      const int64_t axis = call.op.axis(), size = call.dims()[static_cast<size_t>(axis)];
      return call.in[0].map([&](const auto& x) { return window(x, axis, size - 1, size, -1); });
    }};

const Evaluation same_dim{&ops::same_dim, [](const Call& call) -> Tensor {
                            const int64_t have =
                                call.in[0].dims()[static_cast<size_t>(call.op.axis())];
                            if (have != call.size("size"))
                              call.op.fail("same_dim.2", "axis ", call.op.axis(), " has ", have,
                                           " elements where ", call.size("size"), " were asserted");
                            return call.in[0];
                          }};

const Evaluation slice{&ops::slice, [](const Call& call) -> Tensor {
                         const int64_t axis = call.op.axis();
                         return call.in[0].map([&](const auto& x) {
                           return window(x, axis, call.size("start"),
                                         call.dims()[static_cast<size_t>(axis)],
                                         call.op.integer("step"));
                         });
                       }};

const Evaluation stop_gradient{&ops::stop_gradient, itself};

const Evaluation transpose{&ops::transpose, [](const Call& call) -> Tensor {
                             const std::vector<size_t> perm(call.op.integers("perm").begin(),
                                                            call.op.integers("perm").end());
                             return call.in[0].map([&](const auto& x) -> std::decay_t<decltype(x)> {
                               return xt::transpose(x, perm);
                             });
                           }};

std::span<const Evaluation* const> of_shape() {
  static const Evaluation* const kEvaluations[] = {
      &broadcast, &concat,  &constant, &dim_size, &iota,  &length_mask,   &one_hot,
      &pad,       &reshape, &reverse,  &same_dim, &slice, &stop_gradient, &transpose};
  return kEvaluations;
}

}  // namespace weft::backends::reference::eval
