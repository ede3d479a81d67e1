// tests/autodiff/scan_test.cpp -- the derivative of loops: against loops written out, over padded
// batches, with rubbish in the padding.
#include "autodiff/gradient.h"
#include "backends/reference/reference.h"
#include "ir/text/text.h"
#include "ir/verify.h"
#include "tests/autodiff/unroll.h"
#include "tests/support/check_gradient.h"
#include "tests/support/op_samples.h"
#include "tests/support/tolerance.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

using namespace weft;
using ir::Array;
using Arrays = std::vector<Array>;

namespace {

constexpr double kTolerance = tests::tolerance(ir::DType::f64, tests::Compared::gradient);

// Bahdanau's decoder (DESIGN, section 8) with a loss that looks at every step and at the last
// state.
constexpr const char* kDecoder = R"(
graph @decoder(input %s0: f32[B,4], input %y: f32[T,B,3], input %h: f32[B,S,5], input %sl_upto_4: s32[B], input %tl_upto_4: s32[B],
    parameter %Wa: f32[4,6], parameter %Ua: f32[5,6], parameter %va: f32[6], parameter %Wx: f32[3,12],
    parameter %Wc: f32[5,12], parameter %U: f32[4,8], parameter %Un: f32[4,4], parameter %Wo: f32[4,7], input %w: f32[T,B,7]) {
  %m = length_mask(%sl_upto_4) {size=S}
  %sN, %o = scan(%s0; %y; %h, %m, %Wa, %Ua, %va, %Wx, %Wc, %U, %Un, %Wo; %tl_upto_4) {axes=[0], out_axes=[0]}
  (%s, %x, %h, %m, %Wa, %Ua, %va, %Wx, %Wc, %U, %Un, %Wo, %live) {
    %q = matmul(%s, %Wa)
    %k = matmul(%h, %Ua)
    %q1 = reshape(%q) {shape=[B,1,6]}
    %u = add(%q1, %k)
    %p = tanh(%u)
    %pv = mul(%p, %va)
    %e = sum(%pv) {axes=[-1]}
    %em = select(%m, %e, -inf)
    %a = softmax(%em) {axis=-1}
    %a1 = reshape(%a) {shape=[B,S,1]}
    %ah = mul(%a1, %h)
    %c = sum(%ah) {axes=[-2]}
    %gx = matmul(%x, %Wx)
    %gc = matmul(%c, %Wc)
    %g = add(%gx, %gc)
    %g1 = slice(%g) {axis=-1, start=0, stop=8}
    %g2 = slice(%g) {axis=-1, start=8, stop=12}
    %su = matmul(%s, %U)
    %zp = add(%g1, %su)
    %zr = sigmoid(%zp)
    %z = slice(%zr) {axis=-1, start=0, stop=4}
    %r = slice(%zr) {axis=-1, start=4, stop=8}
    %rs = mul(%r, %s)
    %rn = matmul(%rs, %Un)
    %np = add(%g2, %rn)
    %n = tanh(%np)
    %d = sub(%n, %s)
    %zd = mul(%z, %d)
    %s1 = add(%s, %zd)
    %ot = matmul(%s1, %Wo)
    yield %s1; %ot
  }
  %ow = mul(%o, %w)
  %l1 = sum(%ow) {axes=[0,1,2]}
  %ss = mul(%sN, %sN)
  %l2 = sum(%ss) {axes=[0,1]}
  %loss = add(%l1, %l2)
  return %loss
})";

// The same with the fused ops.
constexpr const char* kFusedDecoder = R"(
graph @decoder(input %s0: f32[B,4], input %x: f32[T,B,12], input %h: f32[B,S,5], input %k: f32[B,S,6], input %sl_upto_4: s32[B],
    input %tl_upto_4: s32[B], parameter %Wa: f32[4,6], parameter %va: f32[6], parameter %Wc: f32[5,12],
    parameter %U: f32[4,8], parameter %Un: f32[4,4]) {
  %m = length_mask(%sl_upto_4) {size=S}
  %sN, %ss = scan(%s0; %x; %k, %h, %m, %Wa, %va, %Wc, %U, %Un; %tl_upto_4) {axes=[0], out_axes=[0]}
  (%s, %x, %k, %h, %m, %Wa, %va, %Wc, %U, %Un, %live) {
    %q = matmul(%s, %Wa)
    %c = attention(%q, %k, %h; %va; %m) {score="additive"}
    %gc = matmul(%c, %Wc)
    %g = add(%x, %gc)
    %s1 = gru_cell(%g, %s, %U, %Un)
    yield %s1; %s1
  }
  return %ss, %sN
})";

