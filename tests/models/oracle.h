// tests/models/oracle.h -- PyTorch's parameters by the names they have here; comparing results.
#pragma once
#include "autodiff/gradient.h"
#include "tests/models/backends.h"
#include "tests/support/oracle_cases.h"
#include "tests/support/tolerance.h"

#include <doctest/doctest.h>

#include <cmath>
#include <string>
#include <vector>

namespace weft::tests {

using ir::Array;
using ir::NamedArrays;

// PyTorch's parameter by the path it has here; a matrix there is [out,in], here [in,out].
struct Renamed {
  std::string file, path;
  int64_t from = 0, to = -1;             // columns of the file's matrix
  std::vector<std::string> beside = {};  // further ones, on its right
};

inline Array transposed(const Array& a, int64_t from, int64_t to) {
  const int64_t rows = a.dim(0), columns = a.dim(1);
  if (to < 0) to = columns;
  Array t(a.dtype(), {to - from, rows});
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = from; c < to; ++c) t.set((c - from) * rows + r, a.at(r * columns + c));
  return t;
}

inline Array side_by_side(const Array& left, const Array& right) {
  ir::Dims dims = left.dims();
  const int64_t n = dims.back(), m = right.dims().back();
  dims.back() += m;
  Array both(left.dtype(), dims);
  for (int64_t r = 0; r < left.size() / n; ++r)
    for (int64_t c = 0; c < n + m; ++c)
      both.set(r * (n + m) + c, c < n ? left.at(r * n + c) : right.at(r * m + c - n));
  return both;
}

// `kind`: "param/", "grad/" ...
inline Array as_here(const NamedArrays& arrays, const std::string& kind, const Renamed& name) {
  const auto one = [&](const std::string& file) {
    const Array& a = arrays.at(kind + file);
    const bool table = name.path.ends_with("embedding");
    return a.rank() == 2 && !table ? transposed(a, name.from, name.to) : a;
  };
  Array a = one(name.file);
  for (const std::string& file : name.beside) a = side_by_side(a, one(file));
  return a;
}

inline void check_near(const Array& found, const Array& expected, double tolerance,
                       const std::string& what) {
  CAPTURE(what);
  REQUIRE(found.dims() == expected.dims());
  double greatest = 0, worst = 0;
  for (int64_t i = 0; i < expected.size(); ++i) {
    greatest = std::max(greatest, std::fabs(expected.at(i)));
    const double difference = std::fabs(found.at(i) - expected.at(i));
    worst = difference > worst || difference != difference ? difference : worst;
  }
  CHECK_MESSAGE(worst <= tolerance * greatest + tolerance * 0.01, what, ": off by ", worst, " of ",
                greatest);
}

inline Array lengths_of(const Array& keep) {
  Array lengths(ir::DType::s32, {keep.dim(0)});
  for (int64_t b = 0; b < keep.dim(0); ++b) {
    int64_t n = 0;
    for (int64_t s = 0; s < keep.dim(1); ++s) n += keep.integer_at(b * keep.dim(1) + s);
    lengths.set_integer(b, n);
  }
  return lengths;
}

// Through all stages (or none) to values and gradients.
inline NamedArrays differentiated(const ir::Graph& built, ParameterStore& store,
                                  const NamedArrays& inputs, const ProgramOptions& options) {
  ir::PassContext context;
  const ir::Graph fused =
      options.optimize ? ir::run_passes(built, ir::recognise_passes(), context).graph : built;
  ir::Graph both = autodiff::gradient(fused, "loss", trainable_parameters(built));
  if (options.optimize) both = ir::run_passes(both, ir::optimise_passes(), context).graph;
  ProgramOptions as_is = options;
  as_is.optimize = false;
  return Program::inference(both, as_is).run(store, inputs);
}

}  // namespace weft::tests
