// tests/autodiff/oracle_test.cpp -- gradients against those of PyTorch, in double.
#include "autodiff/gradient.h"
#include "backends/reference/reference.h"
#include "ir/rewrite/builder.h"
#include "ir/text/text.h"
#include "ir/verify.h"
#include "tests/support/check_gradient.h"
#include "tests/support/oracle_cases.h"
#include "tests/support/tolerance.h"

#include <doctest/doctest.h>

using namespace weft;

namespace {

constexpr double kTolerance = tests::tolerance(ir::DType::f64, tests::Compared::oracle);

const ir::Array& result_named(const ir::Graph& graph, const std::vector<ir::Array>& results,
                              const std::string& name) {
  const int i = graph.find_output(name);
  REQUIRE(i >= 0);
  return results[static_cast<size_t>(i)];
}

std::vector<std::string> with_gradients(const ir::Graph& graph, const ir::NamedArrays& arrays) {
  std::vector<std::string> names;
  for (const std::string& n : autodiff::float_arguments(graph))
    if (arrays.contains("grad/" + n)) names.push_back(n);
  return names;
}

// Every grad/ array of the file against the gradient of `loss`; every out/ array that is an output.
void check_case(const std::string& file, const ir::Graph& graph, const std::string& loss = "loss") {
  CAPTURE(file);
  const ir::NamedArrays arrays = tests::oracle_arrays(file);
  const std::vector<std::string> names = with_gradients(graph, arrays);
  REQUIRE(!names.empty());
  const ir::Graph with = autodiff::gradient(graph, loss, names);
  ir::verify(with);
  const std::vector<ir::Array> results =
      backends::reference::evaluate(with, tests::oracle_arguments(graph, arrays));
  for (const ir::Output& o : graph.outputs())
    if (arrays.contains("out/" + o.name))
      tests::check_close(result_named(with, results, o.name), arrays.at("out/" + o.name),
                         kTolerance, o.name, 1e-6);
  for (size_t i = 0; i < names.size(); ++i)
    tests::check_close(results[graph.outputs().size() + i], arrays.at("grad/" + names[i]),
                       kTolerance, "d" + names[i], 1e-6);
}

constexpr const char* kBahdanau = R"(
graph(%s: f32[B,5], %h: f32[B,S,4], %keep: pred[B,S], %w: f32[B,4], parameter %Wa: f32[7,5], parameter %Ua: f32[7,4],
      parameter %va: f32[7]) {
  %q = matmul(%s, %Wa) {transpose_b=true}
  %k = matmul(%h, %Ua) {transpose_b=true}
  ATTEND
  %cw = mul(%context, %w)
  %loss = sum(%cw) {axes=[0,1]}
  return %loss, %context, %alpha
})";
constexpr const char* kUnfusedAttention = R"(
  %q1 = reshape(%q) {shape=[B,1,7]}
  %u = add(%q1, %k)
  %p = tanh(%u)
  %pv = mul(%p, %va)
  %e = sum(%pv) {axes=[-1]}
  %em = select(%keep, %e, -inf)
  %alpha = softmax(%em)
  %a1 = reshape(%alpha) {shape=[B,S,1]}
  %ah = mul(%a1, %h)
  %context = sum(%ah) {axes=[-2]})";

constexpr const char* kGru = R"(
graph(%x: f32[B,T,5], %lengths: s64[B], %w_out: f32[B,T,4], %w_h: f32[1,B,4], parameter %weight_ih_l0: f32[12,5],
      parameter %weight_hh_l0: f32[12,4], parameter %bias_ih_l0: f32[12], parameter %bias_hh_l0: f32[12]) {
  %len = cast(%lengths) {dtype=s32}
  %gi = matmul(%x, %weight_ih_l0) {transpose_b=true}
  %brz = slice(%bias_hh_l0) {axis=0, start=0, stop=8}
  %b1 = pad(%brz) {axis=0, high=4}
  %b2 = add(%bias_ih_l0, %b1)
  %g = add(%gi, %b2)
  %Ut = slice(%weight_hh_l0) {axis=0, start=0, stop=8}
  %U = transpose(%Ut) {perm=[1,0]}
  %Unt = slice(%weight_hh_l0) {axis=0, start=8, stop=12}
  %Un = transpose(%Unt) {perm=[1,0]}
  %bn = slice(%bias_hh_l0) {axis=0, start=8, stop=12}
  %s0 = constant() {shape=[B,4], values=[0]}
  %sN, %y = scan(%s0; %g; %U, %Un, %bn; %len) {axes=[1], out_axes=[1]}
  (%s, %g, %U, %Un, %bn, %live) {
    %s1 = gru_cell(%g, %s, %U, %Un; %bn) {reset="after"}
    yield %s1; %s1
  }
  %h_n = reshape(%sN) {shape=[1,B,4]}
  %yw = mul(%y, %w_out)
  %l1 = sum(%yw) {axes=[0,1,2]}
  %hw = mul(%h_n, %w_h)
  %l2 = sum(%hw) {axes=[0,1,2]}
  %loss = add(%l1, %l2)
  return %loss, %y, %h_n
})";