// With divisions, logarithms and roots, whose derivatives at 0 are not numbers.
constexpr const char* kPoles = R"(
graph(%s0: f32[B,2], %positive_x: f32[B,T,2], %W: f32[2,2], %b: f32[2], %len_upto_4: s32[B]) {
  %sN, %o = scan(%s0; %positive_x; %W, %b; %len_upto_4) {axes=[1], out_axes=[1]}
  (%s, %x, %W, %b, %live) {
    %l = log(%x)
    %lw = matmul(%l, %W)
    %sq = mul(%lw, %lw)
    %p = add(%sq, 0.5)
    %r = sqrt(%p)
    %d = div(%s, %r)
    %n = add(%d, %b)
    %q = div(%n, %x)
    yield %n; %q
  }
  return %o, %sN
})";

struct Run {
  Arrays values, gradients;
};

Arrays cotangents(const ir::Graph& graph, const Arrays& values) {
  Arrays all;
  for (size_t o = 0; o < values.size(); ++o) {
    Array w(ir::DType::f64, values[o].dims());
    for (int64_t i = 0; i < w.size(); ++i)
      w.set(i, std::sin(1.0 + static_cast<double>(i) + 10.0 * static_cast<double>(o)));
    all.push_back(std::move(w));
  }
  return all;
}

// Values, and the gradients of each float output by all float arguments.
Run run(const ir::Graph& graph, const Arrays& at, const Arrays& w = {}) {
  Run r{backends::reference::evaluate(graph, at), {}};
  const Arrays cotangent = w.empty() ? cotangents(graph, r.values) : w;
  for (size_t o = 0; o < r.values.size(); ++o) {
    if (!ir::is_float(r.values[o].dtype())) continue;
    const ir::Graph with = autodiff::gradient(
        graph, graph.outputs()[o].name, autodiff::float_arguments(graph), {.cotangent = true});
    ir::verify(with);
    Arrays in = at;
    in.push_back(cotangent[o]);
    const Arrays out = backends::reference::evaluate(with, in);
    r.gradients.insert(r.gradients.end(),
                       out.begin() + static_cast<std::ptrdiff_t>(r.values.size()), out.end());
  }
  return r;
}

void check_same(const Run& a, const Run& b) {
  REQUIRE(a.values.size() == b.values.size());
  REQUIRE(a.gradients.size() == b.gradients.size());
  for (size_t i = 0; i < a.values.size(); ++i)
    tests::check_close(a.values[i], b.values[i], kTolerance, "value " + std::to_string(i), 1e-3);
  for (size_t i = 0; i < a.gradients.size(); ++i)
    tests::check_close(a.gradients[i], b.gradients[i], kTolerance, "gradient " + std::to_string(i),
                       1e-3);
}

// Against the loop written out, with sizes that are all different.
void check_unrolled(const std::string& text, int64_t steps) {
  const ir::Graph graph = ir::parse(text);
  ir::Bindings sizes = tests::sample_bindings(graph, 3);
  for (auto& [symbol, size] : sizes)
    size = symbol == "T" ? steps : symbol == "B" ? 9 : symbol == "S" ? 8 : size;
  const Arrays at = tests::sample_arguments(graph, sizes, 3);
  CAPTURE(text);
  check_same(run(graph, at), run(tests::unrolled(ir::specialize(graph, sizes)), at));
}

Array part(const Array& x, int64_t axis, int64_t start, int64_t count) {
  ir::Dims dims = x.dims();
  int64_t outer = 1, inner = 1;
  for (int64_t d = 0; d < x.rank(); ++d)
    (d < axis ? outer : inner) *= d == axis ? 1 : dims[static_cast<size_t>(d)];
  const int64_t size = dims[static_cast<size_t>(axis)];
  dims[static_cast<size_t>(axis)] = count;
  Array y(x.dtype(), dims);
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < count; ++i)
      for (int64_t k = 0; k < inner; ++k) {
        const int64_t to = (o * count + i) * inner + k, from = (o * size + start + i) * inner + k;
        if (ir::is_float(x.dtype()))
          y.set(to, x.at(from));
        else
          y.set_integer(to, x.integer_at(from));
      }
  return y;
}

}  // namespace

