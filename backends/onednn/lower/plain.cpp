// backends/onednn/lower/plain.cpp -- rare elementwise nodes, an element at a time: u32, u8 and s8;
// casts of f16 and bf16; integer divisions, which look at every divisor.
#include "backends/onednn/lower/elementwise.h"
#include "backends/onednn/plan/moves.h"
#include "ir/check.h"
#include "ir/ops/all.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace weft::onednn {
namespace {

namespace ops = ir::ops;

int64_t floor_mod(int64_t a, int64_t b) {
  if (b == -1) return 0;  // the least integer by -1 would trap
  const int64_t r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

int64_t power(int64_t base, int64_t exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? (exponent % 2 == 0 ? 1 : -1) : 0;
  uint64_t result = 1, factor = static_cast<uint64_t>(base);
  for (; exponent > 0; exponent >>= 1, factor *= factor)
    if (exponent & 1) result *= factor;
  return static_cast<int64_t>(result);
}

// Integers are computed without sign: they wrap.
uint64_t bits(int64_t x) { return static_cast<uint64_t>(x); }
int64_t negative(int64_t x) { return static_cast<int64_t>(-bits(x)); }

using Function = int64_t (*)(const int64_t* x);

Function integer_function(const ir::OpDef* op) {
  static const std::map<const ir::OpDef*, Function> table{
      {&ops::abs, [](const int64_t* x) { return x[0] < 0 ? negative(x[0]) : x[0]; }},
      {&ops::neg, [](const int64_t* x) { return negative(x[0]); }},
      {&ops::sign, [](const int64_t* x) { return int64_t{x[0] > 0} - int64_t{x[0] < 0}; }},
      {&ops::add, [](const int64_t* x) { return static_cast<int64_t>(bits(x[0]) + bits(x[1])); }},
      {&ops::sub, [](const int64_t* x) { return static_cast<int64_t>(bits(x[0]) - bits(x[1])); }},
      {&ops::mul, [](const int64_t* x) { return static_cast<int64_t>(bits(x[0]) * bits(x[1])); }},
      {&ops::div, [](const int64_t* x) { return x[1] == -1 ? negative(x[0]) : x[0] / x[1]; }},
      {&ops::pow, [](const int64_t* x) { return power(x[0], x[1]); }},
      {&ops::remainder, [](const int64_t* x) { return floor_mod(x[0], x[1]); }},
      {&ops::maximum, [](const int64_t* x) { return std::max(x[0], x[1]); }},
      {&ops::minimum, [](const int64_t* x) { return std::min(x[0], x[1]); }},
      {&ops::equal, [](const int64_t* x) { return int64_t{x[0] == x[1]}; }},
      {&ops::not_equal, [](const int64_t* x) { return int64_t{x[0] != x[1]}; }},
      {&ops::less, [](const int64_t* x) { return int64_t{x[0] < x[1]}; }},
      {&ops::less_equal, [](const int64_t* x) { return int64_t{x[0] <= x[1]}; }},
      {&ops::greater, [](const int64_t* x) { return int64_t{x[0] > x[1]}; }},
      {&ops::greater_equal, [](const int64_t* x) { return int64_t{x[0] >= x[1]}; }},
      {&ops::select, [](const int64_t* x) { return x[0] != 0 ? x[1] : x[2]; }}};
  const auto found = table.find(op);
  return found == table.end() ? nullptr : found->second;
}

// 1 / 0 and 0^-1.
bool undefined(const ir::OpDef& op, const int64_t* x) {
  return &op == &ops::pow ? x[0] == 0 && x[1] < 0 : x[1] == 0;
}

// Saturates, NaN gives 0.
int64_t truncated(double x) {
  if (std::isnan(x)) return 0;
  if (x >= 9.2233720368547758e18) return INT64_MAX;
  if (x <= -9.2233720368547758e18) return INT64_MIN;
  return static_cast<int64_t>(x);
}

void convert(const char* from, ir::DType source, char* to, ir::DType target) {
  if (ir::is_float(source)) {
    const double x = real_at(from, source);
    if (ir::is_float(target)) return store_real(to, target, x);
    if (target == ir::DType::pred) return store_integer(to, target, x != 0);
    int64_t n = truncated(x);
    const ir::DTypeInfo& t = ir::info(target);
    if (t.bits < 64)
      n = std::clamp(n, t.is_signed ? -(int64_t{1} << (t.bits - 1)) : 0,
                     (int64_t{1} << (t.bits - (t.is_signed ? 1 : 0))) - 1);
    return store_integer(to, target, n);
  }
  const int64_t n = integer_of(from, source);
  if (ir::is_float(target)) return store_real(to, target, static_cast<double>(n));
  store_integer(to, target, target == ir::DType::pred ? n != 0 : n);
}

}  // namespace

bool divides_integers(const ir::OpView& op) {
  const ir::OpDef* def = &op.def();
  return (def == &ops::div || def == &ops::remainder || def == &ops::pow) &&
         !ir::is_float(op.result().dtype);
}

void lower_plainly(Emit& e) {
  const Tensor out = e.out();
  std::vector<Tensor> in;
  for (int i = 0; i < e.op.operand_count(); ++i) in.push_back(broadcast_to(e.in(i), out.dims));
  const bool cast = &e.op.def() == &ops::cast;
  const Function function = integer_function(&e.op.def());
  for (const Tensor& t : in)
    if (!cast) e.needs_arithmetic(t.dtype);
  WEFT_CHECK(cast || function != nullptr);
  const bool division = divides_integers(e.op);
  const ir::OpDef& op = e.op.def();
  const ir::SourceLoc& loc = e.op.node().from.loc;
  const std::string complaint = ir::concat(loc.known() ? loc.str() + ": " : "", "error: '", op.name,
                                           "' divides an integer by zero [binary.4]");
  e.kernel("elementwise, plain", 0, [=, &op](const Run& run) {
    const int64_t n = out.size();
    for (int64_t i = 0; i < n; ++i) {
      int64_t at[4] = {};
      int64_t rest = i;
      for (int axis = out.rank() - 1; axis >= 0; --axis) {
        const int64_t k = rest % out.dim(axis);
        rest /= out.dim(axis);
        for (size_t x = 0; x < in.size(); ++x) at[x] += k * in[x].stride(axis);
        at[3] += k * out.stride(axis);
      }
      char* to = run(out.at) + at[3] * out.element_bytes();
      if (cast) {
        convert(run(in[0].at) + at[0] * in[0].element_bytes(), in[0].dtype, to, out.dtype);
        continue;
      }
      int64_t x[3] = {};
      for (size_t k = 0; k < in.size(); ++k)
        x[k] = integer_of(run(in[k].at) + at[k] * in[k].element_bytes(), in[k].dtype);
      if (division && undefined(op, x)) throw ir::GraphError(complaint);
      store_integer(to, out.dtype, function(x));
    }
  });
}

}  // namespace weft::onednn