constexpr const char* kLstm = R"(
graph(%x: f32[B,T,5], %lengths: s64[B], %w_out: f32[B,T,4], %w_h: f32[1,B,4], parameter %weight_ih_l0: f32[16,5],
      parameter %weight_hh_l0: f32[16,4], parameter %bias_ih_l0: f32[16], parameter %bias_hh_l0: f32[16]) {
  %len = cast(%lengths) {dtype=s32}
  %b = add(%bias_ih_l0, %bias_hh_l0)
  %s0 = constant() {shape=[B,4], values=[0]}
  %hN, %cN, %y = scan(%s0, %s0; %x; %weight_ih_l0, %weight_hh_l0, %b; %len) {axes=[1], out_axes=[1]}
  (%h, %c, %x, %W, %Ut, %b, %live) {
    %gi = matmul(%x, %W) {transpose_b=true}
    %g = add(%gi, %b)
    %U = transpose(%Ut) {perm=[1,0]}
    %h1, %c1 = lstm_cell(%g, %h, %c, %U)
    yield %h1, %c1; %h1
  }
  %h_n = reshape(%hN) {shape=[1,B,4]}
  %c_n = reshape(%cN) {shape=[1,B,4]}
  %yw = mul(%y, %w_out)
  %l1 = sum(%yw) {axes=[0,1,2]}
  %hw = mul(%h_n, %w_h)
  %l2 = sum(%hw) {axes=[0,1,2]}
  %cw = mul(%c_n, %w_h)
  %l3 = sum(%cw) {axes=[0,1,2]}
  %l4 = mul(%l3, 0.5)
  %l5 = add(%l1, %l2)
  %loss = add(%l5, %l4)
  return %loss, %y, %h_n, %c_n
})";

// Padded outputs hold the last state: the loop's zeros there are filled up with its final carry.
constexpr const char* kChoGru = R"(
graph(%x: f32[B,T,4], %lengths: s64[B], %w: f32[B,T,6], parameter %W: f32[6,4], parameter %Wz: f32[6,4], parameter %Wr: f32[6,4],
      parameter %U: f32[6,6], parameter %Uz: f32[6,6], parameter %Ur: f32[6,6],
      parameter %b: f32[6], parameter %bz: f32[6], parameter %br: f32[6]) {
  %len = cast(%lengths) {dtype=s32}
  %Wt = concat(%Wz, %Wr, %W) {axis=0}
  %bt = concat(%bz, %br, %b) {axis=0}
  %Uzr = concat(%Uz, %Ur) {axis=0}
  %s0 = constant() {shape=[B,6], values=[0]}
  %sN, %o = scan(%s0; %x; %Wt, %bt, %Uzr, %U; %len) {axes=[1], out_axes=[1]}
  (%s, %x, %Wt, %bt, %Uzr, %U, %live) {
    %gi = matmul(%x, %Wt) {transpose_b=true}
    %g = add(%gi, %bt)
    CELL
    yield %s1; %s1
  }
  %m = length_mask(%len) {size=T}
  %m1 = reshape(%m) {shape=[B,T,1]}
  %last = reshape(%sN) {shape=[B,1,6]}
  %fill = select(%m1, 0, %last)
  %y = add(%o, %fill)
  %yw = mul(%y, %w)
  %loss = sum(%yw) {axes=[0,1,2]}
  return %loss, %y
})";
constexpr const char* kFusedCell = R"(
    %U1 = transpose(%Uzr) {perm=[1,0]}
    %Un = transpose(%U) {perm=[1,0]}
    %s1 = gru_cell(%g, %s, %U1, %Un))";
constexpr const char* kUnfusedCell = R"(
    %g1 = slice(%g) {axis=-1, start=0, stop=12}
    %g2 = slice(%g) {axis=-1, start=12, stop=18}
    %su = matmul(%s, %Uzr) {transpose_b=true}
    %zp = add(%g1, %su)
    %zr = sigmoid(%zp)
    %z = slice(%zr) {axis=-1, start=0, stop=6}
    %r = slice(%zr) {axis=-1, start=6, stop=12}
    %rs = mul(%r, %s)
    %rn = matmul(%rs, %U) {transpose_b=true}
    %np = add(%g2, %rn)
    %n = tanh(%np)
    %one = constant() {shape=[], values=[1]}
    %zc = sub(%one, %z)
    %keep = mul(%zc, %s)
    %new = mul(%z, %n)
    %s1 = add(%keep, %new))";

ir::Graph parsed(std::string text, const std::string& hole = {}, const std::string& filling = {}) {
  if (!hole.empty()) text.replace(text.find(hole), hole.size(), filling);
  return ir::parse(text);
}

