// backends/reference/eval/scan.cpp -- what scan and custom_vjp compute.
#include "ir/ops/scan.h"

#include "backends/reference/eval/table.h"
#include "ir/graph.h"

namespace weft::backends::reference::eval {
namespace {

using ir::ops::ScanParts;

// x at position t of `axis`, without that axis.
Tensor at_position(const Tensor& x, int64_t axis, int64_t t) {
  Dims dims = x.dims();
  dims.erase(dims.begin() + axis);
  return x.map([&](const auto& e) { return reshaped(window(e, axis, t, 1), dims); });
}

// Rows of `live` from a, the others from b.
Tensor by_row(const Ints& live, const Tensor& a, const Tensor& b) {
  const auto choose = [&](const auto& from, auto y) -> Tensor {
    const size_t length = live.size() == 0 ? 0 : y.size() / live.size();
    for (size_t row = 0; row < live.size(); ++row)
      if (live.data()[row] != 0)
        std::copy_n(from.data() + row * length, length, y.data() + row * length);
    return y;
  };
  return a.is_float() ? choose(a.floats(), b.floats()) : choose(a.ints(), b.ints());
}

Tensor zeros(const Dims& dims, bool is_float) {
  return is_float ? Tensor(filled<double>(dims, 0)) : Tensor(filled<int64_t>(dims, 0));
}

// The slices of one stacked output, in the order of positions, joined along a new axis.
Tensor stacked(const Tensors& slices, const Dims& dims, int64_t axis, bool is_float) {
  Dims one = dims;
  one[static_cast<size_t>(axis)] = 1;
  return zeros(dims, is_float).map([&](auto y) {
    for (size_t t = 0; t < slices.size(); ++t) {
      if constexpr (std::is_same_v<decltype(y), Floats>)
        write(y, axis, static_cast<int64_t>(t), reshaped(slices[t].floats(), one));
      else
        write(y, axis, static_cast<int64_t>(t), reshaped(slices[t].ints(), one));
    }
    return y;
  });
}

Ints live_at(const Ints& lengths, int64_t t) {
  Ints live = lengths;
  for (int64_t& row : live) row = t < row;
  return live;
}

}  // namespace

const Evaluation scan{
    &ir::ops::scan, [](const Call& call) -> Tensors {
      const ScanParts parts(call.op);
      const int64_t steps = parts.steps.value(call.bindings);
      const auto scanned = call.in.begin() + parts.carries, invariants = scanned + parts.scanned;
      Tensors carries(call.in.begin(), scanned);
      std::vector<Tensors> slices(static_cast<size_t>(parts.stacked),
                                  Tensors(static_cast<size_t>(steps)));

      for (int64_t i = 0; i < steps; ++i) {
        const int64_t t = parts.reverse ? steps - 1 - i : i;
        Tensors arguments = carries;
        for (int s = 0; s < parts.scanned; ++s)
          arguments.push_back(at_position(scanned[s], parts.axes[static_cast<size_t>(s)], t));
        arguments.insert(arguments.end(), invariants, invariants + parts.invariants);
        Ints live;
        if (parts.has_lengths) arguments.emplace_back(live = live_at(call.in.back().ints(), t));

        Tensors yielded = call.run(call.op.region(), arguments);
        for (int c = 0; c < parts.carries; ++c) {
          Tensor& next = yielded[static_cast<size_t>(c)];
          if (parts.row_carry[static_cast<size_t>(c)])
            next = by_row(live, next, carries[static_cast<size_t>(c)]);
          carries[static_cast<size_t>(c)] = next;
        }
        for (int o = 0; o < parts.stacked; ++o) {
          Tensor slice = yielded[static_cast<size_t>(parts.carries + o)];
          if (parts.has_lengths) slice = by_row(live, slice, zeros(slice.dims(), slice.is_float()));
          slices[static_cast<size_t>(o)][static_cast<size_t>(t)] = slice;
        }
      }

      Tensors results = carries;
      for (int o = 0; o < parts.stacked; ++o)
        results.push_back(stacked(slices[static_cast<size_t>(o)], call.dims(parts.carries + o),
                                  parts.out_axes[static_cast<size_t>(o)],
                                  ir::is_float(call.dtype(parts.carries + o))));
      return results;
    }};

const Evaluation custom_vjp{&ir::ops::custom_vjp, [](const Call& call) -> Tensors {
                              return call.run(call.op.region(0), call.in);
                            }};

std::span<const Evaluation* const> of_scan() {
  static const Evaluation* const kEvaluations[] = {&scan, &custom_vjp};
  return kEvaluations;
}

}  // namespace weft::backends::reference::eval