TEST_CASE("scan: the gradient is that of the loop written out") {
  for (const int64_t steps : {0, 1, 4}) {
    check_unrolled(kDecoder, steps);
    check_unrolled(kFusedDecoder, steps);
    check_unrolled(kPoles, steps);
  }
  // Without lengths, in reverse, with time behind the rows.
  check_unrolled(R"(
    graph(%s: f32[B,3], %x: f32[B,T,3], %U: f32[3,3]) {
      %sN, %o = scan(%s; %x; %U) {axes=[1], out_axes=[2], reverse=true}
      (%s, %x, %U) { %m = matmul(%s, %U) %z = add(%m, %x) %n = tanh(%z) %o = mul(%n, %s) yield %n; %o }
      return %sN, %o
    })",
                 4);
  // A loop in a loop, both with lengths; the outer one stacks what the inner one saves.
  check_unrolled(R"(
    graph(%s: f32[B,3], %x: f32[T,2,B,3], %h: f32[B,3], %U: f32[3,3], %len_upto_4: s32[B], %inner_upto_2: s32[B]) {
      %sN, %o = scan(%s; %x; %h, %U, %inner_upto_2; %len_upto_4) {axes=[0], out_axes=[0]}
      (%s, %x, %h, %U, %n, %live) {
        %r, %o = scan(%s; %x; %h, %U; %n) {axes=[0], out_axes=[1], reverse=true}
        (%s, %x, %h, %U, %live) { %m = matmul(%s, %U) %z = mul(%m, %x) %v = add(%z, %h) %n = tanh(%v) yield %n; %m }
        %q = sum(%o) {axes=[1]}
        yield %r; %q
      }
      return %sN, %o
    })",
                 3);
  // Carries and scanned inputs without rows, under lengths.
  check_unrolled(R"(
    graph(%s: f32[B,3], %k: f32[2], %x: f32[B,T,3], %a: f32[2,T], %len_upto_4: s32[B]) {
      %zero = constant() {dtype=s32, shape=[], values=[0]}
      %tN, %sN, %kN, %o = scan(%zero, %s, %k; %x, %a; ; %len_upto_4) {axes=[1,1], out_axes=[0]}
      (%t, %s, %k, %x, %a, %live) {
        %one = constant() {dtype=s32, shape=[], values=[1]}
        %t1 = add(%t, %one)
        %f = cast(%t) {dtype=f32}
        %ka = mul(%k, %a)
        %k1 = sin(%ka)
        %w = sum(%k1) {axes=[0]}
        %wf = mul(%w, %f)
        %z = mul(%s, %x)
        %n = tanh(%z)
        %q = mul(%n, %wf)
        %s1 = add(%n, %q)
        yield %t1, %s1, %k1; %q
      }
      return %sN, %kN, %o
    })",
                 4);
}

TEST_CASE("scan: sizes that happen to be the batch's change nothing") {
  for (const char* text : {kDecoder, kFusedDecoder, kPoles}) {
    const ir::Graph graph = ir::parse(text);
    // The state is as wide as the batch is large, and so are time and source: first with symbols,
    // then with the sizes put in before and after differentiating.
    const int64_t size = text == kPoles ? 2 : 4;
    const ir::Bindings sizes{{"B", size}, {"T", size}, {"S", size}};
    const Arrays at = tests::sample_arguments(graph, sizes, 5);
    const Run symbolic = run(graph, at);
    const auto gradient = [&](const ir::Graph& g) {
      return autodiff::gradient(g, g.outputs()[0].name, autodiff::float_arguments(g),
                                {.cotangent = true});
    };
    Arrays in = at;
    in.push_back(cotangents(graph, symbolic.values)[0]);
    for (const ir::Graph& with :
         {ir::specialize(gradient(graph), sizes), gradient(ir::specialize(graph, sizes))}) {
      ir::verify(with);
      // Written out by the loop's own list of rows.
      const Arrays bound = backends::reference::evaluate(tests::unrolled(with), in);
      for (size_t i = graph.outputs().size(); i < bound.size(); ++i)
        tests::check_close(bound[i], symbolic.gradients[i - graph.outputs().size()], kTolerance,
                           "gradient " + std::to_string(i), 1e-3);
    }
  }
}