// Adds up products of gradients with values (or with themselves) as the output `loss`.
ir::Graph with_gradient_loss(const ir::Graph& first, const std::vector<std::string>& names,
                             bool squared) {
  ir::Graph g = first;
  ir::Builder b(g);
  ir::Value loss;
  for (const std::string& n : names) {
    const ir::Value d = g.outputs()[static_cast<size_t>(g.find_output("d" + n))].value;
    const ir::Value v =
        squared ? d : g.arguments()[static_cast<size_t>(g.find_argument("v_" + n))].value;
    const ir::Value s = b.sum_all(b.mul(d, v));
    loss = loss.valid() ? b.add(loss, s) : s;
  }
  g.add_output("loss", loss);
  return g;
}

}  // namespace

TEST_CASE("gradients: ops agree with PyTorch in double") {
  if (tests::oracle_folder().empty()) return;
  int checked = 0;
  for (const tests::OracleCase& c : tests::oracle_cases()) {
    if (c.file == "embedding_padidx_scaled")
      continue;  // PyTorch keeps the padding row's gradient at 0
    const ir::NamedArrays arrays = tests::oracle_arrays(c.file);
    const ir::Graph graph = ir::parse(c.graph, c.file);
    const std::vector<std::string> names = with_gradients(graph, arrays);
    if (names.empty() || !arrays.contains("in/w") || graph.find_output("y") < 0) continue;
    CAPTURE(c.file);
    const ir::Graph with = autodiff::gradient(graph, "y", names, {.cotangent = true});
    ir::verify(with);
    std::vector<ir::Array> at = tests::oracle_arguments(graph, arrays);
    at.push_back(arrays.at("in/w"));
    const std::vector<ir::Array> results = backends::reference::evaluate(with, at);
    for (const std::string& n : names)
      tests::check_close(result_named(with, results, "d" + n), arrays.at("grad/" + n), kTolerance,
                         "d" + n, 1e-6);
    ++checked;
  }
  CHECK(checked >= 50);
}

TEST_CASE("gradients: Bahdanau's attention agrees with PyTorch, as plain ops and fused") {
  if (tests::oracle_folder().empty()) return;
  check_case("bahdanau_attention", parsed(kBahdanau, "ATTEND", kUnfusedAttention));
  check_case("bahdanau_attention", parsed(kBahdanau, "ATTEND",
                                          "%context, %alpha = attention(%q, %k, %h; %va; %keep) "
                                          "{score=\"additive\", weights=true}"));
}

TEST_CASE("gradients: recurrent layers over padded batches agree with PyTorch") {
  if (tests::oracle_folder().empty()) return;
  check_case("gru_uni_L1", parsed(kGru));
  check_case("lstm_uni_L1", parsed(kLstm));
  check_case("gru_cho_reset_before", parsed(kChoGru, "CELL", kFusedCell));
  check_case("gru_cho_reset_before", parsed(kChoGru, "CELL", kUnfusedCell));
}

TEST_CASE("gradients: second derivatives agree with PyTorch") {
  if (tests::oracle_folder().empty()) return;
  const ir::Graph mlp = ir::parse(R"(
    graph(%x: f32[4,3], %y: s64[4], %v_W1: f32[5,3], %v_b1: f32[5], %v_W2: f32[4,5],
          parameter %W1: f32[5,3], parameter %b1: f32[5], parameter %W2: f32[4,5]) {
      %a = matmul(%x, %W1) {transpose_b=true}
      %b = add(%a, %b1)
      %h = tanh(%b)
      %logits = matmul(%h, %W2) {transpose_b=true}
      %l, %lse = softmax_cross_entropy(%logits, %y)
      %inner_loss = mean(%l) {axes=[0]}
      return %inner_loss
    })");
  const std::vector<std::string> weights{"W1", "b1", "W2"};
  check_case("second_order_mlp",
             with_gradient_loss(autodiff::gradient(mlp, "inner_loss", weights), weights, false));

  for (const char* attend : {"%y = attention(%q, %k, %v) {scale=0.5}",
                             "%e = matmul(%q, %k) {transpose_b=true} %t = mul(%e, 0.5) %a = "
                             "softmax(%t) %y = matmul(%a, %v)"}) {
    const ir::Graph graph = ir::parse(
        std::string("graph(%q: f32[2,3,4], %k: f32[2,3,4], %v: f32[2,3,4], %w: f32[2,3,4]) { ") +
        attend + " %yw = mul(%y, %w) %inner_loss = sum(%yw) {axes=[0,1,2]} return %inner_loss }");
    const std::vector<std::string> qkv{"q", "k", "v"};
    check_case("second_order_attention",
               with_gradient_loss(autodiff::gradient(graph, "inner_loss", qkv), qkv, true));
  }
}