TEST_CASE("scan: a padded batch has the values and gradients of each row alone") {
  const ir::Graph graph = ir::parse(kDecoder);
  const ir::Bindings sizes{{"B", 4}, {"T", 5}, {"S", 3}};
  Arrays at = tests::sample_arguments(graph, sizes, 7);
  const std::vector<int64_t> source{3, 1, 2, 3}, target{5, 2, 0, 1};
  for (int64_t b = 0; b < 4; ++b) {
    at[3].set_integer(b, source[static_cast<size_t>(b)]);
    at[4].set_integer(b, target[static_cast<size_t>(b)]);
  }
  const Run batch = run(graph, at, {Array::of<double>(ir::DType::f64, {}, {1})});

  double loss = 0;
  Arrays sums;
  for (int64_t b = 0; b < 4; ++b) {
    const int64_t s = source[static_cast<size_t>(b)], t = target[static_cast<size_t>(b)];
    Arrays alone = at;
    alone[0] = part(at[0], 0, b, 1);
    alone[1] = part(part(at[1], 1, b, 1), 0, 0, t);
    alone[2] = part(part(at[2], 0, b, 1), 1, 0, s);
    alone[3] = part(at[3], 0, b, 1);
    alone[4] = part(at[4], 0, b, 1);
    alone[13] = part(part(at[13], 1, b, 1), 0, 0, t);
    const Run row = run(graph, alone, {Array::of<double>(ir::DType::f64, {}, {1})});
    loss += row.values[0].at(0);
    // By s0, y, h: the row's own part. By the parameters: summed.
    tests::check_close(part(batch.gradients[0], 0, b, 1), row.gradients[0], kTolerance, "ds0",
                       1e-3);
    tests::check_close(part(part(batch.gradients[1], 1, b, 1), 0, 0, t), row.gradients[1],
                       kTolerance, "dy", 1e-3);
    tests::check_close(part(part(batch.gradients[2], 0, b, 1), 1, 0, s), row.gradients[2],
                       kTolerance, "dh", 1e-3);
    for (size_t i = 3; i < row.gradients.size(); ++i) {
      if (b == 0) sums.push_back(row.gradients[i].clone());
      for (int64_t e = 0; b > 0 && i + 1 < row.gradients.size() && e < sums[i - 3].size(); ++e)
        sums[i - 3].set(e, sums[i - 3].at(e) + row.gradients[i].at(e));
    }
  }
  CHECK(batch.values[0].at(0) == doctest::Approx(loss).epsilon(kTolerance));
  for (size_t i = 3; i + 1 < batch.gradients.size(); ++i)
    tests::check_close(batch.gradients[i], sums[i - 3], kTolerance,
                       "parameter " + std::to_string(i), 1e-3);
}

TEST_CASE("scan: NaN in ended rows reaches neither values nor gradients") {
  for (const char* text : {kPoles, kDecoder}) {
    const ir::Graph graph = ir::parse(text);
    const ir::Bindings sizes{{"B", 3}, {"T", 4}, {"S", 2}};
    Arrays clean = tests::sample_arguments(graph, sizes, 11);
    const int lengths = graph.find_argument(text == kPoles ? "len_upto_4" : "tl_upto_4");
    const int x = graph.find_argument(text == kPoles ? "positive_x" : "y");
    for (int64_t b = 0; b < 3; ++b) clean[static_cast<size_t>(lengths)].set_integer(b, 2 * b);
    Arrays dirty = clean;
    dirty[static_cast<size_t>(x)] = clean[static_cast<size_t>(x)].clone();
    const int64_t width = text == kPoles ? 2 : 3;
    for (int64_t b = 0; b < 3; ++b)
      for (int64_t t = 2 * b; t < 4; ++t)
        for (int64_t i = 0; i < width; ++i)
          dirty[static_cast<size_t>(x)].set(((text == kPoles ? b * 4 + t : t * 3 + b)) * width + i,
                                            std::numeric_limits<double>::quiet_NaN());
    check_same(run(graph, dirty), run(graph, clean));
  }
}

TEST_CASE("scan: second derivatives") {
  for (const char* text : {kFusedDecoder, kPoles}) {
    const ir::Graph graph = ir::parse(text);
    const std::string result = graph.outputs()[0].name;
    tests::check_gradient(autodiff::gradient(graph, result, {"s0", text == kPoles ? "W" : "U"}),
                          {.seed = 2, .directions = 1});
  }
  for (const ir::Graph& graph : tests::samples(ir::ops::scan, 4))
    for (const ir::Output& o : graph.outputs())
      tests::check_gradient(autodiff::gradient(graph, o.name, autodiff::float_arguments(graph)),
                            {.seed = 4, .directions = 1});
}

TEST_CASE("scan: what broadcasting made is recomputed, not stacked") {
  const ir::Graph graph = ir::parse(kDecoder);
  const ir::Graph with = autodiff::gradient(graph, "loss", autodiff::float_arguments(graph));
  int scans = 0;
  for (const ir::Node& node : with.nodes()) {
    if (node.op != &ir::ops::scan) continue;
    ++scans;
    if (scans > 1) break;
    const ir::ops::ScanParts parts(ir::OpView(with, node));
    CHECK(parts.stacked > 1);
    for (size_t i = static_cast<size_t>(parts.carries); i < node.results.size(); ++i)
      CHECK(with.type(node.results[i]).rank() == 3);
  }
}

TEST_CASE("scan: only what is asked for is carried back") {
  const ir::Graph graph = ir::parse(kDecoder);
  const ir::Graph with = autodiff::gradient(graph, "loss", {"s0"});
  const ir::Node* reverse = nullptr;
  for (const ir::Node& node : with.nodes())
    if (node.op == &ir::ops::scan) reverse = &node;
  const ir::ops::ScanParts parts(ir::OpView(with, *reverse));
  CHECK(parts.reverse);
  CHECK(parts.carries == 1);
  CHECK(parts.stacked == 0);
  CHECK(reverse->from.part == ir::Part::backward);
}
